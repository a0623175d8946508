"""FEFF 9 and 10 as an engine of the workflow, and what tells a good run of it from a failed one.

`judge` says of a finished run whether it is good (by `xmu`, `logs` and `feff_inp`). `adapter` is the engine; its
command, `python -m xanesflow.codes.feff run`, runs FEFF (`command`, `attempt`) under custodian, which corrects
what can be corrected (`handlers`, `cards`), each attempt in a fresh folder (`run`).
"""
