# Stage 4: checks the runs and puts the good spectra on one grid.


rule spectra:
    input:
        expand(paths.SPECTRA, subset=SUBSETS),


rule curate_spectra:
    input:
        chunks=lambda wildcards: CAMPAIGN.runs(wildcards.subset),
        structures=paths.STRUCTURES,
        site_table=paths.SITES,
        only=lambda wildcards: CAMPAIGN.planned_sites(wildcards.subset),
        rejected=lambda wildcards: CAMPAIGN.rejected_before_curation(wildcards.subset),
        failed=lambda wildcards: CAMPAIGN.failed_sites(wildcards.subset),
    output:
        spectra=paths.SPECTRA,
        rejected_csv=paths.REJECTED_SPECTRA,
    log:
        log_of("curate_spectra", "{subset}"),
    benchmark:
        benchmark_of("curate_spectra", "{subset}")
    conda:
        "../envs/xanesflow.yaml"
    threads: 2
    resources:
        mem_mb=more_each_time(4000),
        runtime=more_each_time(60),
    params:
        energy_start_ev=lambda wildcards: CAMPAIGN.energy_start(wildcards.subset),
        envelope_sigma=lambda wildcards: CONFIG.curation.envelope.get(
            Subset.parse(wildcards.subset).theory
        ),
        max_flat_start_ev=CONFIG.curation.max_flat_start,
        processing=lambda wildcards: CAMPAIGN.processing_of(wildcards.subset),
        inputs=lambda wildcards: CAMPAIGN.compared_inputs(wildcards.subset),
        mixed_settings=CONFIG.curation.mixed_settings,
        max_failed=CONFIG.simulations.max_failed,
    message:
        "Curating the spectra of {wildcards.subset}"
    script:
        "../workflow_scripts/curate_spectra.py"
