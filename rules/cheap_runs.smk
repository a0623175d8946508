# The cheaper runs that delta models correct (models.delta_from), and the features that come from them.

if CAMPAIGN.computed_cheap_subsets:

    rule copy_site_table:
        input:
            structures=lambda wildcards: fill(
                paths.STRUCTURES, subset=CAMPAIGN.subset_above(wildcards.subset)
            ),
            site_table=lambda wildcards: fill(
                paths.SITES, subset=CAMPAIGN.subset_above(wildcards.subset)
            ),
        output:
            structures=paths.STRUCTURES,
            site_table=paths.SITES,
        log:
            log_of("copy_site_table", "{subset}"),
        benchmark:
            benchmark_of("copy_site_table", "{subset}")
        wildcard_constraints:
            subset="|".join(CAMPAIGN.computed_cheap_subsets),
        conda:
            "../envs/xanesflow.yaml"
        threads: 1
        resources:
            mem_mb=more_each_time(2000),
            runtime=more_each_time(10),
        params:
            theory=lambda wildcards: Subset.parse(wildcards.subset).theory,
            n_chunks=lambda wildcards: CAMPAIGN.n_chunks(wildcards.subset),
        message:
            "Copying the site table for {wildcards.subset}"
        script:
            "../workflow_scripts/copy_site_table.py"


if CAMPAIGN.cheap_subsets:

    rule collect_cheap_runs:
        input:
            chunks=lambda wildcards: CAMPAIGN.runs(CAMPAIGN.cheap_subsets[wildcards.subset]),
            structures=paths.STRUCTURES,
            site_table=paths.SITES,
        output:
            fill(paths.FEATURES, featurizer=CAMPAIGN.cheap_features),
        log:
            log_of("collect_cheap_runs", f"{CAMPAIGN.cheap_features}_{{subset}}"),
        benchmark:
            benchmark_of("collect_cheap_runs", f"{CAMPAIGN.cheap_features}_{{subset}}")
        wildcard_constraints:
            subset="|".join(SUBSETS),
        conda:
            "../envs/xanesflow.yaml"
        threads: 2
        resources:
            mem_mb=more_each_time(2000),
            runtime=more_each_time(30),
        params:
            name=CAMPAIGN.cheap_features,
            energy_start_ev=lambda wildcards: CAMPAIGN.energy_start(wildcards.subset),
            mixed_settings=CONFIG.curation.mixed_settings,
        message:
            "Computing features of {wildcards.subset} from runs of {params.name}"
        script:
            "../workflow_scripts/collect_cheap_runs.py"
