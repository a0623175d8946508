# Stage 3: finished runs, one zip for each chunk.
from xanesflow.codes.lightshow_tree import folder_state
from xanesflow.simulations.job_resources import chunk_memory, chunk_minutes


rule simulations:
    input:
        [CAMPAIGN.runs(subset) for subset in CAMPAIGN.all_subsets],
        [CAMPAIGN.failed_sites(subset) for subset in CAMPAIGN.all_subsets],


# One rule for each imported subset, because the number of outputs depends on the subset.
for SUBSET in CAMPAIGN.imported_subsets:

    rule:
        name:
            f"import_archive_{SUBSET}"
        input:
            archive=lambda wildcards, subset=SUBSET: CAMPAIGN.archive_of(subset),
        output:
            chunks=CAMPAIGN.runs(SUBSET),
            structures=fill(paths.STRUCTURES, subset=SUBSET),
            site_table=fill(paths.SITES, subset=SUBSET),
            rejected=fill(paths.REJECTED_RUNS, subset=SUBSET),
        log:
            log_of("import_archive", SUBSET),
        benchmark:
            benchmark_of("import_archive", SUBSET)
        conda:
            "../envs/xanesflow.yaml"
        threads: 2
        resources:
            mem_mb=more_each_time(2000),
            runtime=more_each_time(60),
        params:
            subset=SUBSET,
            n_chunks=CAMPAIGN.n_chunks(SUBSET),  # another number moves materials to other chunks, so runs the rule again
            state=lambda wildcards, subset=SUBSET: folder_state(CAMPAIGN.archive_of(subset)),
            symprec=CONFIG.structures.symprec,
        message:
            f"Importing the finished runs of {SUBSET}"
        script:
            "../workflow_scripts/import_archive.py"


if CAMPAIGN.run_subsets:

    rule simulate_chunk:
        input:
            # All chunks of a subset share one table, so a new material runs every chunk's job again. That takes seconds
            # where there is nothing to compute, since finished runs are kept (simulations/state/finished_runs.py).
            structures=paths.STRUCTURES,
            site_table=paths.SITES,
            only=lambda wildcards: CAMPAIGN.planned_sites(wildcards.subset),
            retry_request=lambda wildcards: retry_requests(wildcards.subset, wildcards.chunk),
        output:
            paths.RUNS,
        log:
            log_of("simulate_chunk", "{subset}_{chunk}"),
        benchmark:
            benchmark_of("simulate_chunk", "{subset}_{chunk}")
        wildcard_constraints:
            subset="|".join(CAMPAIGN.run_subsets),
        conda:
            "../envs/xanesflow.yaml"
        threads: 4
        resources:
            mem_mb=lambda wildcards, threads, attempt: chunk_memory(
                Subset.parse(wildcards.subset).theory, cores=threads, attempt=attempt
            ),
            # A usual value until the site table exists.
            runtime=lambda wildcards, threads, attempt: chunk_minutes(
                fill(paths.SITES, subset=wildcards.subset),
                int(wildcards.chunk),
                only=CONFIG.simulations.sites.get(wildcards.subset),
                cores=threads,
                attempt=attempt,
                longest=CONFIG.simulations.longest_job,
            ),
            # In every attempt but the last, a site without enough memory fails the job, so that the next attempt gets
            # more. A cluster's profile says how many there are: `attempts` of its default-resources, 1 without it.
            attempt=lambda wildcards, attempt: attempt,
        params:
            kept=paths.FINISHED_RUNS,
            engine=lambda wildcards: CAMPAIGN.engine_options(wildcards.subset),
        message:
            "Simulating chunk {wildcards.chunk} of {wildcards.subset}"
        script:
            "../workflow_scripts/simulate_chunk.py"

    rule list_failures:
        input:
            lambda wildcards: CAMPAIGN.runs(wildcards.subset),
        output:
            paths.FAILED_SITES,
        log:
            log_of("list_failures", "{subset}"),
        benchmark:
            benchmark_of("list_failures", "{subset}")
        wildcard_constraints:
            subset="|".join(CAMPAIGN.run_subsets),
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
