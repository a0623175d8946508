# Stage 8: measures how good the models are.


rule evaluation:
    input:
        paths.METRICS,
        paths.CALIBRATION_TABLE,
        paths.INTERVALS,
        paths.SIGNIFICANCE,


rule calibrate_model:
    input:
        dataset=CAMPAIGN.dataset,
        checkpoints=checkpoints_of,
    output:
        paths.CALIBRATION,
    log:
        log_of("calibrate_model", "{model}_{features}_{subset}"),
    benchmark:
        benchmark_of("calibrate_model", "{model}_{features}_{subset}")
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
        dataset=CAMPAIGN.dataset,
        calibration=paths.CALIBRATION,
        checkpoints=checkpoints_of,
    output:
        paths.PREDICTIONS,
    log:
        log_of("predict_spectra", "{model}_{features}_{subset}"),
    benchmark:
        benchmark_of("predict_spectra", "{model}_{features}_{subset}")
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


rule predict_simple_models:
    input:
        dataset=ancient(CAMPAIGN.dataset),  # one file for all subsets, so only the parts of this one count:
        own=CAMPAIGN.dataset_parts(["{subset}"]),
    output:
        fill(paths.PREDICTIONS, model="{simple_model}"),
    log:
        log_of("predict_simple_models", "{simple_model}_{features}_{subset}"),
    benchmark:
        benchmark_of("predict_simple_models", "{simple_model}_{features}_{subset}")
    conda:
        "../envs/xanesflow.yaml"
    threads: 1
    resources:
        mem_mb=more_each_time(3000),
        runtime=more_each_time(60),
    params:
        part=CONFIG.evaluation.part,
    message:
        "Predicting the {params.part} spectra of {wildcards.subset} by {wildcards.simple_model} on {wildcards.features}"
    script:
        "../workflow_scripts/predict_simple_models.py"


rule evaluate_models:
    input:
        CAMPAIGN.for_models(paths.PREDICTIONS),
        CAMPAIGN.for_simple_models(paths.PREDICTIONS),
    output:
        metrics=paths.METRICS,
        calibration=paths.CALIBRATION_TABLE,
        intervals=paths.INTERVALS,
        significance=paths.SIGNIFICANCE,
    log:
        log_of("evaluate_models"),
    benchmark:
        benchmark_of("evaluate_models")
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
