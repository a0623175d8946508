# Beside the way to the report: spectra of structures that nobody simulated.

from xanesflow.config.predict import (
    calibrations_to_predict_with,
    folder_to_predict,
    models_to_predict_with,
    state_to_predict,
)

PREDICTED = "results/prediction/spectra.h5"


rule predict:
    input:
        PREDICTED,


rule predict_structures:
    input:
        # The folder's own time tells little; `state` below tells what changed in it.
        structures=lambda wildcards: ancient(told(folder_to_predict, CONFIG)),
        models=lambda wildcards: told(models_to_predict_with, CONFIG),
        calibrations=lambda wildcards: told(calibrations_to_predict_with, CONFIG),
    output:
        spectra=PREDICTED,
        rejected="results/prediction/spectra_rejected.csv",
    log:
        "results/logs/predict_structures.log",
    benchmark:
        "results/benchmarks/predict_structures.tsv"
    conda:
        "../envs/xanesflow.yaml"
    threads: 2
    resources:
        mem_mb=more_each_time(4000),
        runtime=more_each_time(120),
    params:
        state=lambda wildcards: state_to_predict(CONFIG),
        device=CONFIG.features.device,
        symprec=CONFIG.structures.symprec,
    message:
        "Predicting the spectra of the structures in {input.structures}"
    script:
        "../workflow_scripts/predict_structures.py"
