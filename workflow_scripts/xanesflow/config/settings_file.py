"""The file with the best settings of a search: keys and values in the form of config.yaml, and their origin.

You can name it in `models.settings_files`, pass it to Snakemake as another `--configfile`, or copy values from it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from xanesflow.config.search_space import OWN_KEYS, RANGE_TEST, check_setting
from xanesflow.core import limits
from xanesflow.core.errors import BadTextError, XanesflowError
from xanesflow.core.files import read_small, write_text
from xanesflow.core.foreign_json import parse_json
from xanesflow.core.foreign_yaml import parse_yaml
from xanesflow.core.text import one_line

FORMAT = "xanesflow search 1"
_MARK = "# search: "  # a comment, so that the file is a configuration file and nothing else


@dataclass(frozen=True)
class Found:
    """The best settings of a model."""

    model: str  # a subset, for its expert, or `universal`
    features: str  # such as `m3gnet`
    settings: dict[str, Any]  # the searched settings, fields of `TrainingSettings`
    # what the file records about the search: data hash, trials, seed, versions
    origin: dict[str, Any] = field(default_factory=dict)


def write_found(path: str | Path, found: Found, headline: str) -> None:
    """Write the file, whole or not at all; the same search writes the same bytes.

    Args:
        path: the YAML file.
        found: the settings to write.
        headline: one or more lines on how they were found, without `#`.
    """
    models: dict[str, Any] = {}
    for name, setting in found.settings.items():
        value = list(setting) if isinstance(setting, tuple) else setting
        if name == "learning_rate" and value is None:
            value = RANGE_TEST
        if name in OWN_KEYS:
            models[name] = {found.model: value}
        else:
            models.setdefault("settings", {}).setdefault(found.model, {})[name] = value
    origin = {"format": FORMAT, "model": found.model, "features": found.features, **found.origin}
    lines = [f"# {line}" for line in headline.splitlines()]
    lines.append(_MARK + json.dumps(origin, sort_keys=True))
    text = yaml.safe_dump({"models": models}, default_flow_style=None, width=120, sort_keys=False)
    write_text(path, "\n".join(lines) + "\n" + text)


def read_found(path: str | Path) -> Found:
    """Read a file of `write_found`. A user may have changed its values, so they are checked.

    Raises:
        XanesflowError: the file is missing, no search wrote it, or it holds something that is not a setting.
    """
    try:
        text = read_small(path, limits.CONFIG_FILE).decode()
    except FileNotFoundError:
        raise XanesflowError(
            f"{path} of models.settings_files does not exist (looked from {Path.cwd()}); make it with `snakemake "
            "search` before you name it, or fix the path."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise XanesflowError(f"{path} of models.settings_files cannot be read ({error}).") from None
    origin = _origin(text)
    if origin is None:
        raise XanesflowError(
            f"{path} of models.settings_files was not made by `snakemake search` (it has no line "
            f"'{_MARK}{{...}}' of this version); give a configuration file with --configfile instead."
        )
    model, features = str(origin.pop("model")), str(origin.pop("features"))
    try:
        settings = _settings(parse_yaml(text), model)
    except (XanesflowError, BadTextError, KeyError, TypeError, AttributeError) as error:
        what = str(error) if isinstance(error, XanesflowError) else "it does not have the form of `snakemake search`"
        raise XanesflowError(
            f"{path} of models.settings_files is damaged: {one_line(what)}; make it again with `snakemake search`."
        ) from None
    return Found(model, features, settings, origin)


def _origin(text: str) -> dict[str, Any] | None:
    """The file's record of its search; None if no search of this version wrote the file."""
    for line in text.splitlines():
        if line.startswith(_MARK):
            try:
                origin = parse_json(line.removeprefix(_MARK))
            except BadTextError:
                return None
            known = isinstance(origin, dict) and origin.pop("format", None) == FORMAT
            return origin if known and {"model", "features"} <= origin.keys() else None
    return None


def _settings(values: Any, model: str) -> dict[str, Any]:
    """Read and check the settings of the model."""
    models: Mapping[str, Any] = values["models"]
    found = {name: models[name][model] for name in OWN_KEYS if name in models} | models.get("settings", {}).get(
        model, {}
    )
    return {name: check_setting(name, value) for name, value in found.items()}
