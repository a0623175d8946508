# Beside evaluation: what a spectrum says about its site. Only the descriptors of the sites are made for the report too.
from xanesflow.interpretation.figure_names import FIGURES as FIGURES_OF_INTERPRETATION


rule describe_sites:
    input:
        dataset=CAMPAIGN.dataset,
        runs=(
            []
            if CONFIG.dataset.from_files
            else [run for name in SUBSETS for run in CAMPAIGN.runs(name)]
        ),
    output:
        paths.SITE_DESCRIPTORS,
    log:
        log_of("describe_sites"),
    benchmark:
        benchmark_of("describe_sites")
    conda:
        "../envs/xanesflow.yaml"
    threads: 2
    resources:
        mem_mb=more_each_time(2000),
        runtime=more_each_time(240),
    params:
        kept=paths.SITE_DESCRIPTORS_KEPT,
        runs={} if CONFIG.dataset.from_files else {name: CAMPAIGN.runs(name) for name in SUBSETS},
    message:
        "Describing all sites: oxidation states, neighbours, charges"
    script:
        "../workflow_scripts/describe_sites.py"


rule interpretation:
    input:
        paths.INTERPRETATION_METRICS,
        paths.INTERPRETATION_ROBUSTNESS,
        paths.INTERPRETATION_AXES,
        expand(paths.INTERPRETATION_FIGURE, figure=FIGURES_OF_INTERPRETATION, subset=SUBSETS),


rule train_interpreter:
    input:
        dataset=ancient(CAMPAIGN.dataset),
        sites=paths.SITE_DESCRIPTORS,
    output:
        model=paths.INTERPRETER,
        predictions=paths.READ_VALUES,
        robustness=paths.SHIFTED_VALUES,
    log:
        log_of("train_interpreter", "{interpreter}-{subset}-{split}-{seed}"),
    benchmark:
        benchmark_of("train_interpreter", "{interpreter}-{subset}-{split}-{seed}")
    wildcard_constraints:
        interpreter="trees|network|blend",
        subset="|".join([*SUBSETS, "all"]),
        split=r"campaign|\d+",
    conda:
        "../envs/xanesflow.yaml"
    threads: 1
    resources:
        mem_mb=more_each_time(4000),
        runtime=more_each_time(120),
    message:
        "Learning to read the sites of {wildcards.subset} by {wildcards.interpreter}, split {wildcards.split}"
    script:
        "../workflow_scripts/train_interpreter.py"


rule train_rank_aae:
    input:
        dataset=ancient(CAMPAIGN.dataset),
        sites=paths.SITE_DESCRIPTORS,
    output:
        model=fill(paths.INTERPRETER, interpreter="rank_aae"),
        predictions=fill(paths.READ_VALUES, interpreter="rank_aae"),
    log:
        log_of("train_rank_aae", "{subset}-{split}-{seed}"),
    benchmark:
        benchmark_of("train_rank_aae", "{subset}-{split}-{seed}")
    wildcard_constraints:
        split=r"campaign|\d+",
    conda:
        "../envs/xanesflow.yaml"
    threads: 1
    resources:
        mem_mb=more_each_time(3000),
        runtime=more_each_time(240),
    message:
        "Ranking the sites of {wildcards.subset} along latent axes, split {wildcards.split}, seed {wildcards.seed}"
    script:
        "../workflow_scripts/train_rank_aae.py"


rule evaluate_interpretation:
    input:
        predictions=[fill(paths.READ_VALUES, **fit) for fit in CONFIG.interpretation.fits(SUBSETS)],
        robustness=[
            fill(paths.SHIFTED_VALUES, **fit)
            for fit in CONFIG.interpretation.fits(SUBSETS, rank_aae=False)
        ],
        axes=[
            fill(paths.INTERPRETER, **fit)
            for fit in CONFIG.interpretation.fits(SUBSETS, rank_aae=True)
        ],
    output:
        metrics=paths.INTERPRETATION_METRICS,
        robustness=paths.INTERPRETATION_ROBUSTNESS,
        axes=paths.INTERPRETATION_AXES,
    log:
        log_of("evaluate_interpretation"),
    benchmark:
        benchmark_of("evaluate_interpretation")
    conda:
        "../envs/xanesflow.yaml"
    threads: 1
    resources:
        mem_mb=more_each_time(2000),
        runtime=more_each_time(30),
    message:
        "Judging what was read from the spectra"
    script:
        "../workflow_scripts/evaluate_interpretation.py"


rule draw_interpretation:
    input:
        metrics=paths.INTERPRETATION_METRICS,
        robustness=paths.INTERPRETATION_ROBUSTNESS,
        axes=paths.INTERPRETATION_AXES,
        predictions=[fill(paths.READ_VALUES, **fit) for fit in CONFIG.interpretation.fits(SUBSETS)],
        models=[
            fill(paths.INTERPRETER, **fit)
            for fit in CONFIG.interpretation.fits(SUBSETS, rank_aae=True)
        ],
    output:
        **{
            figure: fill(paths.INTERPRETATION_FIGURE, figure=figure)
            for figure in FIGURES_OF_INTERPRETATION
        },
    log:
        log_of("draw_interpretation", "{subset}"),
    benchmark:
        benchmark_of("draw_interpretation", "{subset}")
    conda:
        "../envs/xanesflow.yaml"
    threads: 1
    resources:
        mem_mb=more_each_time(2000),
        runtime=more_each_time(30),
    message:
        "Drawing what was read from the spectra of {wildcards.subset}"
    script:
        "../workflow_scripts/draw_interpretation.py"
