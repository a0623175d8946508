# Stage 7: models from features to spectra.


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
        checkpoints=checkpoints_of("expert_{features}_{subset}"),
        history="results/models/expert_{features}_{subset}/history.csv",
        figure=report(
            "results/models/expert_{features}_{subset}/learning_curve.svg",
            caption="../report/learning_curve.rst",
            category="Training",
            subcategory="{subset}",
            labels={"model": "expert", "features": "{features}"},
        ),
    log:
        "results/logs/train_expert/{features}_{subset}.log",
    benchmark:
        "results/benchmarks/train_expert/{features}_{subset}.tsv"
    conda:
        "../envs/xanesflow.yaml"
    threads: CONFIG.models.threads
    resources:
        mem_mb=more_each_time(3000),
        runtime=more_each_time(240),
    params:
        seeds=CONFIG.models.seeds,
        settings=lambda wildcards: CONFIG.training_of("expert", wildcards.subset),
    message:
        "Training ExpertXAS on {wildcards.features} of {wildcards.subset}, seeds {params.seeds}"
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
        checkpoints=checkpoints_of("universal_{features}_{theory}"),
        history="results/models/universal_{features}_{theory}/history.csv",
        figure=report(
            "results/models/universal_{features}_{theory}/learning_curve.svg",
            caption="../report/learning_curve.rst",
            category="Training",
            subcategory="{theory}",
            labels={"model": "universal", "features": "{features}"},
        ),
    log:
        "results/logs/train_universal/{features}_{theory}.log",
    benchmark:
        "results/benchmarks/train_universal/{features}_{theory}.tsv"
    conda:
        "../envs/xanesflow.yaml"
    threads: CONFIG.models.threads
    resources:
        mem_mb=more_each_time(6000),
        runtime=more_each_time(480),
    params:
        subsets=lambda wildcards: subsets_of(wildcards.theory),
        seeds=CONFIG.models.seeds,
        settings=lambda wildcards: CONFIG.training_of("universal", wildcards.theory),
    message:
        "Training UniversalXAS on {wildcards.features} of all {wildcards.theory} subsets, seeds {params.seeds}"
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
        universal=lambda wildcards: expand(
            "results/models/universal_{features}_{theory}/seed{seed}.safetensors",
            features=wildcards.features,
            theory=CONFIG.universal_of(wildcards.subset),
            seed=CONFIG.models.seeds,
        ),
    output:
        checkpoints=checkpoints_of("tuned_{features}_{subset}"),
        history="results/models/tuned_{features}_{subset}/history.csv",
        figure=report(
            "results/models/tuned_{features}_{subset}/learning_curve.svg",
            caption="../report/learning_curve.rst",
            category="Training",
            subcategory="{subset}",
            labels={"model": "tuned", "features": "{features}"},
        ),
    log:
        "results/logs/train_tuned/{features}_{subset}.log",
    benchmark:
        "results/benchmarks/train_tuned/{features}_{subset}.tsv"
    conda:
        "../envs/xanesflow.yaml"
    threads: CONFIG.models.threads
    resources:
        mem_mb=more_each_time(3000),
        runtime=more_each_time(240),
    params:
        seeds=CONFIG.models.seeds,
        settings=lambda wildcards: CONFIG.training_of("tuned", wildcards.subset),
    message:
        "Training Tuned-UniversalXAS on {wildcards.features} of {wildcards.subset}, seeds {params.seeds}"
    script:
        "../workflow_scripts/train_tuned.py"
