# Stage 2: input files of the simulation codes, one zip a chunk, for who runs them elsewhere.
#
# The embedded engine (FEFF8L) writes its own inputs when it runs, so its subsets have none here.


rule inputs:
    input:
        [input_zips(subset) for subset in SUBSETS],


rule write_inputs:
    input:
        structures="results/structures/{subset}.parquet",
        site_table="results/structures/{subset}_sites.parquet",
    output:
        inputs="results/inputs/{subset}/{chunk}.zip",
        rejected="results/inputs/{subset}/{chunk}_rejected.parquet",
    log:
        "results/logs/write_inputs/{subset}_{chunk}.log",
    benchmark:
        "results/benchmarks/write_inputs/{subset}_{chunk}.tsv"
    conda:
        "../envs/xanesflow.yaml"
    threads: 1  # loading the libraries costs more than most chunks, and chunks run side by side
    resources:
        mem_mb=more_each_time(1500),
        runtime=more_each_time(120),
    params:
        options=lambda wildcards: CONFIG.inputs.of(theory_of(wildcards.subset)),
    message:
        "Writing the inputs of chunk {wildcards.chunk} of {wildcards.subset}"
    script:
        "../workflow_scripts/write_inputs.py"
