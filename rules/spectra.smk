# Stage 4: curated spectra on one grid.


rule spectra:
    input:
        expand("results/spectra/{subset}.h5", subset=SUBSETS),


rule curate_spectra:
    input:
        chunks=lambda wildcards: chunk_zips(wildcards.subset),
        structures="results/structures/{subset}.parquet",
        site_table="results/structures/{subset}_sites.parquet",
        only=lambda wildcards: planned_sites(wildcards.subset),
        rejected=lambda wildcards: rejected_before(wildcards.subset),
        failed=lambda wildcards: failed_before(wildcards.subset),
    output:
        spectra="results/spectra/{subset}.h5",
        rejected_csv="results/spectra/{subset}_rejected.csv",
    log:
        "results/logs/curate_spectra/{subset}.log",
    benchmark:
        "results/benchmarks/curate_spectra/{subset}.tsv"
    conda:
        "../envs/xanesflow.yaml"
    threads: 2
    resources:
        mem_mb=more_each_time(4000),
        runtime=more_each_time(60),
    params:
        energy_start_ev=lambda wildcards: energy_start(wildcards.subset),
        envelope_sigma=lambda wildcards: CONFIG.curation.envelope.get(
            wildcards.subset.split("_")[1]
        ),
        max_flat_start_ev=CONFIG.curation.max_flat_start,
        processing=lambda wildcards: CONFIG.processing_of(wildcards.subset),
        max_failed=CONFIG.simulations.max_failed,
    message:
        "Curating the spectra of {wildcards.subset}"
    script:
        "../workflow_scripts/curate_spectra.py"
