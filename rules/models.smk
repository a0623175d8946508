# Stage 7: models from features to spectra.

TRAINING = {
    key: getattr(CONFIG.models, key)
    for key in ("dropout", "learning_rate", "max_epochs", "patience", "scaling", "device")
}

TUNED_DROPOUT = (
    CONFIG.models.dropout if CONFIG.models.tuned_dropout is None else CONFIG.models.tuned_dropout
)

TUNED_RATE = CONFIG.models.tuned_learning_rate or CONFIG.models.learning_rate


rule models:
    input:
        results_of_trainings("results/models/{model}_{features}_{of}/seed{seed}.safetensors"),


rule train_expert:
    input:
        # The dataset is one file for all subsets: what changes in another one is no reason to train this one again.
        dataset=ancient(DATASET),
        own=[
            "results/spectra/{subset}.h5",
            "results/dataset/splits/{subset}.csv",
            expand("results/features/{featurizer}/{{subset}}.h5", featurizer=FEATURIZERS),
        ],
    output:
        checkpoint="results/models/expert_{features}_{subset}/seed{seed}.safetensors",
        history="results/models/expert_{features}_{subset}/seed{seed}_history.csv",
        figure=report(
            "results/models/expert_{features}_{subset}/seed{seed}_learning_curve.svg",
            caption="../report/learning_curve.rst",
            category="Training",
            subcategory="{subset}",
            labels={"model": "expert", "features": "{features}", "seed": "{seed}"},
        ),
    log:
        "results/logs/train_expert/{features}_{subset}_seed{seed}.log",
    benchmark:
        "results/benchmarks/train_expert/{features}_{subset}_seed{seed}.tsv"
    conda:
        "../envs/xanesflow.yaml"
    threads: 1
    resources:
        mem_mb=more_each_time(3000),
        runtime=more_each_time(240),
    params:
        **TRAINING,
        widths=lambda wildcards: CONFIG.models.widths.get(wildcards.subset),
        batch_size=lambda wildcards: CONFIG.models.batch_size.get(wildcards.subset),
    message:
        "Training ExpertXAS on {wildcards.features} of {wildcards.subset}, seed {wildcards.seed}"
    script:
        "../workflow_scripts/train_expert.py"


rule train_universal:
    input:
        dataset=ancient(DATASET),  # as above
        own=lambda wildcards: expand(
            [
                "results/spectra/{subset}.h5",
                "results/dataset/splits/{subset}.csv",
                "results/features/{featurizer}/{subset}.h5",
            ],
            subset=subsets_of(wildcards.theory),
            featurizer=FEATURIZERS,
        ),
    output:
        checkpoint="results/models/universal_{features}_{theory}/seed{seed}.safetensors",
        history="results/models/universal_{features}_{theory}/seed{seed}_history.csv",
        figure=report(
            "results/models/universal_{features}_{theory}/seed{seed}_learning_curve.svg",
            caption="../report/learning_curve.rst",
            category="Training",
            subcategory="{theory}",
            labels={"model": "universal", "features": "{features}", "seed": "{seed}"},
        ),
    log:
        "results/logs/train_universal/{features}_{theory}_seed{seed}.log",
    benchmark:
        "results/benchmarks/train_universal/{features}_{theory}_seed{seed}.tsv"
    conda:
        "../envs/xanesflow.yaml"
    threads: 1
    resources:
        mem_mb=more_each_time(6000),
        runtime=more_each_time(480),
    params:
        **TRAINING,
        subsets=lambda wildcards: subsets_of(wildcards.theory),
        widths=CONFIG.models.widths.get("universal"),
        batch_size=CONFIG.models.batch_size.get("universal"),
    message:
        "Training UniversalXAS on {wildcards.features} of all {wildcards.theory} subsets, seed {wildcards.seed}"
    script:
        "../workflow_scripts/train_universal.py"


rule train_tuned:
    input:
        dataset=ancient(DATASET),  # as above
        own=[
            "results/spectra/{subset}.h5",
            "results/dataset/splits/{subset}.csv",
            expand("results/features/{featurizer}/{{subset}}.h5", featurizer=FEATURIZERS),
        ],
        universal=lambda wildcards: "results/models/universal_{}_{}/seed{}.safetensors".format(
            wildcards.features, CONFIG.universal_of(wildcards.subset), wildcards.seed
        ),
    output:
        checkpoint="results/models/tuned_{features}_{subset}/seed{seed}.safetensors",
        history="results/models/tuned_{features}_{subset}/seed{seed}_history.csv",
        figure=report(
            "results/models/tuned_{features}_{subset}/seed{seed}_learning_curve.svg",
            caption="../report/learning_curve.rst",
            category="Training",
            subcategory="{subset}",
            labels={"model": "tuned", "features": "{features}", "seed": "{seed}"},
        ),
    log:
        "results/logs/train_tuned/{features}_{subset}_seed{seed}.log",
    benchmark:
        "results/benchmarks/train_tuned/{features}_{subset}_seed{seed}.tsv"
    conda:
        "../envs/xanesflow.yaml"
    threads: 1
    resources:
        mem_mb=more_each_time(3000),
        runtime=more_each_time(240),
    params:
        **{**TRAINING, "dropout": TUNED_DROPOUT, "learning_rate": TUNED_RATE},
        keep_statistics=CONFIG.models.tuned_statistics == "universal",
        batch_size=lambda wildcards: CONFIG.models.batch_size.get(wildcards.subset),
    message:
        "Training Tuned-UniversalXAS on {wildcards.features} of {wildcards.subset}, seed {wildcards.seed}"
    script:
        "../workflow_scripts/train_tuned.py"
