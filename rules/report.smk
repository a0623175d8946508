# What people look at. The target `report`, the default, stands in the Snakefile.

MODEL_SUBSET = "{model}_{features}_{subset}"


rule draw_curation:
    input:
        "results/spectra/{subset}.h5",
    output:
        report(
            "results/report/figures/curation_{subset}.svg",
            caption="../report/curation.rst",
            category="Curation",
            labels={"subset": "{subset}"},
        ),
    log:
        "results/logs/draw_curation/{subset}.log",
    benchmark:
        "results/benchmarks/draw_curation/{subset}.tsv"
    conda:
        "../envs/xanesflow.yaml"
    threads: 1
    resources:
        mem_mb=more_each_time(1000),
        runtime=more_each_time(10),
    message:
        "Drawing what curation kept of {wildcards.subset}"
    script:
        "../workflow_scripts/draw_curation.py"


rule draw_evaluation:
    input:
        "results/evaluation/predictions/{model}_{features}_{subset}.h5",
    output:
        errors=report(
            "results/report/figures/errors_{model}_{features}_{subset}.svg",
            caption="../report/errors.rst",
            category="Evaluation",
            subcategory="{subset}",
            labels={"figure": "errors", "model": "{model}", "features": "{features}"},
        ),
        spectra=report(
            "results/report/figures/spectra_{model}_{features}_{subset}.svg",
            caption="../report/spectra.rst",
            category="Evaluation",
            subcategory="{subset}",
            labels={"figure": "spectra", "model": "{model}", "features": "{features}"},
        ),
        energies=report(
            "results/report/figures/energies_{model}_{features}_{subset}.svg",
            caption="../report/energies.rst",
            category="Evaluation",
            subcategory="{subset}",
            labels={"figure": "energies", "model": "{model}", "features": "{features}"},
        ),
    log:
        "results/logs/draw_evaluation/{model}_{features}_{subset}.log",
    benchmark:
        "results/benchmarks/draw_evaluation/{model}_{features}_{subset}.tsv"
    conda:
        "../envs/xanesflow.yaml"
    threads: 1
    resources:
        mem_mb=more_each_time(1000),
        runtime=more_each_time(10),
    message:
        "Drawing the errors of {wildcards.model} on {wildcards.features} of {wildcards.subset}"
    script:
        "../workflow_scripts/draw_evaluation.py"


rule make_report:
    input:
        dataset=DATASET,
        metrics="results/evaluation/metrics.csv",
        curation=expand("results/report/figures/curation_{subset}.svg", subset=SUBSETS),
        unmatched=expand("results/dataset/splits/{subset}_unmatched.csv", subset=SUBSETS),
        errors=results_of_models(f"results/report/figures/errors_{MODEL_SUBSET}.svg"),
        spectra=results_of_models(f"results/report/figures/spectra_{MODEL_SUBSET}.svg"),
        energies=results_of_models(f"results/report/figures/energies_{MODEL_SUBSET}.svg"),
        curves=results_of_trainings("results/models/{model}_{features}_{of}/learning_curve.svg"),
    output:
        report(
            "results/report/report.html",
            caption="../report/report.rst",
            category="The whole report",
        ),
    log:
        "results/logs/make_report.log",
    benchmark:
        "results/benchmarks/make_report.tsv"
    conda:
        "../envs/xanesflow.yaml"
    threads: 1
    resources:
        mem_mb=more_each_time(2000),
        runtime=more_each_time(10),
    params:
        subsets=SUBSETS,
        models=results_of_models("{model} on {features}, {subset}"),
        trainings=results_of_trainings("{model} on {features}, {of}"),
        benchmarks="results/benchmarks",
    message:
        "Writing the report {output}"
    script:
        "../workflow_scripts/make_report.py"
