# Not a stage on the way to the report: tries options of a code on a few sites, and says where it is converged.
from xanesflow.config.convergence_rungs import convergence_subset, rungs_of

RUNGS = or_workflow_error(rungs_of, CAMPAIGN) if CONFIG.convergence.subset else []


rule convergence:
    input:
        lambda wildcards: expand(
            [paths.CONVERGENCE_TABLE, paths.CONVERGED_OPTIONS, paths.CONVERGENCE_FIGURE],
            subset=or_workflow_error(convergence_subset, CAMPAIGN),
        ),


if CAMPAIGN.run_subsets:

    rule run_rung:
        input:
            structures=paths.STRUCTURES,
            site_table=paths.SITES,
        output:
            paths.RUNG,
        log:
            log_of("run_rung", "{subset}_{rung}"),
        benchmark:
            benchmark_of("run_rung", "{subset}_{rung}")
        wildcard_constraints:
            subset="|".join(CAMPAIGN.run_subsets),
            rung=r"\d\d",
        conda:
            "../envs/xanesflow.yaml"
        threads: 2
        resources:
            mem_mb=lambda wildcards, threads, attempt: chunk_memory(
                Subset.parse(wildcards.subset).theory, cores=threads, attempt=attempt
            ),
            runtime=more_each_time(720),
        params:
            kept=lambda wildcards: fill(
                paths.RUNG_KEPT,
                subset=wildcards.subset,
                options=RUNGS[int(wildcards.rung)].folder,
            ),
            sites=CONFIG.convergence.sites,
            engine=lambda wildcards: RUNGS[int(wildcards.rung)].options,
        message:
            "Trying option {wildcards.rung} of {wildcards.subset}"
        script:
            "../workflow_scripts/run_rung.py"

    rule compare_rungs:
        input:
            structures=paths.STRUCTURES,
            runs=lambda wildcards: [
                fill(paths.RUNG, subset=wildcards.subset, rung=f"{rung.run:02d}") for rung in RUNGS
            ],
        output:
            table=paths.CONVERGENCE_TABLE,
            answer=paths.CONVERGED_OPTIONS,
            figure=report(
                paths.CONVERGENCE_FIGURE,
                caption="../report/convergence.rst",
                category="Convergence",
                labels={"subset": "{subset}"},
            ),
        log:
            log_of("compare_rungs", "{subset}"),
        benchmark:
            benchmark_of("compare_rungs", "{subset}")
        wildcard_constraints:
            subset="|".join(CAMPAIGN.run_subsets),
        conda:
            "../envs/xanesflow.yaml"
        threads: 1
        resources:
            mem_mb=more_each_time(2000),
            runtime=more_each_time(30),
        params:
            options=[rung.key for rung in RUNGS],
            tried=[rung.value for rung in RUNGS],
            energy_start_ev=lambda wildcards: CAMPAIGN.energy_start(wildcards.subset),
            max_flat_start_ev=CONFIG.curation.max_flat_start,
            processing=lambda wildcards: CAMPAIGN.processing_of(wildcards.subset),
            spearman=CONFIG.convergence.spearman,
            rms=CONFIG.convergence.rms,
        message:
            "Comparing the options of {wildcards.subset}"
        script:
            "../workflow_scripts/compare_rungs.py"
