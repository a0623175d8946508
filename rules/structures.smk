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


if CONFIG.structures.source == "materials_project":

    rule query_materials_project:
        input:
            ids=lambda wildcards: files_of_ids(
                *[name for name in SUBSETS if name.startswith(f"{wildcards.element}_")]
            ),
        output:
            # What is there already says whether anything has to be asked, and what has changed; so it is not deleted.
            structures=update("results/structures/materials_project/{element}.parquet"),
            manifest=update("results/structures/materials_project/{element}.json"),
        log:
            "results/logs/query_materials_project/{element}.log",
        benchmark:
            "results/benchmarks/query_materials_project/{element}.tsv"
        priority: 20
        localrule: True  # nodes of a cluster often have no way to the internet
        conda:
            "../envs/xanesflow.yaml"
        threads: 1
        resources:
            mem_mb=2000,
            runtime=240,
        params:
            query=lambda wildcards: query_of(wildcards.element),
            # Another name only where there is another question (xanesflow/structures/materials_project/manifest.py); of wildcards
            # alone, as what is made of `output` is no reason for Snakemake to run a rule again.
            request=lambda wildcards: request_of(
                f"results/structures/materials_project/{wildcards.element}.json",
                refresh=CONFIG.structures.refresh,
            ),
        message:
            "Structures with {wildcards.element} from Materials Project"
        script:
            "../workflow_scripts/query_materials_project.py"


if CONFIG.structures.source != "archive":

    rule collect_structures:
        input:
            # The folder's own time tells little; `state` below tells what changed in it.
            directory=[ancient(folder) for folder in folder_of_structures()],
            queried=lambda wildcards: from_materials_project(wildcards.subset),
            ids=lambda wildcards: (
                files_of_ids(wildcards.subset) if from_materials_project(wildcards.subset) else []
            ),
        output:
            structures="results/structures/{subset}.parquet",
            site_table="results/structures/{subset}_sites.parquet",
            rejected="results/structures/{subset}_rejected.parquet",
        log:
            "results/logs/collect_structures/{subset}.log",
        benchmark:
            "results/benchmarks/collect_structures/{subset}.tsv"
        wildcard_constraints:
            subset="|".join(SUBSETS),
        priority: 10  # so that the number of sites is known before the first are simulated
        conda:
            "../envs/xanesflow.yaml"
        threads: 2
        resources:
            mem_mb=more_each_time(2000),
            runtime=more_each_time(60),
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
            mem_mb=more_each_time(1000),
            runtime=more_each_time(10),
        params:
            subsets=SUBSETS,
        message:
            "Estimating what the simulations will cost"
        script:
            "../workflow_scripts/estimate_cost.py"
