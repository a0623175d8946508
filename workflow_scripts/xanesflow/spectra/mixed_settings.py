"""Hold the runs of a subset to one set of physics settings.

Runs that differ in these, such as in the core hole, give spectra that differ for other reasons than their structures.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from xanesflow.core.sites import Site
from xanesflow.core.text import plural

log = logging.getLogger(__name__)

Settings = tuple[str, ...]
"""Sorted texts, such as `SCF 7 0`; the first word of each says what is set."""


@dataclass(frozen=True)
class RunSettings:
    """The physics settings of a run."""

    settings: Settings  # as its inputs have them
    imported: bool  # whether the run was imported, and not computed by this campaign


def other_settings(
    runs: Mapping[Site, RunSettings], configured: Settings | None, *, subset: str, keep: bool
) -> dict[Site, str]:
    """Find the runs whose settings are not those of their subset, and log how many there are of each kind.

    Imported runs are compared with the settings that most of them have, our own with the configuration's.

    Args:
        runs: by site.
        configured: settings of our own runs; None: these are not compared.
        subset: such as `Cu_FEFF`, for the log.
        keep: whether such runs are kept, for the log.

    Returns:
        Site -> what differs.
    """
    imported = Counter(runs[site].settings for site in sorted(runs) if runs[site].imported)
    wanted = {True: imported.most_common(1)[0][0] if imported else None, False: configured}
    found = {}
    for site, run in sorted(runs.items()):
        of_subset = wanted[run.imported]
        if of_subset is not None and run.settings != of_subset:
            found[site] = _difference(run.settings, of_subset)
    if found:
        counts = "; ".join(f"{number} with {what}" for what, number in Counter(found.values()).most_common())
        log.warning(
            "%s: %d of %d runs have other physics settings than the subset: %s. They are %s.", subset, len(found),
            len(runs), counts, "kept, as curation.mixed_settings is true" if keep
            else "left out, unless curation.mixed_settings is true",
        )  # fmt: skip
    return found


def describe_settings(runs: Iterable[RunSettings]) -> str:
    """Say which settings the runs of a subset have: those of most in full, others by what differs; empty: not known."""
    counts = Counter(run.settings for run in runs).most_common()
    if not counts:
        return ""
    (most, number), *others = counts
    said = "; ".join(most)
    if not others:
        return said
    differing = ", ".join(f"{n} with {_difference(settings, most)}" for settings, n in others)
    return f"{said} ({plural(number, 'run')}; {differing})"


def differing_settings(runs: Mapping[Site, RunSettings]) -> dict[Site, str]:
    """Say of each run whose settings are not those of most what differs: site -> text."""
    counts = Counter(run.settings for run in runs.values()).most_common()
    return {site: _difference(run.settings, counts[0][0]) for site, run in runs.items() if run.settings != counts[0][0]}


def _difference(ours: Settings, wanted: Settings) -> str:
    """Say what differs: `SCF 5 0, not SCF 7 0; no COREHOLE RPA; DEBYE 300 400 in addition`."""
    mine, theirs = ({text.split()[0]: text for text in texts} for texts in (ours, wanted))
    parts = []
    for name in sorted(mine.keys() | theirs.keys()):
        if name not in mine:
            parts.append(f"no {theirs[name]}")
        elif name not in theirs:
            parts.append(f"{mine[name]} in addition")
        elif mine[name] != theirs[name]:
            parts.append(f"{mine[name]}, not {theirs[name]}")
    return "; ".join(parts)
