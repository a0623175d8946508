# Replaces stages 1 to 5 where dataset.source is features_file: takes spectra and features computed elsewhere.


rule structures:
    input:
        lambda wildcards: refuse_stage("structures"),


rule inputs:
    input:
        lambda wildcards: refuse_stage("inputs"),


rule simulations:
    input:
        lambda wildcards: refuse_stage("simulations"),


rule convergence:
    input:
        lambda wildcards: refuse_stage("convergence study"),


rule spectra:
    input:
        expand(paths.SPECTRA, subset=SUBSETS),


rule features:
    input:
        expand(paths.FEATURES, featurizer=CAMPAIGN.featurizers, subset=SUBSETS),


rule import_features:
    input:
        lambda wildcards: CAMPAIGN.features_file(wildcards.subset),
    output:
        spectra=paths.SPECTRA,
        rejected_csv=paths.REJECTED_SPECTRA,
        structures=paths.STRUCTURES,
        features=[fill(paths.FEATURES, featurizer=name) for name in CAMPAIGN.featurizers],
    log:
        log_of("import_features", "{subset}"),
    benchmark:
        benchmark_of("import_features", "{subset}")
    conda:
        "../envs/xanesflow.yaml"
    threads: 1
    resources:
        mem_mb=more_each_time(4000),
        runtime=more_each_time(30),
    params:
        featurizers=CAMPAIGN.featurizers,
        energy_start_ev=lambda wildcards: CAMPAIGN.energy_start(wildcards.subset),
    message:
        "Importing features and spectra of {wildcards.subset}"
    script:
        "../workflow_scripts/import_features.py"
