"""A user's list of the sites to simulate (`simulations.sites`), read without pandas."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

from xanesflow.core.errors import XanesflowError
from xanesflow.core.sites import Site, site_id
from xanesflow.core.text import quoted

_HINT = "give a CSV with the columns material_id and site_index, as `xanesflow plan` writes"


def read_site_list(path: str | Path) -> set[Site]:
    """Read a list of sites: CSV with the columns `material_id` and `site_index`, as `xanesflow plan` writes.

    Raises:
        XanesflowError: the file cannot be read, lacks a column, or a row names no site.
    """
    found: set[Site] = set()
    try:
        with Path(path).open(newline="", encoding="utf-8-sig") as opened:
            rows = csv.DictReader(opened)
            for row in rows:
                material_id, site_index = row["material_id"] or "", row["site_index"] or ""
                if not material_id or not site_index.isdecimal():
                    given = f"{quoted(material_id)}, {quoted(site_index)}"
                    raise XanesflowError(f"{path}, line {rows.line_num}: {given} is no site; {_HINT}.")
                found.add((material_id, int(site_index)))
    except (OSError, ValueError, csv.Error, KeyError) as error:
        why = f"it has no column {error}" if isinstance(error, KeyError) else error
        raise XanesflowError(f"The list of sites {path} cannot be read ({why}); {_HINT}.") from None
    if not found:
        raise XanesflowError(f"The list of sites {path} is empty; {_HINT}.")
    return found


def planned_sites(only: str | Path | None, sites: Iterable[Site], subset: str) -> set[Site]:
    """Return those sites of a subset that are to be simulated.

    Args:
        only: list of them (`read_site_list`); None: all.
        sites: all sites of the subset.
        subset: such as `Cu_FEFF`.

    Raises:
        XanesflowError: the list cannot be read, or names a site that the subset lacks.
    """
    known = set(sites)
    if only is None:
        return known
    planned = read_site_list(only)
    if unknown := sorted(planned - known):
        more = f" (and {len(unknown) - 1} more)" if unknown[1:] else ""
        raise XanesflowError(
            f"The list of sites {only} names {site_id(*unknown[0])}{more}, which is no site of {subset}; remove it, or "
            "choose sites again with `xanesflow plan`."
        )
    return planned
