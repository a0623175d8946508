"""Stage 3: simulated runs, one zip per chunk of a subset, in Lightshow's tree.

Finished runs are imported: `archive` reads them from any packed form, `import_archive` is what the rule of that name
calls. Or they are computed: `engine` is the seam to a code (write inputs, command, validate, keep), `feff8l` the
embedded one, `feff` the user's own FEFF, `vasp` VASP, `run_chunk` runs an engine over the sites of a chunk through
`process` and `guard`, first the steps that sites share (`shared_step`, `schedule`), and `kept` remembers what is
finished. `faults` tells a site's fault from the machine's, `expected` what a chunk needs, `progress` how it stands and
`status` how the campaign does; `failures` lists the failed sites, `retry` orders them again (`orders`). `layout` knows
the tree, `chunks` writes and reads the zips.
"""
