"""XSpectra of Quantum ESPRESSO: a core hole in a supercell, with the programs of Debian's package quantum-espresso.

`write_inputs` writes Lightshow's inputs for runs elsewhere, and `read_run` reads such runs. A run of the workflow's own
has a set-up of its own: `hole_cell` chooses the smallest cell that keeps the symmetry, `pseudopotentials` makes what
`pw.x` needs with `ld1.x` from `atoms`, `scf` corrects a field that does not converge, and `lanczos` finds the
recursions that are needed and makes the spectrum of any width from them. `engine` plans and checks, `run_hole_step`
runs.
"""
