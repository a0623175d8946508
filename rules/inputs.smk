# Stage 2: input files of the simulation codes, one zip for each chunk, for runs outside of this workflow.
#
# The embedded engine (FEFF8L) writes its inputs when it runs, so its subsets have none here.


rule inputs:
    input:
        [CAMPAIGN.inputs(subset) for subset in SUBSETS],


rule write_inputs:
    input:
        structures=paths.STRUCTURES,
        site_table=paths.SITES,
        only=lambda wildcards: CAMPAIGN.planned_sites(wildcards.subset),
    output:
        inputs=paths.INPUTS,
        rejected=paths.REJECTED_INPUTS,
    log:
        log_of("write_inputs", "{subset}_{chunk}"),
    benchmark:
        benchmark_of("write_inputs", "{subset}_{chunk}")
    conda:
        "../envs/xanesflow.yaml"
    threads: 1  # most chunks take less time than loading the libraries, and chunks run side by side
    resources:
        mem_mb=more_each_time(1500),
        runtime=more_each_time(120),
    params:
        options=lambda wildcards: CONFIG.inputs.of(Subset.parse(wildcards.subset).theory),
    message:
        "Writing the inputs of chunk {wildcards.chunk} of {wildcards.subset}"
    script:
        "../workflow_scripts/write_inputs.py"
