# Beside the way to the report: spectra of structures that nobody simulated.

PREDICTED = "results/prediction/spectra.h5"


def folder_to_predict():
    """The user's folder of structures to predict."""
    folder = CONFIG.predict.structures
    if folder is None:
        raise WorkflowError("predict.structures is not set; name a folder of structure files.")
    try:
        check_directory(folder, "predict.structures")
    except XanesflowError as error:
        raise WorkflowError(str(error)) from None
    return folder


def own_models():
    """Kind and features of the campaign's best model of each subset, as far as kinds tell."""
    kind = next(kind for kind in ("tuned", "expert", "universal") if kind in CONFIG.models.kinds)
    return kind, CONFIG.features.models[0]


def models_to_predict_with():
    """Checkpoints of the campaign's own models, or what the configuration names."""
    if CONFIG.predict.models is not None:
        return CONFIG.predict.models
    kind, features = own_models()
    folders = [f"results/models/{kind}_{features}_{trained_on(kind, name)}" for name in SUBSETS]
    return [
        f"{folder}/seed{seed}.safetensors"
        for folder in dict.fromkeys(folders)
        for seed in CONFIG.models.seeds
    ]


def calibrations_to_predict_with():
    """Error bars of the campaign's own models, which lie where they are looked for; others bring theirs along."""
    if CONFIG.predict.models is not None:
        return []
    kind, features = own_models()
    return [f"results/evaluation/calibration/{kind}_{features}_{name}.h5" for name in SUBSETS]


def state_to_predict():
    """What tells that the folder of structures to predict has changed."""
    from xanesflow.structures.listing import directory_state

    return directory_state(CONFIG.predict.structures) if CONFIG.predict.structures else ""


rule predict:
    input:
        PREDICTED,


rule predict_structures:
    input:
        # The folder's own time tells little; `state` below tells what changed in it.
        structures=lambda wildcards: ancient(folder_to_predict()),
        models=lambda wildcards: models_to_predict_with(),
        calibrations=lambda wildcards: calibrations_to_predict_with(),
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
        state=lambda wildcards: state_to_predict(),
        device=CONFIG.features.device,
        symprec=CONFIG.structures.symprec,
    message:
        "Predicting the spectra of the structures in {input.structures}"
    script:
        "../workflow_scripts/predict_structures.py"
