"""Renamed keys: this version still reads the old names, and warns with a sentence that gives the new one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from xanesflow.config.base import Section
from xanesflow.config.models import ModelsSection
from xanesflow.config.simulations import SimulationsSection
from xanesflow.core.errors import XanesflowError


class _Renamed(NamedTuple):
    """One renamed key of a section; `translate` turns an old value into a new one."""

    section: str
    old: str
    new: str
    model: type[Section]
    translate: Callable[[Any], Any] = lambda value: value


OLD_KEYS = (
    _Renamed("models", "baseline", "delta_from", ModelsSection, lambda value: None if value == "mean" else value),
    _Renamed("models", "baselines", "simple_models", ModelsSection),
    _Renamed("simulations", "engine", "feff8l", SimulationsSection),
)


def rename_old_keys(values: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Put the values of old keys under the new ones.

    Snakemake merges config.yaml into the configuration first, so the new key is always there. It counts as given only
    if its value differs from the default.

    Args:
        values: the configuration as read; not changed.

    Returns:
        The configuration without old keys, and a sentence for each old key that was found.

    Raises:
        XanesflowError: an old key and the new one are both given.
    """
    renamed, warnings = dict(values), []
    for key in OLD_KEYS:
        section = renamed.get(key.section)
        if not isinstance(section, Mapping) or key.old not in section:
            continue
        old, new = f"{key.section}.{key.old}", f"{key.section}.{key.new}"
        default = key.model.model_fields[key.new].default
        default = default.model_dump(mode="json") if isinstance(default, Section) else default
        there, value = section.get(key.new, default), key.translate(section[key.old])
        if there != default:
            raise XanesflowError(f"Configuration: {old} is the old name of {new}, and both are given; remove {old}.")
        if isinstance(there, Mapping) and isinstance(value, Mapping):
            value = {**there, **value}
        others = {name: given for name, given in section.items() if name not in (key.old, key.new)}
        renamed[key.section] = {**others, key.new: value}
        warnings.append(f"Configuration: {old} is now {new}; only this version still reads the old name, so change it.")
    return renamed, warnings
