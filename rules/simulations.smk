# Stage 3: finished runs, one zip a chunk.


rule simulations:
    input:
        [chunk_zips(subset) for subset in [*SUBSETS, *BASELINES.values()]],
        [failed_before(subset) for subset in SUBSETS],


# One rule for each imported subset, as the number of its outputs is a matter of the subset.
for SUBSET in IMPORTED_SUBSETS:

    rule:
        name:
            f"import_archive_{SUBSET}"
        input:
            archive=lambda wildcards, subset=SUBSET: CONFIG.archive_of(subset),
        output:
            chunks=chunk_zips(SUBSET),
            structures=f"results/structures/{SUBSET}.parquet",
            site_table=f"results/structures/{SUBSET}_sites.parquet",
            rejected=f"results/simulations/{SUBSET}/rejected.parquet",
        log:
            f"results/logs/import_archive/{SUBSET}.log",
        benchmark:
            f"results/benchmarks/import_archive/{SUBSET}.tsv"
        conda:
            "../envs/xanesflow.yaml"
        threads: 2
        resources:
            mem_mb=more_each_time(2000),
            runtime=more_each_time(60),
        params:
            subset=SUBSET,
            n_chunks=CONFIG.n_chunks(SUBSET),  # with another number each material moves, though files may exist
            state=lambda wildcards, subset=SUBSET: folder_state(CONFIG.archive_of(subset)),
            symprec=CONFIG.structures.symprec,
        message:
            f"Importing the finished runs of {SUBSET}"
        script:
            "../workflow_scripts/import_archive.py"


if RUN_SUBSETS:

    rule simulate_chunk:
        input:
            # One table for all chunks of a subset: when a material is added each of its chunks is gone through again,
            # which takes seconds where there is nothing to compute, as finished runs are kept (simulations/state/finished_runs.py).
            structures="results/structures/{subset}.parquet",
            site_table="results/structures/{subset}_sites.parquet",
            only=lambda wildcards: planned_sites(wildcards.subset),
            order=lambda wildcards: orders_of(wildcards.subset, wildcards.chunk),
        output:
            "results/simulations/{subset}/{chunk}.zip",
        log:
            "results/logs/simulate_chunk/{subset}_{chunk}.log",
        benchmark:
            "results/benchmarks/simulate_chunk/{subset}_{chunk}.tsv"
        wildcard_constraints:
            subset="|".join(RUN_SUBSETS),
        conda:
            "../envs/xanesflow.yaml"
        threads: 4
        resources:
            mem_mb=lambda wildcards, threads, attempt: chunk_memory(
                theory_of(wildcards.subset), cores=threads, attempt=attempt
            ),
            runtime=lambda wildcards, threads, attempt: time_of_chunk(wildcards, threads, attempt),
            attempt=lambda wildcards, attempt: attempt,
            # A cluster's profile says how many there are; but for the last one, sites that found no memory fail the job.
            attempts=1,
        params:
            kept="results/simulations/{subset}/kept",
            engine=lambda wildcards: CONFIG.engine_options(wildcards.subset),
        message:
            "Simulating chunk {wildcards.chunk} of {wildcards.subset}"
        script:
            "../workflow_scripts/simulate_chunk.py"

    rule list_failures:
        input:
            lambda wildcards: chunk_zips(wildcards.subset),
        output:
            "results/simulations/{subset}/failed.csv",
        log:
            "results/logs/list_failures/{subset}.log",
        benchmark:
            "results/benchmarks/list_failures/{subset}.tsv"
        wildcard_constraints:
            subset="|".join(RUN_SUBSETS),
        conda:
            "../envs/xanesflow.yaml"
        threads: 1
        resources:
            mem_mb=more_each_time(1000),
            runtime=more_each_time(30),
        message:
            "Listing the failed sites of {wildcards.subset}"
        script:
            "../workflow_scripts/list_failures.py"
