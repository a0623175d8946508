"""Fetch the structures of an element from Materials Project, once (rules/structures.smk)."""

from pathlib import Path

from xanesflow.config.load import load_config
from xanesflow.config.rule_script import rule_log
from xanesflow.structures.materials_project.manifest import Query
from xanesflow.structures.materials_project.material_ids import check_ids, read_ids
from xanesflow.structures.materials_project.query import query_materials_project

with rule_log(snakemake):
    given = dict(snakemake.params.query)
    files = list(snakemake.input.ids)
    ids = read_ids(files) if files else check_ids(given["ids"], "ids") if given["ids"] is not None else None
    query_materials_project(
        query=Query.of(**(given | {"ids": ids})),
        structures=Path(snakemake.output.structures),
        manifest=Path(snakemake.output.manifest),
        request=snakemake.params.request,
        refresh=load_config(snakemake.config).structures.refresh,
        workers=snakemake.threads,
    )
