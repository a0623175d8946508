# Figures and the report page. The target `report`, the default, stands in the Snakefile.
from xanesflow.config.preflight import elements_with_codes
from xanesflow.evaluation.table_one import has_paper_value


rule draw_curation:
    input:
        spectra=paths.SPECTRA,
        structures=[] if CONFIG.dataset.from_files else [paths.STRUCTURES],
    output:
        named=report(
            fill(paths.SUBSET_FIGURE, figure="named"),
            caption="../report/named.rst",
            category="Curation",
            labels={"subset": "{subset}", "figure": "few spectra by name"},
        ),
        kept=report(
            fill(paths.SUBSET_FIGURE, figure="curation"),
            caption="../report/curation.rst",
            category="Curation",
            labels={"subset": "{subset}", "figure": "kept and left out"},
        ),
        examples=report(
            fill(paths.SUBSET_FIGURE, figure="left_out"),
            caption="../report/left_out.rst",
            category="Curation",
            labels={"subset": "{subset}", "figure": "examples of what was left out"},
        ),
    log:
        log_of("draw_curation", "{subset}"),
    benchmark:
        benchmark_of("draw_curation", "{subset}")
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


rule draw_disordered:
    input:
        spectra=paths.SPECTRA,
        sites=paths.SITES,
    output:
        report(
            fill(paths.SUBSET_FIGURE, figure="disordered"),
            caption="../report/disordered.rst",
            category="Disordered crystals",
            labels={"subset": "{subset}"},
        ),
    log:
        log_of("draw_disordered", "{subset}"),
    benchmark:
        benchmark_of("draw_disordered", "{subset}")
    conda:
        "../envs/xanesflow.yaml"
    threads: 1
    resources:
        mem_mb=more_each_time(1000),
        runtime=more_each_time(10),
    message:
        "Drawing the disordered crystals of {wildcards.subset}"
    script:
        "../workflow_scripts/draw_disordered.py"


rule draw_evaluation:
    input:
        paths.PREDICTIONS,
    output:
        errors=model_figure("errors", "Evaluation"),
        spectra=model_figure("spectra", "Evaluation"),
        energies=model_figure("energies", "Evaluation"),
        heatmap=model_figure("heatmap", "Evaluation"),
    log:
        log_of("draw_evaluation", "{model}_{features}_{subset}"),
    benchmark:
        benchmark_of("draw_evaluation", "{model}_{features}_{subset}")
    wildcard_constraints:
        model="|".join([*KINDS, *SIMPLE_MODELS]),
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


rule draw_together:
    input:
        lambda wildcards: [
            fill(
                paths.PREDICTIONS, model=wildcards.model, features=wildcards.features, subset=name
            )
            for name in SUBSETS
        ],
    output:
        spectra=report(
            fill(paths.TOGETHER_FIGURE, figure="spectra"),
            caption="../report/together.rst",
            category="Evaluation",
            labels={
                "figure": "spectra of all subsets",
                "model": "{model}",
                "features": "{features}",
            },
        ),
        errors=report(
            fill(paths.TOGETHER_FIGURE, figure="errors"),
            caption="../report/together.rst",
            category="Evaluation",
            labels={
                "figure": "errors of all subsets",
                "model": "{model}",
                "features": "{features}",
            },
        ),
    log:
        log_of("draw_together", "{model}_{features}"),
    benchmark:
        benchmark_of("draw_together", "{model}_{features}")
    wildcard_constraints:
        model="|".join([*KINDS, *SIMPLE_MODELS]),
    conda:
        "../envs/xanesflow.yaml"
    threads: 1
    resources:
        mem_mb=more_each_time(2000),
        runtime=more_each_time(10),
    message:
        "Drawing all subsets together by {wildcards.model} on {wildcards.features}"
    script:
        "../workflow_scripts/draw_together.py"


