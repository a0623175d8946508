"""VASP as an engine: the ground state of a material's supercell, once for all its sites, then a core hole a site.

Both steps are computed in one supercell with one set of POTCARs; the core hole does not start from the ground state's
density (its first atom is a species of its own) and needs but one number of it. The energy axis of a spectrum is
(ε_core − ε_cbm) + (E_corehole − E_groundstate) plus a shift an element (arXiv 2409.19552), and its last difference is
of the two supercells' total energies E0, as OSZICAR's last line gives them. So a site's run.json holds `energy_ev` of
its own, `ground_state_energy_ev`, and their difference `delta_scf_ev`; all else that the curation needs lies in the
files of the site's run.

`options`, `write_inputs`, `engine` and `read_run` are what the registry names. `engine` writes the inputs (those of
`snakemake inputs`, by the same code) and puts POTCAR together in the scratch folder, the one place where it ever lies;
`run_step` runs VASP under custodian; `corrections` decides which of custodian's corrections are let through;
`check_step` decides whether a step is good, for `engine` and for `read_steps`; `make_spectrum` makes the spectrum from
both steps; `step_outputs` reads files and leaves out of them what must not be kept.
"""
