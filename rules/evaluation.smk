# Stage 8: how good the models are.


rule evaluation:
    input:
        "results/evaluation/metrics.csv",
        "results/evaluation/calibration.csv",
        "results/evaluation/intervals.csv",
        "results/evaluation/significance.csv",


rule calibrate_model:
    input:
        dataset=DATASET,
        checkpoints=members_of,
    output:
        "results/evaluation/calibration/{model}_{features}_{subset}.h5",
    log:
        "results/logs/calibrate_model/{model}_{features}_{subset}.log",
    benchmark:
        "results/benchmarks/calibrate_model/{model}_{features}_{subset}.tsv"
    conda:
        "../envs/xanesflow.yaml"
    threads: 1
    resources:
        mem_mb=more_each_time(3000),
        runtime=more_each_time(30),
    message:
        "Calibrating the error bars of {wildcards.model} on {wildcards.features} for {wildcards.subset}"
    script:
        "../workflow_scripts/calibrate_model.py"


rule predict_spectra:
    input:
        dataset=DATASET,
        calibration="results/evaluation/calibration/{model}_{features}_{subset}.h5",
        checkpoints=members_of,
    output:
        "results/evaluation/predictions/{model}_{features}_{subset}.h5",
    log:
        "results/logs/predict_spectra/{model}_{features}_{subset}.log",
    benchmark:
        "results/benchmarks/predict_spectra/{model}_{features}_{subset}.tsv"
    conda:
        "../envs/xanesflow.yaml"
    threads: 1
    resources:
        mem_mb=more_each_time(3000),
        runtime=more_each_time(30),
    params:
        part=CONFIG.evaluation.part,
    message:
        "Predicting the {params.part} spectra of {wildcards.subset} by {wildcards.model} on {wildcards.features}"
    script:
        "../workflow_scripts/predict_spectra.py"


rule predict_baseline:
    input:
        dataset=ancient(DATASET),  # one file for all subsets; of this one it holds:
        own=[
            "results/spectra/{subset}.h5",
            "results/dataset/splits/{subset}.csv",
            expand("results/features/{featurizer}/{{subset}}.h5", featurizer=FEATURIZERS),
        ],
    output:
        "results/evaluation/predictions/{baseline}_{features}_{subset}.h5",
    log:
        "results/logs/predict_baseline/{baseline}_{features}_{subset}.log",
    benchmark:
        "results/benchmarks/predict_baseline/{baseline}_{features}_{subset}.tsv"
    conda:
        "../envs/xanesflow.yaml"
    threads: 1
    resources:
        mem_mb=more_each_time(3000),
        runtime=more_each_time(60),
    params:
        part=CONFIG.evaluation.part,
    message:
        "Predicting the {params.part} spectra of {wildcards.subset} by {wildcards.baseline} on {wildcards.features}"
    script:
        "../workflow_scripts/predict_baseline.py"


rule evaluate_models:
    input:
        results_of_models("results/evaluation/predictions/{model}_{features}_{subset}.h5"),
        results_of_baselines("results/evaluation/predictions/{model}_{features}_{subset}.h5"),
    output:
        metrics="results/evaluation/metrics.csv",
        calibration="results/evaluation/calibration.csv",
        intervals="results/evaluation/intervals.csv",
        significance="results/evaluation/significance.csv",
    log:
        "results/logs/evaluate_models.log",
    benchmark:
        "results/benchmarks/evaluate_models.tsv"
    conda:
        "../envs/xanesflow.yaml"
    threads: 1
    resources:
        mem_mb=more_each_time(3000),
        runtime=more_each_time(30),
    message:
        "Evaluating all models"
    script:
        "../workflow_scripts/evaluate_models.py"
