"""Stage 3: simulated runs, one zip per chunk of a subset, in Lightshow's tree.

Finished runs are imported: `archive` reads them from any packed form, `import_archive` is what the rule of that name
calls. Or they are computed: `engine` is the seam to a code (write inputs, command, validate, keep), `feff8l` the
embedded one, `run_chunk` runs an engine over the sites of a chunk through `process` and `guard`, and `kept` remembers
what is finished. `expected` tells what a chunk will need. `layout` knows the tree, `chunks` writes and reads the zips.
"""
