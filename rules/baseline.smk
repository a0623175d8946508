# The cheaper runs under delta models, and what they tell of a subset's sites (models.baseline).

if COMPUTED_BASELINES:

    rule share_sites:
        input:
            structures=lambda wildcards: f"results/structures/{above(wildcards.subset)}.parquet",
            site_table=lambda wildcards: f"results/structures/{above(wildcards.subset)}_sites.parquet",
        output:
            structures="results/structures/{subset}.parquet",
            site_table="results/structures/{subset}_sites.parquet",
        log:
            "results/logs/share_sites/{subset}.log",
        benchmark:
            "results/benchmarks/share_sites/{subset}.tsv"
        wildcard_constraints:
            subset="|".join(COMPUTED_BASELINES),
        conda:
            "../envs/xanesflow.yaml"
        threads: 1
        resources:
            mem_mb=more_each_time(2000),
            runtime=more_each_time(10),
        params:
            theory=lambda wildcards: theory_of(wildcards.subset),
            n_chunks=lambda wildcards: CONFIG.n_chunks(wildcards.subset),
        message:
            "Taking over the sites for {wildcards.subset}"
        script:
            "../workflow_scripts/share_sites.py"


if BASELINES:

    rule collect_baseline:
        input:
            chunks=lambda wildcards: chunk_zips(BASELINES[wildcards.subset]),
            structures="results/structures/{subset}.parquet",
            site_table="results/structures/{subset}_sites.parquet",
        output:
            f"results/features/{baseline_features(CONFIG)}/{{subset}}.h5",
        log:
            f"results/logs/collect_baseline/{baseline_features(CONFIG)}_{{subset}}.log",
        benchmark:
            f"results/benchmarks/collect_baseline/{baseline_features(CONFIG)}_{{subset}}.tsv"
        wildcard_constraints:
            subset="|".join(SUBSETS),
        conda:
            "../envs/xanesflow.yaml"
        threads: 2
        resources:
            mem_mb=more_each_time(2000),
            runtime=more_each_time(30),
        params:
            name=baseline_features(CONFIG),
            energy_start_ev=lambda wildcards: energy_start(wildcards.subset),
        message:
            "Features of {wildcards.subset} from runs of {params.name}"
        script:
            "../workflow_scripts/collect_baseline.py"
