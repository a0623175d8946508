# Not a stage on the way to the report: predicts spectra of structures that nobody simulated.

from xanesflow.config.predict_with import (
    calibrations_to_predict_with,
    folder_to_predict,
    models_to_predict_with,
)


rule predict:
    input:
        paths.PREDICTED_SPECTRA,


rule predict_structures:
    input:
        # The folder's own time says little about its files; `state` below changes with them.
        structures=lambda wildcards: ancient(or_workflow_error(folder_to_predict, CAMPAIGN)),
        models=lambda wildcards: or_workflow_error(models_to_predict_with, CAMPAIGN),
        calibrations=lambda wildcards: or_workflow_error(calibrations_to_predict_with, CAMPAIGN),
    output:
        spectra=paths.PREDICTED_SPECTRA,
        rejected=paths.UNPREDICTED_STRUCTURES,
    log:
        log_of("predict_structures"),
    benchmark:
        benchmark_of("predict_structures")
    conda:
        "../envs/xanesflow.yaml"
    threads: 2
    resources:
        mem_mb=more_each_time(4000),
        runtime=more_each_time(120),
    params:
        state=lambda wildcards: state_of_source("directory", CONFIG.predict.structures),
        device=CONFIG.features.device,
        symprec=CONFIG.structures.symprec,
        disorder=CAMPAIGN.disorder,
    message:
        "Predicting the spectra of the structures in {input.structures}"
    script:
        "../workflow_scripts/predict_structures.py"
