"""Stage 3: simulated runs, one zip for each chunk of a subset, in Lightshow's tree.

Runs are either imported or computed. `import_archive` takes finished runs from an archive in any packed form.
`run_chunk` runs an engine (`codes.engine`) over the sites of a chunk, first the steps that sites share (`shared_step`,
`schedule`). `faults` separates the fault of one site from a fault of the machine. `job_resources` estimates what a
chunk's job needs. `check_runs` checks finished runs in folders. `state` records what became of each site.
"""
