"""Models that come with the package: `builtin:Cu_FEFF` names one wherever a model is asked for."""

from __future__ import annotations

from pathlib import Path

from xanesflow.core.errors import XanesflowError
from xanesflow.core.text import listing, printable
from xanesflow.prediction.exported_model import MODEL_FILE

PREFIX = "builtin:"

FOLDER = Path(__file__).parent / "builtin"
"""A folder of `xanesflow model export` for each, of the same name."""


def builtin_models() -> dict[str, Path]:
    """Folder of each model by the name that users give it, such as `builtin:Cu_FEFF`."""
    return {PREFIX + path.parent.name: path.parent for path in sorted(FOLDER.glob(f"*/{MODEL_FILE}"))}


def path_of(given: str | Path) -> Path:
    """The folder of a model that comes with the package; any other path as it is.

    Raises:
        XanesflowError: there is no such model.
    """
    name = str(given)
    if not name.startswith(PREFIX):
        return Path(given)
    there = builtin_models()
    if name not in there:
        raise XanesflowError(
            f"No model {printable(name, 60)} comes with xanesflow, only {listing(list(there)) or 'none'}; name one of "
            "these, or a model of your own."
        )
    return there[name]
