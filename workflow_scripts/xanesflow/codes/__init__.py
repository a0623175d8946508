"""Simulation codes, one room each, with the same four files; `registry` has one record for each level of theory.

How to add a code:

1. Copy a room that is like yours (`feff`; `vasp` where sites share a step; `ocean` for inputs alone).
2. `options`: a dataclass with what the engine is run by. `write_inputs`: a class that writes inputs from a structure.
3. `engine`: a class that runs and checks a site. `read_run`: a function that reads a finished run and checks it.
   `engine.py` in this folder has the protocols (`Engine`, `Reader`, `InputWriter`) that they follow.
4. Add a record to `registry` that names them, and the name to `THEORIES` in `core/sites.py`; a section in `config/`
   only if users shall change options. Everything else asks the record.

Another package adds one without touching this library: its record is an entry point of the group `xanesflow.theories`
with the theory's name (tests/support/toy_code shows the whole of it). Its options then have their defaults.
"""
