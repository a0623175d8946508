# Stage 7: models that predict spectra from features.


rule models:
    input:
        CAMPAIGN.for_trainings(paths.CHECKPOINT),


rule train_expert:
    input:
        # The dataset is one file for all subsets; a change in another subset must not train this one again.
        dataset=ancient(CAMPAIGN.dataset),
        own=CAMPAIGN.dataset_parts(["{subset}"]),
    output:
        checkpoints=updated(CAMPAIGN.checkpoints("expert", "{features}", "{subset}")),
        history=fill(paths.TRAINING_HISTORY, model="expert", of="{subset}"),
        figure=report(
            fill(paths.LEARNING_CURVE, model="expert", of="{subset}"),
            caption="../report/learning_curve.rst",
            category="Training",
            subcategory="{subset}",
            labels={"model": "expert", "features": "{features}"},
        ),
    log:
        log_of("train_expert", "{features}_{subset}"),
    benchmark:
        benchmark_of("train_expert", "{features}_{subset}")
    conda:
        "../envs/xanesflow.yaml"
    threads: CONFIG.models.threads
    resources:
        mem_mb=more_each_time(6000 if CONFIG.models.kernel_share else 3000),
        runtime=more_each_time(240),
    params:
        seeds=CAMPAIGN.seeds,
        settings=lambda wildcards: CAMPAIGN.training_of(
            "expert", wildcards.subset, wildcards.features
        ),
    message:
        "Training ExpertXAS on {wildcards.features} of {wildcards.subset}, seeds {params.seeds}"
    script:
        "../workflow_scripts/train_expert.py"


rule train_universal:
    input:
        dataset=ancient(CAMPAIGN.dataset),  # as above
        own=lambda wildcards: CAMPAIGN.dataset_parts(CAMPAIGN.subsets_of(theory=wildcards.theory)),
    output:
        checkpoints=updated(CAMPAIGN.checkpoints("universal", "{features}", "{theory}")),
        history=fill(paths.TRAINING_HISTORY, model="universal", of="{theory}"),
        figure=report(
            fill(paths.LEARNING_CURVE, model="universal", of="{theory}"),
            caption="../report/learning_curve.rst",
            category="Training",
            subcategory="{theory}",
            labels={"model": "universal", "features": "{features}"},
        ),
    log:
        log_of("train_universal", "{features}_{theory}"),
    benchmark:
        benchmark_of("train_universal", "{features}_{theory}")
    conda:
        "../envs/xanesflow.yaml"
    threads: CONFIG.models.threads
    resources:
        mem_mb=more_each_time(6000),
        runtime=more_each_time(480),
    params:
        subsets=lambda wildcards: CAMPAIGN.subsets_of(theory=wildcards.theory),
        seeds=CAMPAIGN.seeds,
        settings=lambda wildcards: CAMPAIGN.training_of(
            "universal", wildcards.theory, wildcards.features
        ),
    message:
        "Training UniversalXAS on {wildcards.features} of all {wildcards.theory} subsets, seeds {params.seeds}"
    script:
        "../workflow_scripts/train_universal.py"


rule train_tuned:
    input:
        dataset=ancient(CAMPAIGN.dataset),  # as above
        own=CAMPAIGN.dataset_parts(["{subset}"]),
        universal=lambda wildcards: CAMPAIGN.checkpoints(
            "universal", wildcards.features, CONFIG.models.universal_of(wildcards.subset)
        ),
    output:
        checkpoints=updated(CAMPAIGN.checkpoints("tuned", "{features}", "{subset}")),
        history=fill(paths.TRAINING_HISTORY, model="tuned", of="{subset}"),
        figure=report(
            fill(paths.LEARNING_CURVE, model="tuned", of="{subset}"),
            caption="../report/learning_curve.rst",
            category="Training",
            subcategory="{subset}",
            labels={"model": "tuned", "features": "{features}"},
        ),
    log:
        log_of("train_tuned", "{features}_{subset}"),
    benchmark:
        benchmark_of("train_tuned", "{features}_{subset}")
    conda:
        "../envs/xanesflow.yaml"
    threads: CONFIG.models.threads
    resources:
        mem_mb=more_each_time(6000 if CONFIG.models.kernel_share else 3000),
        runtime=more_each_time(240),
    params:
        seeds=CAMPAIGN.seeds,
        settings=lambda wildcards: CAMPAIGN.training_of(
            "tuned", wildcards.subset, wildcards.features
        ),
    message:
        "Training Tuned-UniversalXAS on {wildcards.features} of {wildcards.subset}, seeds {params.seeds}"
    script:
        "../workflow_scripts/train_tuned.py"