rule draw_comparison:
    input:
        metrics=paths.METRICS,
        intervals=paths.INTERVALS,
    output:
        report(
            paths.COMPARISON_FIGURE,
            caption="../report/comparison.rst",
            category="Evaluation",
            labels={"figure": "comparison"},
        ),
    log:
        log_of("draw_comparison"),
    benchmark:
        benchmark_of("draw_comparison")
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
        CAMPAIGN.dataset,
    output:
        table=paths.THEORIES_TABLE,
        figure=report(
            paths.THEORIES_FIGURE,
            caption="../report/theories.rst",
            category="Levels of theory",
            labels={"subsets": "{one}, {other}"},
        ),
    log:
        log_of("draw_theories", "{one}-{other}"),
    benchmark:
        benchmark_of("draw_theories", "{one}-{other}")
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


rule codes:
    input:
        lambda wildcards: expand(
            [paths.CODES_TABLE, paths.CODES_FIGURE],
            element=or_workflow_error(elements_with_codes, CAMPAIGN),
        ),


rule draw_codes:
    input:
        spectra=lambda wildcards: expand(
            paths.SPECTRA, subset=CAMPAIGN.subsets_of(element=wildcards.element)
        ),
        structures=lambda wildcards: (
            []
            if CONFIG.dataset.from_files
            else expand(paths.STRUCTURES, subset=CAMPAIGN.subsets_of(element=wildcards.element))
        ),
    output:
        table=paths.CODES_TABLE,
        figure=report(
            paths.CODES_FIGURE,
            caption="../report/codes.rst",
            category="Levels of theory",
            labels={"subsets": "all of {element}"},
        ),
    log:
        log_of("draw_codes", "{element}"),
    benchmark:
        benchmark_of("draw_codes", "{element}")
    conda:
        "../envs/xanesflow.yaml"
    threads: 1
    resources:
        mem_mb=more_each_time(2000),
        runtime=more_each_time(30),
    params:
        subsets=lambda wildcards: CAMPAIGN.subsets_of(element=wildcards.element),
    message:
        "Drawing all codes of {wildcards.element} together"
    script:
        "../workflow_scripts/draw_codes.py"


rule draw_uncertainty:
    input:
        paths.PREDICTIONS,
    output:
        reliability=model_figure("reliability", "Error bars"),
        sparsification=model_figure("sparsification", "Error bars"),
        bands=model_figure("bands", "Error bars"),
    log:
        log_of("draw_uncertainty", "{model}_{features}_{subset}"),
    benchmark:
        benchmark_of("draw_uncertainty", "{model}_{features}_{subset}")
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


rule map_features:
    input:
        CAMPAIGN.dataset,
    output:
        paths.FEATURE_MAP,
    log:
        log_of("map_features", "{features}"),
    benchmark:
        benchmark_of("map_features", "{features}")
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


