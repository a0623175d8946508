"""Stage 3: simulated runs, one zip per chunk of a subset, in Lightshow's tree.

`archive` reads finished runs from any packed form, `layout` knows the tree, `chunks` writes and reads the zips,
`import_archive` is what the rule of that name calls.
"""
