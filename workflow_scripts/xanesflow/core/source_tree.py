"""Find the files of the workflow: Snakefile, rules, their scripts, default configuration, profiles, campaigns.

In a checkout, and after `pip install --editable`, they are in the checkout. A wheel has the same files in
`xanesflow/workflow` (hatch_build.py), so relative paths are the same in both.
"""

from __future__ import annotations

from pathlib import Path

import xanesflow
from xanesflow.core.errors import XanesflowError


def workflow_folder() -> Path:
    """Find the folder of the Snakefile.

    Raises:
        XanesflowError: the package is installed without it.
    """
    library = Path(xanesflow.__file__).resolve().parent
    candidates = (library / "workflow", library.parents[1])
    for folder in candidates:
        if (folder / "Snakefile").is_file():
            return folder
    raise _missing(candidates[0] / "Snakefile")


def workflow_file(name: str) -> Path:
    """Find a file of the workflow.

    Args:
        name: as in a checkout, such as `profiles/slurm/config.yaml`.

    Raises:
        XanesflowError: the package is installed without it.
    """
    path = workflow_folder() / name
    if not path.is_file():
        raise _missing(path)
    return path


def example_files() -> list[Path]:
    """List the files of the library of example structures, sorted by name."""
    return sorted((Path(xanesflow.__file__).resolve().parent / "structures/examples").glob("*.yaml"))


def _missing(path: Path) -> XanesflowError:
    return XanesflowError(
        f"This needs the workflow's source tree, and {path} is not there: install xanesflow again, or clone the "
        "repository and install it from there."
    )
