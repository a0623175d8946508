# Stage 1: crystal structures and the sites in them.
#
# With `structures.source: archive` they come from the archive of finished runs. A packed archive can only be read from
# front to back, so the rule that imports the runs (simulations.smk) writes the structures in the same pass.


rule structures:
    input:
        expand(paths.STRUCTURES, subset=SUBSETS),
        expand(paths.SITES, subset=SUBSETS),
        # The runs of an archive are finished, so they have no cost to estimate.
        paths.COST if CONFIG.structures.source != "archive" else [],


if CONFIG.structures.source == "materials_project":
    from xanesflow.structures.materials_project.manifest import request_of

    rule query_materials_project:
        input:
            ids=lambda wildcards: files_of_ids(*CAMPAIGN.subsets_of(element=wildcards.element)),
        output:
            # The job reads the files of the last query, to find out what to ask and what has changed.
            structures=update(paths.QUERIED_STRUCTURES),
            manifest=update(paths.QUERY_MANIFEST),
        log:
            log_of("query_materials_project", "{element}"),
        benchmark:
            benchmark_of("query_materials_project", "{element}")
        priority: 20
        localrule: True  # a cluster's nodes often have no access to the internet
        conda:
            "../envs/xanesflow.yaml"
        threads: 1
        resources:
            mem_mb=2000,
            runtime=240,
        params:
            query=lambda wildcards: CAMPAIGN.query_of(wildcards.element),
            # Changes only when the query does (xanesflow/structures/materials_project/manifest.py). Computed from
            # wildcards alone, because Snakemake does not run a rule again for params that come from `output`.
            request=lambda wildcards: request_of(
                fill(paths.QUERY_MANIFEST, element=wildcards.element),
                refresh=CONFIG.structures.refresh,
            ),
        message:
            "Fetching structures with {wildcards.element} from Materials Project"
        script:
            "../workflow_scripts/query_materials_project.py"


if CONFIG.structures.source == "amcsd":

    rule read_minerals:
        input:
            [],  # the database lies in an installed package, so its hash in `state` below stands for the file
        output:
            structures=paths.MINERALS,
            manifest=paths.MINERALS_MANIFEST,
        log:
            log_of("read_minerals", "{element}"),
        benchmark:
            benchmark_of("read_minerals", "{element}")
        priority: 20
        conda:
            "../envs/xanesflow.yaml"
        threads: 2
        resources:
            mem_mb=more_each_time(2000),
            runtime=more_each_time(30),
        params:
            systems=lambda wildcards: CAMPAIGN.systems_of(wildcards.element),
            filters=CONFIG.structures.amcsd.model_dump(exclude={"systems"}),
            disorder=CAMPAIGN.disorder,
            state=lambda wildcards: state_of_structures(),
        message:
            "Reading the minerals with {wildcards.element}"
        script:
            "../workflow_scripts/read_minerals.py"


if CONFIG.structures.source != "archive":

    rule collect_structures:
        input:
            # The folder's own time says little about its files; `state` below changes with them.
            directory=[ancient(folder) for folder in CAMPAIGN.folder_of_structures],
            queried=lambda wildcards: CAMPAIGN.queried_structures(wildcards.subset),
            ids=lambda wildcards: (
                files_of_ids(wildcards.subset)
                if CONFIG.structures.source == "materials_project"
                else []
            ),
        output:
            structures=paths.STRUCTURES,
            site_table=paths.SITES,
            rejected=paths.REJECTED_STRUCTURES,
            near_duplicates=paths.NEAR_DUPLICATES,
        log:
            log_of("collect_structures", "{subset}"),
        benchmark:
            benchmark_of("collect_structures", "{subset}")
        wildcard_constraints:
            subset="|".join(SUBSETS),
        priority: 10  # the number of sites is known before the first are simulated
        conda:
            "../envs/xanesflow.yaml"
        threads: 2
        resources:
            mem_mb=more_each_time(2000),
            runtime=more_each_time(60),
        params:
            source=CONFIG.structures.source,
            only=CONFIG.structures.only,
            duplicates=CONFIG.structures.duplicates,
            disorder=CAMPAIGN.disorder,
            state=lambda wildcards: state_of_structures(),
            n_chunks=lambda wildcards: CAMPAIGN.n_chunks(wildcards.subset),
            symprec=CONFIG.structures.symprec,
            cost_options=lambda wildcards: CAMPAIGN.cost_options(wildcards.subset),
        message:
            "Collecting the structures of {wildcards.subset}"
        script:
            "../workflow_scripts/collect_structures.py"

    rule estimate_cost:
        input:
            expand(paths.SITES, subset=SUBSETS),
        output:
            paths.COST,
        log:
            log_of("estimate_cost"),
        benchmark:
            benchmark_of("estimate_cost")
        conda:
            "../envs/xanesflow.yaml"
        threads: 1
        resources:
            mem_mb=more_each_time(1000),
            runtime=more_each_time(10),
        params:
            subsets=SUBSETS,
        message:
            "Estimating what the simulations will cost"
        script:
            "../workflow_scripts/estimate_cost.py"
