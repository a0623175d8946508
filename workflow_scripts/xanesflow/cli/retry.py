"""`xanesflow retry`: marks failed sites to be computed again, and says what to call next."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from xanesflow.cli.terminal import print_result
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
