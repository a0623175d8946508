"""Make the library of computed spectra that comes with the package, so that a first match costs nothing.

    python studies/ship_spectra.py examples               # computes what the cache lacks, then writes the library
    python studies/ship_spectra.py examples minerals      # hours on one core; a killed run continues
    python studies/ship_spectra.py examples minerals amcsd-0009200 --max-atoms 20 --seconds 60   # what is quick
    python studies/ship_spectra.py examples minerals amcsd-0009200 --only-kept     # what shipped last
    python studies/ship_spectra.py examples --theory NAME # of another level of theory

Sites are found by structure, site, settings and version of the code (`matching.spectrum_store`), so a library of an
older engine is ignored and no wrong spectrum is ever taken.
"""

from __future__ import annotations

import argparse
from copy import copy
from dataclasses import replace
from itertools import product
from pathlib import Path

from xanesflow.codes.engine import Engine
from xanesflow.core.errors import XanesflowError
from xanesflow.core.parallel import cores
from xanesflow.core.sites import ELEMENTS
from xanesflow.matching.candidates import Narrowing, find_candidates
from xanesflow.matching.compute_candidates import DEFAULT_THEORY, compute_missing, make_engine, plan_spectra
from xanesflow.matching.spectrum_store import SHIPPED, SpectrumStore, StoredSpectrum, write_library

STEP_EV = 0.25
"""Core holes of 3d metals broaden by 1 eV and more, so nothing is lost."""


def main() -> None:
    """Compute and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("given", nargs="+", help="as STRUCTURE... of `xanesflow match`")
    parser.add_argument("--theory", default=DEFAULT_THEORY)
    parser.add_argument("--cache", type=Path, default=None)
    parser.add_argument("--max-atoms", type=int, default=None, help="compute only structures of so few")
    parser.add_argument("--seconds", type=float, default=None, help="leave a site out that takes longer")
    parser.add_argument("--only-kept", action="store_true", help="compute nothing; ship what the cache has")
    given = parser.parse_args()
    store = SpectrumStore(given.theory, given.cache)
    asked = Narrowing(max_atoms=given.max_atoms)
    spectra: dict[str, StoredSpectrum] = {}
    for element, one in product(ELEMENTS, given.given):  # each alone, as duplicates are left out of a whole
        try:
            candidates, _ = find_candidates([one], element)
        except XanesflowError as error:
            print(error)
            continue
        engine = make_engine(given.theory, element)
        if given.seconds:
            engine = hurried(engine, given.seconds)
        plan = plan_spectra(candidates, engine, store)
        small = {each.id for each in candidates if asked.keeps(each.material)}
        asked_for = replace(plan, sites=tuple(site for site in plan.sites if site.material_id in small))
        print(f"{element} in {one}: {len(asked_for.sites)} sites, {len(asked_for.missing)} not kept", flush=True)
        found = plan.known if given.only_kept else compute_missing(asked_for, engine, store, workers=cores())
        spectra |= {key: spectrum for key, spectrum in found.items() if not spectrum.failure}
    path = SHIPPED / f"{given.theory}.npz"
    write_library(path, spectra, step_ev=STEP_EV)
    print(f"{path}: {len(spectra)} sites, {path.stat().st_size / 1e6:.2f} MB")


def hurried(engine: Engine, seconds: float) -> Engine:
    """The engine, for which a site that takes longer counts as hung; its settings, and so the spectra's names, stay."""
    impatient = copy(engine)
    impatient.__class__ = type("Hurried", (type(engine),), {"time_limit": seconds})
    return impatient


if __name__ == "__main__":
    main()
