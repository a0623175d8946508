# Stage 1: crystal structures and the sites in them.
#
# structures.source: archive takes them from the archive of finished runs; since a packed archive can only be read
# front to back, the rule that imports the runs (simulations.smk) writes them in the same pass.


rule structures:
    input:
        expand("results/structures/{subset}.parquet", subset=SUBSETS),
        expand("results/structures/{subset}_sites.parquet", subset=SUBSETS),
        # The runs of an archive are done and cost nothing more.
        "results/structures/cost.csv" if CONFIG.structures.source != "archive" else [],


if CONFIG.structures.source != "archive":

    rule collect_structures:
        input:
            # The folder's own time tells little; `state` below tells what changed in it.
            directory=[ancient(folder) for folder in folder_of_structures()],
        output:
            structures="results/structures/{subset}.parquet",
            site_table="results/structures/{subset}_sites.parquet",
            rejected="results/structures/{subset}_rejected.parquet",
        log:
            "results/logs/collect_structures/{subset}.log",
        benchmark:
            "results/benchmarks/collect_structures/{subset}.tsv"
        priority: 10  # so that the number of sites is known before the first are simulated
        conda:
            "../envs/xanesflow.yaml"
        threads: 2
        resources:
            mem_mb=2000,
            runtime=60,
        params:
            source=CONFIG.structures.source,
            only=CONFIG.structures.only,
            state=lambda wildcards: state_of_structures(),
            n_chunks=lambda wildcards: CONFIG.n_chunks(wildcards.subset),
            symprec=CONFIG.structures.symprec,
        message:
            "Collecting the structures of {wildcards.subset}"
        script:
            "../workflow_scripts/collect_structures.py"

    rule estimate_cost:
        input:
            expand("results/structures/{subset}_sites.parquet", subset=SUBSETS),
        output:
            "results/structures/cost.csv",
        log:
            "results/logs/estimate_cost.log",
        benchmark:
            "results/benchmarks/estimate_cost.tsv"
        conda:
            "../envs/xanesflow.yaml"
        threads: 1
        resources:
            mem_mb=1000,
            runtime=10,
        params:
            subsets=SUBSETS,
        message:
            "Estimating what the simulations will cost"
        script:
            "../workflow_scripts/estimate_cost.py"
