"""Read every entry of larixite's mineral database: how many become structures, why the others are left out, how fast.

    python studies/count_minerals.py [--minutes 20] [--workers 1]

Prints the table of docs/studies/minerals.md, for all entries and for those that a campaign of the eight elements takes
by default (the pure element, and oxides with up to two further elements). The error of the density is that of the
crystal that was built, against the value that the database gives.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from functools import partial
from itertools import count, islice

import numpy as np

from xanesflow.core.errors import UnusableStructure
from xanesflow.core.parallel import map_in_processes
from xanesflow.core.sites import ELEMENTS
from xanesflow.structures.amcsd.choose_entries import choose_entries
from xanesflow.structures.amcsd.database import Entry, load_entries
from xanesflow.structures.amcsd.read_entry import read_entry

SYSTEMS = ("{}", "{}-O", "{}-O-*", "{}-O-*-*")
LONGEST_S = 5.0  # an entry that takes longer is counted by name


def read(entry: Entry) -> tuple[str, str, float, float]:
    """Outcome, detail, seconds and error of the density of an entry."""
    begin = time.perf_counter()
    try:
        structure, _ = read_entry(entry)
    except UnusableStructure as error:
        return error.reason, f"{entry.id} {error}", time.perf_counter() - begin, np.nan
    seconds = time.perf_counter() - begin
    return "read", entry.id, seconds, abs(float(structure.density) / float(entry.density) - 1)


def read_batch(entries: list[Entry]) -> list[tuple[str, str, float, float]]:
    """The outcomes of several entries."""
    return [read(entry) for entry in entries]


def show(title: str, outcomes: list[tuple[str, str, float, float]]) -> None:
    """Print the rows of the table for some entries."""
    counts = Counter(outcome for outcome, *_ in outcomes)
    errors = np.array([error for *_, error in outcomes])
    print(f"\n{title}: {len(outcomes):,} entries, {sum(seconds for *_, seconds, _ in outcomes):.0f} s")
    for outcome, number in counts.most_common():
        print(f"| {outcome} | {number:,} | {number / len(outcomes):.1%} |")
    print(f"density: mean error {np.nanmean(errors):.3%}, largest {np.nanmax(errors):.2%}")


def main() -> None:
    """Read the entries until the time is up, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--workers", type=int, default=1)
    arguments = parser.parse_args()
    entries = load_entries()
    of_campaign = {
        entry.id for element in ELEMENTS for entry in choose_entries(entries, [s.format(element) for s in SYSTEMS])
    }
    # Those of a campaign first, so that they are complete if the time does not suffice for all.
    order = sorted(entries, key=lambda entry: (entry.id not in of_campaign, entry.number))
    batches = iter(partial(lambda left: list(islice(left, 50)), iter(order)), [])
    end = time.perf_counter() + 60 * arguments.minutes
    outcomes: list[tuple[str, str, float, float]] = []
    for batch, number in zip(map_in_processes(read_batch, batches, arguments.workers), count(1), strict=False):
        outcomes += batch
        if number % 20 == 0:
            print(f"{len(outcomes):,} of {len(order):,}", flush=True)
        if time.perf_counter() > end:
            print("the time is up")
            break
    show("those of a campaign", outcomes[: len(of_campaign)])
    show("all", outcomes)
    seen: Counter[str] = Counter()
    for outcome, detail, seconds, _ in outcomes:
        if seconds > LONGEST_S:
            print(f"slow: {detail[:60]}, {seconds:.0f} s")
        if outcome not in ("read", "disordered", "hydrogen_unknown"):
            seen[outcome] += 1
            print(f"{outcome}: {detail[:250]}")


if __name__ == "__main__":
    main()
