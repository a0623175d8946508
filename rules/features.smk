# Stage 5: features, which are what the models see of a structure.


rule features:
    input:
        expand(paths.FEATURES, featurizer=CAMPAIGN.featurizers, subset=SUBSETS),


rule compute_features:
    input:
        structures=paths.STRUCTURES,
        site_table=paths.SITES,
    output:
        paths.FEATURES,
    log:
        log_of("compute_features", "{featurizer}_{subset}"),
    benchmark:
        benchmark_of("compute_features", "{featurizer}_{subset}")
    wildcard_constraints:
        featurizer="|".join(
            name for name in CAMPAIGN.featurizers if name != CAMPAIGN.cheap_features
        ),
    conda:
        "../envs/xanesflow.yaml"
    threads: 2
    resources:
        mem_mb=more_each_time(4000),
        runtime=more_each_time(120),
    params:
        device=CONFIG.features.device,
    message:
        "Computing {wildcards.featurizer} features of {wildcards.subset}"
    script:
        "../workflow_scripts/compute_features.py"