rule train_delta:
    input:
        dataset=ancient(CAMPAIGN.dataset),  # as above
        own=CAMPAIGN.dataset_parts(["{subset}"]),
    output:
        checkpoints=updated(CAMPAIGN.checkpoints("delta", "{features}", "{subset}")),
        curve=fill(paths.DELTA_CURVE, model="delta", of="{subset}"),
        figure=report(
            fill(paths.LEARNING_CURVE, model="delta", of="{subset}"),
            caption="../report/delta_curve.rst",
            category="Training",
            subcategory="{subset}",
            labels={"model": "delta", "features": "{features}"},
        ),
    log:
        log_of("train_delta", "{features}_{subset}"),
    benchmark:
        benchmark_of("train_delta", "{features}_{subset}")
    conda:
        "../envs/xanesflow.yaml"
    threads: CONFIG.models.threads
    resources:
        mem_mb=more_each_time(6000),
        runtime=more_each_time(120),
    params:
        seeds=CAMPAIGN.seeds,
        cheap_features=CAMPAIGN.cheap_features,
    message:
        "Fitting DeltaXAS on {wildcards.features} of {wildcards.subset}, seeds {params.seeds}"
    script:
        "../workflow_scripts/train_delta.py"


rule leave_out_elements:
    input:
        dataset=ancient(CAMPAIGN.dataset),  # as above
        own=rules.train_delta.input.own,
    output:
        table=fill(paths.UNSEEN_ELEMENTS, model="delta", of="{subset}"),
        figure=report(
            fill(paths.UNSEEN_ELEMENTS_FIGURE, model="delta", of="{subset}"),
            caption="../report/unseen_elements.rst",
            category="Training",
            subcategory="{subset}",
            labels={"model": "delta, unseen elements", "features": "{features}"},
        ),
    log:
        log_of("leave_out_elements", "{features}_{subset}"),
    benchmark:
        benchmark_of("leave_out_elements", "{features}_{subset}")
    conda:
        "../envs/xanesflow.yaml"
    threads: CONFIG.models.threads
    resources:
        mem_mb=more_each_time(6000),
        runtime=more_each_time(240),
    params:
        cheap_features=CAMPAIGN.cheap_features,
        seed=min(CAMPAIGN.seeds),
    message:
        "Leaving out one element at a time of {wildcards.subset}, DeltaXAS on {wildcards.features}"
    script:
        "../workflow_scripts/leave_out_elements.py"


rule search:
    input:
        lambda wildcards: expand(
            paths.FOUND_SETTINGS,
            features=CONFIG.features.models,
            searched=or_workflow_error(CAMPAIGN.searched_models),
        ),


rule search_settings:
    input:
        dataset=ancient(CAMPAIGN.dataset),  # as above
        own=lambda wildcards: CAMPAIGN.dataset_parts(CAMPAIGN.searched_subsets(wildcards.searched)),
    output:
        best=paths.FOUND_SETTINGS,
        trials=paths.SEARCH_TRIALS,
        figure=report(
            paths.SEARCH_FIGURE,
            caption="../report/search.rst",
            category="Search for settings",
            labels={"model": "{searched}", "features": "{features}"},
        ),
    log:
        log_of("search_settings", "{features}_{searched}"),
    benchmark:
        benchmark_of("search_settings", "{features}_{searched}")
    conda:
        "../envs/xanesflow.yaml"
    threads: CONFIG.models.threads
    resources:
        mem_mb=more_each_time(6000),
        runtime=more_each_time(1440),
    params:
        # Not an output: Snakemake deletes outputs of a killed job, and the next job continues this study.
        study=paths.SEARCH_STUDY,
        subsets=lambda wildcards: CAMPAIGN.searched_subsets(wildcards.searched),
        settings=lambda wildcards: CAMPAIGN.trial_of(wildcards.searched, wildcards.features),
        search=CONFIG.models.search.model_dump(exclude={"models", "max_epochs"}),
    message:
        "Searching the settings of {wildcards.searched} on {wildcards.features}, {params.search[trials]} trials"
    script:
        "../workflow_scripts/search_settings.py"
