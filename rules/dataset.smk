# Stage 6: one HDF5 file of the whole campaign, split by material, and a folder to upload to a repository.


rule dataset:
    input:
        CAMPAIGN.dataset,


if CAMPAIGN.run_subsets:

    rule check_site_count:
        input:
            site_table=paths.SITES,
            only=lambda wildcards: CAMPAIGN.planned_sites(wildcards.subset),
            files=lambda wildcards: CAMPAIGN.split_files(wildcards.subset),
        output:
            paths.SITE_COUNT,
        log:
            log_of("check_site_count", "{subset}"),
        benchmark:
            benchmark_of("check_site_count", "{subset}")
        priority: 10  # before anything is simulated
        localrule: True  # it takes a second
        conda:
            "../envs/xanesflow.yaml"
        threads: 1
        resources:
            mem_mb=more_each_time(1000),
            runtime=more_each_time(10),
        params:
            files=CONFIG.splits.files,
            seed=CONFIG.splits.seed,
            fractions=CONFIG.splits.fractions,
        message:
            "Checking whether {wildcards.subset} has enough sites for a split"
        script:
            "../workflow_scripts/check_site_count.py"


rule split_sites:
    input:
        enough=lambda wildcards: CAMPAIGN.site_count(wildcards.subset),
        spectra=paths.SPECTRA,
        files=lambda wildcards: CAMPAIGN.split_files(wildcards.subset),
    output:
        split=paths.SPLIT,
        unmatched=paths.UNMATCHED,
    log:
        log_of("split_sites", "{subset}"),
    benchmark:
        benchmark_of("split_sites", "{subset}")
    conda:
        "../envs/xanesflow.yaml"
    threads: 1
    resources:
        mem_mb=more_each_time(1000),
        runtime=more_each_time(10),
    params:
        files=CONFIG.splits.files,
        seed=CONFIG.splits.seed,
        fractions=CONFIG.splits.fractions,
    message:
        "Splitting {wildcards.subset} by material"
    script:
        "../workflow_scripts/split_sites.py"


rule build_dataset:
    input:
        spectra=expand(paths.SPECTRA, subset=SUBSETS),
        structures=expand(paths.STRUCTURES, subset=SUBSETS),
        splits=expand(paths.SPLIT, subset=SUBSETS),
        features=expand(paths.FEATURES, subset=SUBSETS, featurizer=CAMPAIGN.featurizers),
    output:
        CAMPAIGN.dataset,
    log:
        log_of("build_dataset"),
    benchmark:
        benchmark_of("build_dataset")
    conda:
        "../envs/xanesflow.yaml"
    threads: 1
    resources:
        mem_mb=more_each_time(4000),
        runtime=more_each_time(30),
    params:
        subsets=SUBSETS,
        featurizers=CAMPAIGN.featurizers,
        campaign=CONFIG.campaign,
        creator=CONFIG.dataset.creator,
        licence=CONFIG.dataset.licence,
    message:
        "Building the dataset {output}"
    script:
        "../workflow_scripts/build_dataset.py"


rule package:
    input:
        CAMPAIGN.package,


rule package_dataset:
    input:
        CAMPAIGN.dataset,
    output:
        CAMPAIGN.package,
    log:
        log_of("package_dataset"),
    benchmark:
        benchmark_of("package_dataset")
    conda:
        "../envs/xanesflow.yaml"
    threads: 1
    resources:
        mem_mb=more_each_time(4000),
        runtime=more_each_time(60),
    params:
        version=CONFIG.dataset.version,
        url=CONFIG.dataset.url,
    message:
        "Packaging the dataset for a repository"
    script:
        "../workflow_scripts/package_dataset.py"
