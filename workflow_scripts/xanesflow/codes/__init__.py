"""Simulation codes, one room each, with files of the same names; `registry` has a record for each level of theory.

How to add a code:

1. Copy a room that is like yours: `feff`; `vasp` if sites share a step; `ocean` if xanesflow does not run the code, but
   writes its inputs and reads its finished runs.
2. `options`: a dataclass with the engine's options. `write_inputs`: a class that writes inputs from a structure.
3. `engine`: a class that runs and checks a site. `read_run`: a function that reads a finished run and checks it.
   `engine.py` in this folder has the protocols (`Engine`, `Reader`, `InputWriter`) that they follow.
4. Add a record to `registry` that names them, and add the theory's name to `THEORIES` in `core/sites.py`. Add a section
   to `config/` only if users should be able to change options. All other code reads the record, but for
   `features/cheap_runs/columns.py`: it names the numbers of a run that delta models learn from besides its spectrum.

Your own package can add a code without a change to this library: its record is an entry point of the group
`xanesflow.theories` with the theory's name (tests/support/toy_code is a complete example). Its options then keep their
defaults.
"""
