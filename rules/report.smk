# What people look at. The target `report`, the default, stands in the Snakefile.
from xanesflow.core.sites import pairs_of_theories

MODEL_SUBSET = "{model}_{features}_{subset}"
MAPPED = list(dict.fromkeys([*CONFIG.features.models, *(features for _, features in MODELS)]))
PAIRS = pairs_of_theories(SUBSETS)


rule draw_curation:
    input:
        "results/spectra/{subset}.h5",
    output:
        kept=report(
            "results/report/figures/curation_{subset}.svg",
            caption="../report/curation.rst",
            category="Curation",
            labels={"subset": "{subset}", "figure": "kept and left out"},
        ),
        examples=report(
            "results/report/figures/left_out_{subset}.svg",
            caption="../report/left_out.rst",
            category="Curation",
            labels={"subset": "{subset}", "figure": "examples of what was left out"},
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
        heatmap=report(
            "results/report/figures/heatmap_{model}_{features}_{subset}.svg",
            caption="../report/heatmap.rst",
            category="Evaluation",
            subcategory="{subset}",
            labels={"figure": "heatmap", "model": "{model}", "features": "{features}"},
        ),
    log:
        "results/logs/draw_evaluation/{model}_{features}_{subset}.log",
    benchmark:
        "results/benchmarks/draw_evaluation/{model}_{features}_{subset}.tsv"
    wildcard_constraints:
        model=r"expert|universal|tuned|delta|linear|trees",
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


rule draw_comparison:
    input:
        metrics="results/evaluation/metrics.csv",
        intervals="results/evaluation/intervals.csv",
    output:
        report(
            "results/report/figures/comparison.svg",
            caption="../report/comparison.rst",
            category="Evaluation",
            labels={"figure": "comparison"},
        ),
    log:
        "results/logs/draw_comparison.log",
    benchmark:
        "results/benchmarks/draw_comparison.tsv"
    conda:
        "../envs/xanesflow.yaml"
    threads: 1
    resources:
        mem_mb=more_each_time(1000),
        runtime=more_each_time(10),
    message:
        "Drawing all models side by side"
    script:
        "../workflow_scripts/draw_comparison.py"


rule draw_theories:
    input:
        DATASET,
    output:
        table="results/report/theories_{one}-{other}.csv",
        figure=report(
            "results/report/figures/theories_{one}-{other}.svg",
            caption="../report/theories.rst",
            category="Levels of theory",
            labels={"subsets": "{one}, {other}"},
        ),
    log:
        "results/logs/draw_theories/{one}-{other}.log",
    benchmark:
        "results/benchmarks/draw_theories/{one}-{other}.tsv"
    wildcard_constraints:
        one="|".join(SUBSETS),
        other="|".join(SUBSETS),
    conda:
        "../envs/xanesflow.yaml"
    threads: 1
    resources:
        mem_mb=more_each_time(2000),
        runtime=more_each_time(30),
    message:
        "Comparing the spectra of {wildcards.one} and {wildcards.other} site by site"
    script:
        "../workflow_scripts/draw_theories.py"


rule draw_uncertainty:
    input:
        "results/evaluation/predictions/{model}_{features}_{subset}.h5",
    output:
        reliability=report(
            "results/report/figures/reliability_{model}_{features}_{subset}.svg",
            caption="../report/reliability.rst",
            category="Error bars",
            subcategory="{subset}",
            labels={"figure": "reliability", "model": "{model}", "features": "{features}"},
        ),
        sparsification=report(
            "results/report/figures/sparsification_{model}_{features}_{subset}.svg",
            caption="../report/sparsification.rst",
            category="Error bars",
            subcategory="{subset}",
            labels={"figure": "sparsification", "model": "{model}", "features": "{features}"},
        ),
        bands=report(
            "results/report/figures/bands_{model}_{features}_{subset}.svg",
            caption="../report/bands.rst",
            category="Error bars",
            subcategory="{subset}",
            labels={"figure": "bands", "model": "{model}", "features": "{features}"},
        ),
    log:
        "results/logs/draw_uncertainty/{model}_{features}_{subset}.log",
    benchmark:
        "results/benchmarks/draw_uncertainty/{model}_{features}_{subset}.tsv"
    conda:
        "../envs/xanesflow.yaml"
    threads: 1
    resources:
        mem_mb=more_each_time(1000),
        runtime=more_each_time(10),
    message:
        "Drawing the error bars of {wildcards.model} on {wildcards.features} of {wildcards.subset}"
    script:
        "../workflow_scripts/draw_uncertainty.py"


rule describe_sites:
    input:
        DATASET,
    output:
        "results/report/chemistry.parquet",
    log:
        "results/logs/describe_sites.log",
    benchmark:
        "results/benchmarks/describe_sites.tsv"
    conda:
        "../envs/xanesflow.yaml"
    threads: 2
    resources:
        mem_mb=more_each_time(2000),
        runtime=more_each_time(240),
    params:
        kept="results/report/chemistry_kept.jsonl",
    message:
        "Finding oxidation states and neighbours of all sites"
    script:
        "../workflow_scripts/describe_sites.py"


rule map_features:
    input:
        DATASET,
    output:
        "results/report/map_{features}.parquet",
    log:
        "results/logs/map_features/{features}.log",
    benchmark:
        "results/benchmarks/map_features/{features}.tsv"
    conda:
        "../envs/xanesflow.yaml"
    threads: 2
    resources:
        mem_mb=more_each_time(3000),
        runtime=more_each_time(60),
    message:
        "Placing all sites by {wildcards.features}"
    script:
        "../workflow_scripts/map_features.py"


rule draw_map:
    input:
        map="results/report/map_{features}.parquet",
        chemistry="results/report/chemistry.parquet",
    output:
        [
            report(
                f"results/report/figures/map_{{features}}_{subset}.svg",
                caption="../report/map.rst",
                category="Sites by their features",
                labels={"subset": subset, "features": "{features}"},
            )
            for subset in SUBSETS
        ],
    log:
        "results/logs/draw_map/{features}.log",
    benchmark:
        "results/benchmarks/draw_map/{features}.tsv"
    conda:
        "../envs/xanesflow.yaml"
    threads: 1
    resources:
        mem_mb=more_each_time(2000),
        runtime=more_each_time(10),
    params:
        subsets=SUBSETS,
    message:
        "Drawing the maps of {wildcards.features}"
    script:
        "../workflow_scripts/draw_map.py"


rule make_report:
    input:
        dataset=DATASET,
        metrics="results/evaluation/metrics.csv",
        calibration="results/evaluation/calibration.csv",
        intervals="results/evaluation/intervals.csv",
        significance="results/evaluation/significance.csv",
        curation=expand("results/report/figures/curation_{subset}.svg", subset=SUBSETS),
        left_out=expand("results/report/figures/left_out_{subset}.svg", subset=SUBSETS),
        unmatched=expand("results/dataset/splits/{subset}_unmatched.csv", subset=SUBSETS),
        # One model on one kind of features has nothing to stand beside, unless it is the paper's.
        comparison=(
            ["results/report/figures/comparison.svg"]
            if len(results_of_all(MODEL_SUBSET)) > len(SUBSETS) or has_paper_value()
            else []
        ),
        theories=[f"results/report/theories_{one}-{other}.csv" for one, other in PAIRS],
        theory_figures=[
            f"results/report/figures/theories_{one}-{other}.svg" for one, other in PAIRS
        ],
        errors=results_of_all(f"results/report/figures/errors_{MODEL_SUBSET}.svg"),
        spectra=results_of_all(f"results/report/figures/spectra_{MODEL_SUBSET}.svg"),
        energies=results_of_all(f"results/report/figures/energies_{MODEL_SUBSET}.svg"),
        heatmap=results_of_all(f"results/report/figures/heatmap_{MODEL_SUBSET}.svg"),
        reliability=results_of_models(f"results/report/figures/reliability_{MODEL_SUBSET}.svg"),
        sparsification=results_of_models(
            f"results/report/figures/sparsification_{MODEL_SUBSET}.svg"
        ),
        bands=results_of_models(f"results/report/figures/bands_{MODEL_SUBSET}.svg"),
        curves=results_of_trainings("results/models/{model}_{features}_{of}/learning_curve.svg"),
        unseen=results_of_trainings(
            "results/models/{model}_{features}_{of}/unseen_elements.svg", kind="delta"
        ),
        predictions=results_of_all(f"results/evaluation/predictions/{MODEL_SUBSET}.h5"),
        chemistry="results/report/chemistry.parquet",
        maps=expand("results/report/map_{features}.parquet", features=MAPPED),
        map_figures=expand(
            "results/report/figures/map_{features}_{subset}.svg",
            features=MAPPED,
            subset=SUBSETS,
        ),
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
        features=MAPPED,
        maps=expand("{subset} by {features}", features=MAPPED, subset=SUBSETS),
        pairs=PAIRS,
        with_baselines=[*SUBSETS, *BASELINES.values()],
        models=results_of_models("{model} on {features}, {subset}"),
        baselines=results_of_baselines("{model} on {features}, {subset}"),
        trainings=results_of_trainings("{model} on {features}, {of}"),
        deltas=results_of_trainings("{model} on {features}, {of}", kind="delta"),
        benchmarks="results/benchmarks",
        simulated=not CONFIG.from_files,
    message:
        "Writing the report {output}"
    script:
        "../workflow_scripts/make_report.py"