rule make_report:
    input:
        dataset=CAMPAIGN.dataset,
        metrics=paths.METRICS,
        calibration=paths.CALIBRATION_TABLE,
        intervals=paths.INTERVALS,
        significance=paths.SIGNIFICANCE,
        curation=expand(fill(paths.SUBSET_FIGURE, figure="curation"), subset=SUBSETS),
        left_out=expand(fill(paths.SUBSET_FIGURE, figure="left_out"), subset=SUBSETS),
        named=expand(fill(paths.SUBSET_FIGURE, figure="named"), subset=SUBSETS),
        unmatched=expand(paths.UNMATCHED, subset=SUBSETS),
        disordered=(
            expand(fill(paths.SUBSET_FIGURE, figure="disordered"), subset=SUBSETS)
            if CAMPAIGN.fills_disorder
            else []
        ),
        # One model on one kind of features can be compared with nothing, unless the paper has a value for it.
        comparison=(
            [paths.COMPARISON_FIGURE]
            if len(CAMPAIGN.for_all_models(paths.PREDICTIONS)) > len(SUBSETS)
            or has_paper_value(CAMPAIGN.models, SUBSETS, CONFIG.evaluation.part)
            else []
        ),
        theories=[
            fill(paths.THEORIES_TABLE, one=one, other=other)
            for one, other in CAMPAIGN.pairs_of_theories
        ],
        theory_figures=[
            fill(paths.THEORIES_FIGURE, one=one, other=other)
            for one, other in CAMPAIGN.pairs_of_theories
        ],
        codes=expand(paths.CODES_TABLE, element=CAMPAIGN.compared_elements),
        code_figures=expand(paths.CODES_FIGURE, element=CAMPAIGN.compared_elements),
        convergence=expand(paths.CONVERGENCE_FIGURE, subset=CAMPAIGN.tried_subsets),
        together_spectra=for_models_together(fill(paths.TOGETHER_FIGURE, figure="spectra")),
        together_errors=for_models_together(fill(paths.TOGETHER_FIGURE, figure="errors")),
        errors=CAMPAIGN.for_all_models(fill(paths.MODEL_FIGURE, figure="errors")),
        spectra=CAMPAIGN.for_all_models(fill(paths.MODEL_FIGURE, figure="spectra")),
        energies=CAMPAIGN.for_all_models(fill(paths.MODEL_FIGURE, figure="energies")),
        heatmap=CAMPAIGN.for_all_models(fill(paths.MODEL_FIGURE, figure="heatmap")),
        reliability=CAMPAIGN.for_models(fill(paths.MODEL_FIGURE, figure="reliability")),
        sparsification=CAMPAIGN.for_models(fill(paths.MODEL_FIGURE, figure="sparsification")),
        bands=CAMPAIGN.for_models(fill(paths.MODEL_FIGURE, figure="bands")),
        curves=CAMPAIGN.for_trainings(paths.LEARNING_CURVE),
        unseen=CAMPAIGN.for_trainings(paths.UNSEEN_ELEMENTS_FIGURE, kind="delta"),
        predictions=CAMPAIGN.for_all_models(paths.PREDICTIONS),
        chemistry=paths.SITE_DESCRIPTORS,
        measured=[paths.MATCHES] if CONFIG.measured.files else [],
        # The page reads the runs themselves, and names these tables.
        failed=(
            []
            if CONFIG.dataset.from_files
            else [CAMPAIGN.failed_sites(subset) for subset in CAMPAIGN.all_subsets]
        ),
        maps=expand(paths.FEATURE_MAP, features=CAMPAIGN.mapped_features),
    output:
        report(
            paths.REPORT,
            caption="../report/report.rst",
            category="The whole report",
        ),
    log:
        log_of("make_report"),
    benchmark:
        benchmark_of("make_report")
    conda:
        "../envs/xanesflow.yaml"
    threads: 1
    resources:
        mem_mb=more_each_time(2000),
        runtime=more_each_time(10),
    params:
        subsets=SUBSETS,
        features=CAMPAIGN.mapped_features,
        pairs=CAMPAIGN.pairs_of_theories,
        elements=CAMPAIGN.compared_elements,
        tried=CAMPAIGN.tried_subsets,
        all_subsets=CAMPAIGN.all_subsets,
        models=CAMPAIGN.for_models("{model} on {features}, {subset}"),
        titles=CAMPAIGN.for_all_models("{model} on {features}, {subset}"),
        together=for_models_together("{model} on {features}"),
        trainings=CAMPAIGN.for_trainings("{model} on {features}, {of}"),
        deltas=CAMPAIGN.for_trainings("{model} on {features}, {of}", kind="delta"),
        benchmarks=paths.BENCHMARKS,
        simulated=not CONFIG.dataset.from_files,
        # Not an input, as the report must not make it; its time makes the report anew.
        interpretation=(
            Path(paths.INTERPRETATION_METRICS).stat().st_mtime
            if Path(paths.INTERPRETATION_METRICS).exists()
            else 0
        ),
    message:
        "Writing the report {output}"
    script:
        "../workflow_scripts/make_report.py"
