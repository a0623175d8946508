"""FEFF 9 and 10 as an engine of the workflow, and what tells a good run of it from a failed one.

`options`, `write_inputs`, `engine` and `read_run` are what the registry names. `read_run` decides whether a finished
run is good (by `read_xmu`, `read_logs` and `read_feff_inp`). The engine's command, `python -m xanesflow.codes.feff
run`, runs FEFF (`find_feff`, `attempt`) under custodian, which corrects what can be corrected (`handlers`, `cards`),
each attempt in a fresh folder (`run_site`). `cost` estimates core hours.
"""
