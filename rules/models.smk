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
        mem_mb=more_each_time(6000 if CONFIG.models.kernel_share else 3000),
        runtime=more_each_time(240),
    params:
        seeds=CONFIG.models.seeds,
        settings=lambda wildcards: CONFIG.training_of(
            "expert", wildcards.subset, wildcards.features
        ),
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
        settings=lambda wildcards: CONFIG.training_of(
            "universal", wildcards.theory, wildcards.features
        ),
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
        mem_mb=more_each_time(6000 if CONFIG.models.kernel_share else 3000),
        runtime=more_each_time(240),
    params:
        seeds=CONFIG.models.seeds,
        settings=lambda wildcards: CONFIG.training_of("tuned", wildcards.subset, wildcards.features),
    message:
        "Training Tuned-UniversalXAS on {wildcards.features} of {wildcards.subset}, seeds {params.seeds}"
    script:
        "../workflow_scripts/train_tuned.py"


rule train_delta:
    input:
        dataset=ancient(DATASET),  # as above
        own=[
            "results/spectra/{subset}.h5",
            "results/dataset/splits/{subset}.csv",
            expand("results/features/{featurizer}/{{subset}}.h5", featurizer=FEATURIZERS),
        ],
    output:
        checkpoints=checkpoints_of("delta_{features}_{subset}"),
        curve="results/models/delta_{features}_{subset}/learning_curve.csv",
        figure=report(
            "results/models/delta_{features}_{subset}/learning_curve.svg",
            caption="../report/delta_curve.rst",
            category="Training",
            subcategory="{subset}",
            labels={"model": "delta", "features": "{features}"},
        ),
    log:
        "results/logs/train_delta/{features}_{subset}.log",
    benchmark:
        "results/benchmarks/train_delta/{features}_{subset}.tsv"
    conda:
        "../envs/xanesflow.yaml"
    threads: CONFIG.models.threads
    resources:
        mem_mb=more_each_time(6000),
        runtime=more_each_time(120),
    params:
        seeds=CONFIG.models.seeds,
        baseline=baseline_features(CONFIG),
    message:
        "Fitting DeltaXAS on {wildcards.features} of {wildcards.subset}, seeds {params.seeds}"
    script:
        "../workflow_scripts/train_delta.py"


rule leave_out_elements:
    input:
        dataset=ancient(DATASET),  # as above
        own=rules.train_delta.input.own,
    output:
        table="results/models/delta_{features}_{subset}/unseen_elements.csv",
        figure=report(
            "results/models/delta_{features}_{subset}/unseen_elements.svg",
            caption="../report/unseen_elements.rst",
            category="Training",
            subcategory="{subset}",
            labels={"model": "delta, unseen elements", "features": "{features}"},
        ),
    log:
        "results/logs/leave_out_elements/{features}_{subset}.log",
    benchmark:
        "results/benchmarks/leave_out_elements/{features}_{subset}.tsv"
    conda:
        "../envs/xanesflow.yaml"
    threads: CONFIG.models.threads
    resources:
        mem_mb=more_each_time(6000),
        runtime=more_each_time(240),
    params:
        baseline=baseline_features(CONFIG),
        seed=min(CONFIG.models.seeds),
    message:
        "Leaving out one element at a time of {wildcards.subset}, DeltaXAS on {wildcards.features}"
    script:
        "../workflow_scripts/leave_out_elements.py"


rule search:
    input:
        expand(
            "results/models/search/{features}_{searched}.yaml",
            features=CONFIG.features.models,
            searched=CONFIG.searched_models(),
        ),


rule search_settings:
    input:
        dataset=ancient(DATASET),  # as above
        own=lambda wildcards: expand(
            [
                "results/spectra/{subset}.h5",
                "results/dataset/splits/{subset}.csv",
                "results/features/{featurizer}/{subset}.h5",
            ],
            subset=CONFIG.searched_subsets(wildcards.searched),
            featurizer=FEATURIZERS,
        ),
    output:
        best="results/models/search/{features}_{searched}.yaml",
        trials="results/models/search/{features}_{searched}_trials.csv",
        figure=report(
            "results/models/search/{features}_{searched}.svg",
            caption="../report/search.rst",
            category="Search for settings",
            labels={"model": "{searched}", "features": "{features}"},
        ),
    log:
        "results/logs/search_settings/{features}_{searched}.log",
    benchmark:
        "results/benchmarks/search_settings/{features}_{searched}.tsv"
    conda:
        "../envs/xanesflow.yaml"
    threads: CONFIG.models.threads
    resources:
        mem_mb=more_each_time(6000),
        runtime=more_each_time(1440),
    params:
        # Not an output, so that it is there for the next job when this one is killed.
        study="results/models/search/{features}_{searched}/study.journal",
        subsets=lambda wildcards: CONFIG.searched_subsets(wildcards.searched),
        settings=lambda wildcards: CONFIG.trial_of(wildcards.searched, wildcards.features),
        search=CONFIG.models.search.model_dump(exclude={"models", "max_epochs"}),
    message:
        "Searching the settings of {wildcards.searched} on {wildcards.features}, {params.search[trials]} trials"
    script:
        "../workflow_scripts/search_settings.py"
