"""Puts the workflow into the wheel, below xanesflow/workflow, laid out as beside the Snakefile.

`xanesflow.core.source_tree` finds it there. An editable installation has the checkout itself, so it gets no copies.
"""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

WORKFLOW = (
    "Snakefile",
    "config.yaml",
    "config.schema.json",
    "rules/*.smk",
    "workflow_scripts/*.py",
    "profiles/*/*.yaml",
    "campaigns/*.csv",
    "campaigns/*.yaml",
    "envs/*",
    "report/*.rst",
)


class WorkflowFiles(BuildHookInterface):
    """Adds the files of the workflow to `force-include`: patterns, so that a new rule or script needs no entry."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Name the files, unless the wheel is editable."""
        if version == "editable":
            return
        root = Path(self.root)
        for pattern in WORKFLOW:
            for path in sorted(root.glob(pattern)):
                name = path.relative_to(root).as_posix()
                build_data["force_include"][str(path)] = f"xanesflow/workflow/{name}"
