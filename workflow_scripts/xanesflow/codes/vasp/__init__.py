"""VASP as an engine: one ground state of a material's supercell for all its sites, then one core hole for each site.

Both steps use the same supercell and the same POTCARs. The core hole does not start from the density of the ground
state (its first atom is a species of its own), and needs only one number from it. The energy axis of a spectrum is
(ε_core − ε_cbm) + (E_corehole − E_groundstate) plus a shift for each element (arXiv 2409.19552). The second difference
is that of the two total energies E0 in the last lines of OSZICAR. So a site's run.json holds its own `energy_ev`,
`ground_state_energy_ev`, and their difference `delta_scf_ev`. The curation reads everything else from the files of the
site's run.

The registry names `options`, `write_inputs`, `engine` and `read_run`. `engine` writes the inputs, with the code of
`snakemake inputs`, and puts POTCAR together in the scratch folder, the only place that ever holds one. `run_step` runs
VASP under custodian. `corrections` decides which of custodian's corrections are allowed. `check_step` decides whether a
step is good, for `engine` and for `read_steps`. `make_spectrum` makes the spectrum from both steps. `step_outputs`
reads files and removes what must not be kept.
"""
