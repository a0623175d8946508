# In place of stages 1 to 5 where dataset.source is features_file: spectra and features that were computed elsewhere.


rule structures:
    input:
        lambda wildcards: nothing_is_made_of("structures"),


rule inputs:
    input:
        lambda wildcards: nothing_is_made_of("inputs"),


rule simulations:
    input:
        lambda wildcards: nothing_is_made_of("simulations"),


rule spectra:
    input:
        expand("results/spectra/{subset}.h5", subset=SUBSETS),


rule features:
    input:
        expand("results/features/{featurizer}/{subset}.h5", featurizer=FEATURIZERS, subset=SUBSETS),


rule import_features:
    input:
        lambda wildcards: CONFIG.features_file(wildcards.subset),
    output:
        spectra="results/spectra/{subset}.h5",
        rejected_csv="results/spectra/{subset}_rejected.csv",
        structures="results/structures/{subset}.parquet",
        features=expand("results/features/{featurizer}/{{subset}}.h5", featurizer=FEATURIZERS),
    log:
        "results/logs/import_features/{subset}.log",
    benchmark:
        "results/benchmarks/import_features/{subset}.tsv"
    conda:
        "../envs/xanesflow.yaml"
    threads: 1
    resources:
        mem_mb=more_each_time(4000),
        runtime=more_each_time(30),
    params:
        featurizers=FEATURIZERS,
        energy_start_ev=lambda wildcards: energy_start(wildcards.subset),
    message:
        "Importing features and spectra of {wildcards.subset}"
    script:
        "../workflow_scripts/import_features.py"
