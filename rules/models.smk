# Stage 7: models from features to spectra.


rule models:
    input:
        [
            results_of_models(
                f"results/models/{{model}}_{{features}}_{{subset}}/seed{seed}.safetensors"
            )
            for seed in CONFIG.models.seeds
        ],


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
            labels={"features": "{features}", "seed": "{seed}"},
        ),
    log:
        "results/logs/train_expert/{features}_{subset}_seed{seed}.log",
    benchmark:
        "results/benchmarks/train_expert/{features}_{subset}_seed{seed}.tsv"
    conda:
        "../envs/xanesflow.yaml"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=240,
    params:
        widths=lambda wildcards: CONFIG.models.widths.get(wildcards.subset),
        batch_size=lambda wildcards: CONFIG.models.batch_size.get(wildcards.subset),
        dropout=CONFIG.models.dropout,
        learning_rate=CONFIG.models.learning_rate,
        max_epochs=CONFIG.models.max_epochs,
        patience=CONFIG.models.patience,
        scaling=CONFIG.models.scaling,
        device=CONFIG.models.device,
    message:
        "Training ExpertXAS on {wildcards.features} of {wildcards.subset}, seed {wildcards.seed}"
    script:
        "../workflow_scripts/train_expert.py"
