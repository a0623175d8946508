"""FEFF 9 and 10 as an engine of the workflow.

The registry names `options`, `write_inputs`, `engine` and `read_run`. `read_run` decides whether a finished run is good
(with `read_xmu`, `read_logs` and `read_feff_inp`). The engine's command, `python -m xanesflow.codes.feff run`, runs
FEFF (`find_feff`, `attempt`) under custodian, each attempt in a fresh folder (`run_site`). Handlers correct the faults
that they know (`handlers`, `cards`). `core_hours` estimates the cost.
"""
