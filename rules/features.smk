# Stage 5: what the models see of a structure.


rule features:
    input:
        expand("results/features/{featurizer}/{subset}.h5", featurizer=FEATURIZERS, subset=SUBSETS),


rule compute_features:
    input:
        structures="results/structures/{subset}.parquet",
        site_table="results/structures/{subset}_sites.parquet",
    output:
        "results/features/{featurizer}/{subset}.h5",
    log:
        "results/logs/compute_features/{featurizer}_{subset}.log",
    benchmark:
        "results/benchmarks/compute_features/{featurizer}_{subset}.tsv"
    wildcard_constraints:
        featurizer="|".join(name for name in FEATURIZERS if name != baseline_features(CONFIG)),
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
