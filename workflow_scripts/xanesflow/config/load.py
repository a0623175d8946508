"""Reads the configuration, reports each mistake in one sentence, and writes the default file and the schema."""

from __future__ import annotations

import difflib
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from xanesflow.config.base import commented
from xanesflow.config.model import Config
from xanesflow.config.old_keys import rename_old_keys
from xanesflow.core import limits
from xanesflow.core.damage import what_is_wrong
from xanesflow.core.errors import BadTextError, XanesflowError
from xanesflow.core.files import read_small
from xanesflow.core.foreign_json import check_values
from xanesflow.core.foreign_yaml import parse_yaml
from xanesflow.core.text import quoted

SCHEMA_FILE = "config.schema.json"
"""The JSON schema next to config.yaml, with which editors check and complete a campaign file."""

_MOST_SHOWN, _MOST_COMPARED = 20, 300  # mistakes of a file

log = logging.getLogger("xanesflow")


def load_config(values: Mapping[str, Any]) -> Config:
    """Check the configuration that Snakemake read.

    Old keys are read as the new ones; each logs a warning.

    Args:
        values: the parsed YAML, defaults and overrides already merged.

    Raises:
        XanesflowError: a key, type or value is wrong; the message has one sentence for each, with its place.
    """
    try:
        check_values(values)
    except BadTextError as error:
        raise XanesflowError(f"The configuration {error}; see config.yaml for its form.") from None
    renamed, warnings = rename_old_keys(_nulls(dict(values)))
    for warning in warnings:
        log.warning("%s", warning)
    try:
        return Config.model_validate(renamed)
    except ValidationError as error:
        # A union (a number, or a mapping of numbers) gives an error for each member. The error at the deepest place is
        # about the member that the user meant, and the first error at a place says enough.
        by_place: dict[tuple[str, ...], Any] = {}
        for one in error.errors(include_url=False)[:_MOST_COMPARED]:
            by_place.setdefault(_place(one), one)
        deepest = [p for p in by_place if not any(p == other[: len(p)] for other in by_place if other != p)]
        lines = [_sentence(by_place[p]) for p in deepest[:_MOST_SHOWN]]
        if len(deepest) > _MOST_SHOWN:
            lines.append("These are the first mistakes of more.")
        raise XanesflowError("\n".join(lines)) from None


def read_config_file(path: str | Path) -> Config:
    """Read and check a configuration file by itself, without Snakemake.

    As Snakemake does, it takes the keys that the file lacks from config.yaml, also within sections.

    Raises:
        XanesflowError: the file cannot be read, is not YAML, or holds a wrong value.
    """
    try:
        values = parse_yaml(read_small(path, limits.CONFIG_FILE).decode()) or {}
    except (OSError, ValueError) as error:
        why = str(error) if isinstance(error, BadTextError) else what_is_wrong(error)
        raise XanesflowError(f"{path} cannot be read as YAML: it {why.removeprefix('it ')}.") from None
    if not isinstance(values, dict):
        raise XanesflowError(
            f"{path} holds {type(values).__name__} {quoted(str(values))} where keys with values belong; see "
            "config.yaml."
        )
    return load_config(_merged(json.loads(Config.model_construct().as_json()), values))


def default_yaml() -> str:
    """The commented default configuration: the whole 3dtm_xanes_ml2024 campaign."""
    lines = [
        f"# yaml-language-server: $schema={SCHEMA_FILE}",
        "# The whole 3dtm_xanes_ml2024 campaign (arXiv 2409.19552): eight 3d metals at the FEFF level.",
        "# For your own campaign, write a file with only the keys that differ: snakemake --configfile mine.yaml",
        "# Made by `python -m xanesflow.config > config.yaml`; change the descriptions in xanesflow/config/, not here.",
    ]
    for name in Config.model_fields:
        lines += ["", *commented(Config, name, "")]
    return "\n".join(lines) + "\n"


def json_schema() -> str:
    """The JSON schema of a configuration file, as `config.schema.json` holds it."""
    return json.dumps(Config.model_json_schema(), indent=2, ensure_ascii=False) + "\n"


def _merged(defaults: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Put a file's values over the defaults, mapping into mapping, as Snakemake does."""
    found = dict(defaults)
    for key, value in given.items():
        there = found.get(key)
        found[key] = _merged(there, value) if isinstance(there, dict) and isinstance(value, dict) else value
    return found


def _nulls(value: Any) -> Any:
    """Replace the word `null` by None, as Snakemake passes the nulls of --config on as words."""
    if isinstance(value, dict):
        return {key: _nulls(inner) for key, inner in value.items()}
    return None if value == "null" else value


def _place(error: Any) -> tuple[str, ...]:
    """The keys that lead to a pydantic error."""
    place = [str(part) for part in error["loc"]]
    if error["type"] != "extra_forbidden":
        # Members of a union (str, dict[...], constrained-int) appear in the location, but are not keys of the file.
        place = [p for p in place if "[" not in p and p not in {"str", "int", "function-before", "constrained-int"}]
    return tuple(place)


def _sentence(error: Any) -> str:
    """One pydantic error as one sentence with its place."""
    place = list(_place(error))
    if error["type"] == "extra_forbidden":
        known = list(_model_at(place[:-1]).model_fields)
        near = difflib.get_close_matches(place[-1], known, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"known are {', '.join(known)}."
        return f"Configuration: '{'.'.join(place)}' is not a known key; {hint}"
    message = error["msg"].removeprefix("Value error, ")
    message = (message[:1].lower() + message[1:]).rstrip(".")
    if error["type"] == "value_error" and not place:
        return f"Configuration: {message}."
    given = json.dumps(error["input"], default=str)
    given = given if len(given) <= 60 else given[:57] + "..."
    return f"Configuration: '{'.'.join(place)}' is {given}; {message}."


def _model_at(place: list[str]) -> type[BaseModel]:
    model: type[BaseModel] = Config
    for key in place:
        model = model.model_fields[key].annotation  # type: ignore[assignment]
    return model
