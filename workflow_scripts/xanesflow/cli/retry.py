"""`xanesflow retry`: marks failed sites to be computed again, and says what to call next."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from xanesflow.cli.options import working_directory
from xanesflow.cli.terminal import print_result
from xanesflow.core.errors import WrongCallError, XanesflowError
from xanesflow.core.sites import Subset
from xanesflow.core.text import plural
from xanesflow.simulations.state.failures import describe
from xanesflow.simulations.state.request_retries import request_retries


def mark(directory: Path, subsets: Sequence[str], *, reasons: Sequence[str], sites: Sequence[str]) -> None:
    """Mark failed sites and print how many.

    Args:
        directory: the campaign's working directory.
        subsets: only sites of these; empty: of all.
        reasons: only sites that failed for one of these; empty: for any.
        sites: only these; empty: all.

    Raises:
        XanesflowError: as `request_retries`.
    """
    marked = request_retries(directory, subsets, reasons=reasons, sites=sites)
    if not marked:
        such = " for such a reason" if reasons else ""
        print_result(f"No site has failed{such}, so there is nothing to compute again.")
        return
    for subset in dict.fromkeys(each.subset for each in marked):
        of_subset = [each for each in marked if each.subset == subset]
        chunks = len({each.chunk for each in of_subset})
        number = plural(len(of_subset), "failed site")
        number_marked = f"{number} in {plural(chunks, 'chunk')}: {describe(e.reason for e in of_subset)}"
        print_result(f"{subset}: marked {number_marked}.")
    print_result("The next call of snakemake, with the same options as before, computes them again, and no others.")


def directory_and_subsets(words: Sequence[str], option: Path | None) -> tuple[Path, list[str]]:
    """Divide words into the working directory and names of subsets.

    A word with a path separator is a directory, as is the name of a folder that is no name of a subset.

    Raises:
        WrongCallError: several directories are given.
    """
    folders = [word for word in dict.fromkeys(words) if _is_folder(word)]
    if len(folders) > 1:
        raise WrongCallError(f"Two working directories are given, {folders[0]} and {folders[1]}; give one.")
    given = Path(folders[0]) if folders else None
    return working_directory(given, option), [word for word in words if word not in folders]


def _is_folder(word: str) -> bool:
    try:
        Subset.parse(word)
    except XanesflowError:
        return os.sep in word or Path(word).is_dir()
    return False
