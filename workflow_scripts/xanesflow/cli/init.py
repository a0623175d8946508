"""`xanesflow init`: writes the folder of a campaign that you can run at once."""

from __future__ import annotations

from pathlib import Path

from xanesflow.core.errors import WrongCallError, XanesflowError
from xanesflow.core.source_tree import workflow_file

TEMPLATES = Path(__file__).parent / "campaign_folder"


def write_campaign(folder: Path) -> list[str]:
    """Write configuration, Snakefile and profile of a campaign; existing files are never overwritten.

    Args:
        folder: for these files; made if missing.

    Returns:
        The names of the files in the folder.

    Raises:
        XanesflowError: one of the files exists, the folder is a file, or the package lacks the workflow.
    """
    profile = "profiles/default/config.yaml"  # Snakemake looks for it at this path
    sources = {
        "config.yaml": TEMPLATES / "config.yaml",
        "Snakefile": TEMPLATES / "Snakefile",
        profile: workflow_file(profile),
    }
    if folder.exists() and not folder.is_dir():
        raise WrongCallError(f"{folder} is not a folder; name another one.")
    if there := [name for name in sources if (folder / name).exists()]:
        raise XanesflowError(
            f"{folder} has {', '.join(there)} already, and nothing is overwritten; name another folder, or move "
            f"{'that file' if len(there) == 1 else 'these files'} away."
        )
    for name, source in sources.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as opened:
            opened.write(source.read_text(encoding="utf-8"))
    return list(sources)
