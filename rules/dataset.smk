# Stage 6: one HDF5 file of the whole campaign, split by material, and the folder that goes to a repository.

PACKAGE = [
    f"results/package/{CONFIG.campaign}/{name}"
    for name in (
        f"{CONFIG.campaign}.h5",
        "sites.csv",
        "rejected.csv",
        "README.md",
        "CITATION.cff",
        "LICENSE",
        "croissant.json",
        "SHA256SUMS",
    )
]


rule dataset:
    input:
        DATASET,


rule split_sites:
    input:
        spectra="results/spectra/{subset}.h5",
        files=lambda wildcards: CONFIG.split_files(wildcards.subset),
    output:
        split="results/dataset/splits/{subset}.csv",
        unmatched="results/dataset/splits/{subset}_unmatched.csv",
    log:
        "results/logs/split_sites/{subset}.log",
    benchmark:
        "results/benchmarks/split_sites/{subset}.tsv"
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
        spectra=expand("results/spectra/{subset}.h5", subset=SUBSETS),
        structures=expand("results/structures/{subset}.parquet", subset=SUBSETS),
        splits=expand("results/dataset/splits/{subset}.csv", subset=SUBSETS),
        features=expand(
            "results/features/{featurizer}/{subset}.h5", subset=SUBSETS, featurizer=FEATURIZERS
        ),
    output:
        DATASET,
    log:
        "results/logs/build_dataset.log",
    benchmark:
        "results/benchmarks/build_dataset.tsv"
    conda:
        "../envs/xanesflow.yaml"
    threads: 1
    resources:
        mem_mb=more_each_time(4000),
        runtime=more_each_time(30),
    params:
        subsets=SUBSETS,
        featurizers=FEATURIZERS,
        campaign=CONFIG.campaign,
        creator=CONFIG.dataset.creator,
        licence=CONFIG.dataset.licence,
    message:
        "Building the dataset {output}"
    script:
        "../workflow_scripts/build_dataset.py"


rule package:
    input:
        PACKAGE,


rule package_dataset:
    input:
        DATASET,
    output:
        PACKAGE,
    log:
        "results/logs/package_dataset.log",
    benchmark:
        "results/benchmarks/package_dataset.tsv"
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
