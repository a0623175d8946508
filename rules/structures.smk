# Stage 1: crystal structures and the sites in them.
#
# structures.source: archive takes them from the archive of finished runs; since a packed archive can only be read
# front to back, the rule that imports the runs (simulations.smk) writes them in the same pass.


rule structures:
    input:
        expand("results/structures/{subset}.parquet", subset=SUBSETS),
        expand("results/structures/{subset}_sites.parquet", subset=SUBSETS),
