# Stage 1: crystal structures and the sites in them.
#
# structures.source: archive takes them from the archive of finished runs; since a packed archive can only be read
# front to back, the rule that imports the runs (simulations.smk) writes them in the same pass.


rule structures:
    input:
        expand(paths.STRUCTURES, subset=SUBSETS),
        expand(paths.SITES, subset=SUBSETS),
        # The runs of an archive are done and cost nothing more.
        paths.COST if CONFIG.structures.source != "archive" else [],


if CONFIG.structures.source == "materials_project":
    from xanesflow.structures.materials_project.manifest import request_of

    rule query_materials_project:
        input:
            ids=lambda wildcards: files_of_ids(*CAMPAIGN.subsets_of(element=wildcards.element)),
        output:
            # What is there already says whether anything has to be asked, and what has changed; so it is not deleted.
            structures=update(paths.QUERIED_STRUCTURES),
            manifest=update(paths.QUERY_MANIFEST),
        log:
            log_of("query_materials_project", "{element}"),
        benchmark:
            benchmark_of("query_materials_project", "{element}")
        priority: 20
        localrule: True  # nodes of a cluster often have no way to the internet
        conda:
            "../envs/xanesflow.yaml"
        threads: 1
        resources:
            mem_mb=2000,
            runtime=240,
        params:
            query=lambda wildcards: CAMPAIGN.query_of(wildcards.element),
            # Another name only where there is another question (xanesflow/structures/materials_project/manifest.py);
            # of wildcards alone, as what is made of `output` is no reason for Snakemake to run a rule again.
            request=lambda wildcards: request_of(
                fill(paths.QUERY_MANIFEST, element=wildcards.element),
                refresh=CONFIG.structures.refresh,
            ),
        message:
            "Structures with {wildcards.element} from Materials Project"
        script:
            "../workflow_scripts/query_materials_project.py"


if CONFIG.structures.source != "archive":

    rule collect_structures:
        input:
            # The folder's own time tells little; `state` below tells what changed in it.
            directory=[ancient(folder) for folder in CAMPAIGN.folder_of_structures],
            queried=lambda wildcards: CAMPAIGN.queried_structures(wildcards.subset),
            ids=lambda wildcards: (
                files_of_ids(wildcards.subset)
                if CAMPAIGN.queried_structures(wildcards.subset)
                else []
            ),
        output:
            structures=paths.STRUCTURES,
            site_table=paths.SITES,
            rejected=paths.REJECTED_STRUCTURES,
        log:
            log_of("collect_structures", "{subset}"),
        benchmark:
            benchmark_of("collect_structures", "{subset}")
        wildcard_constraints:
            subset="|".join(SUBSETS),
        priority: 10  # so that the number of sites is known before the first are simulated
        conda:
            "../envs/xanesflow.yaml"
        threads: 2
        resources:
            mem_mb=more_each_time(2000),
            runtime=more_each_time(60),
        params:
            source=CONFIG.structures.source,
            only=CONFIG.structures.only,
            state=lambda wildcards: state_of_structures(),
            n_chunks=lambda wildcards: CAMPAIGN.n_chunks(wildcards.subset),
            symprec=CONFIG.structures.symprec,
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
