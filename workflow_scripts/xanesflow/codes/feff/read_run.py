"""Check whether a finished FEFF run is good, and read its spectrum.

FEFF exits 0 after most of its failures and may still leave a plausible xmu.dat. So a run counts as good only if its
files show it: the logs say that each module ended well and that the self-consistent field converged; feff.inp and the
header of xmu.dat name the absorber and its edge; the cluster in feff.inp is the one around the site.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from pymatgen.core import Element, Structure

from xanesflow.codes.feff.read_cards import other_kind
from xanesflow.codes.feff.read_feff_inp import FeffInp, parse_feff_inp
from xanesflow.codes.feff.read_logs import check_cluster, check_log, check_rows, diagnose, log_of
from xanesflow.codes.feff.read_xmu import ABSORBER, OF_ENGINE, Xmu, check_not_zero, parse_xmu
from xanesflow.codes.finished_run import FinishedRun
from xanesflow.codes.read_text import text_of
from xanesflow.codes.registry import FEFF
from xanesflow.codes.run_description import RunDescription, read_files
from xanesflow.core.errors import BadRunError

_HEAD = 2000  # bytes of xmu.dat that name the program
_VERSION = re.compile(r"Feff\s*([\d.]+\w*)", re.IGNORECASE)
_NEIGHBOURS = 12  # distances that tell a site
_SAME_A = 0.01
_HOLES = {"1": "K", "2": "L1", "3": "L2", "4": "L3"}  # numbers of the card HOLE


def read_finished_run(
    run: FinishedRun, shared: FinishedRun | None, *, element: str, structure: Structure | None
) -> Xmu:
    """Read and check a run of a chunk (see `xanesflow.codes.engine.Reader`)."""
    return read_run(run.files, element=element, structure=structure, site_index=run.site_index)


def check_folder(
    folder: Path, *, element: str | None = None, structure: Structure | None = None, site_index: int = 0
) -> None:
    """Check the run in a folder; the arguments are those of `read_run`.

    Raises:
        BadRunError: the run is not good; holds the reason.
    """
    read_run(read_files(folder, FEFF.files), element=element, structure=structure, site_index=site_index)


def describe_folder(folder: Path) -> RunDescription:
    """Say what the run in a folder is, from xmu.dat's header, else from feff.inp.

    Raises:
        BadRunError: a file is unreadable.
    """
    files = read_files(folder, FEFF.files)
    head = text_of("xmu.dat", files.get("xmu.dat", b"")[:_HEAD])
    log = text_of("feff.out", files.get("feff.out", b"")[:_HEAD])
    if OF_ENGINE.search(head):
        return RunDescription("embedded engine")
    version = _VERSION.search(head) or _VERSION.search(log)
    number, shell = None, ""
    if match := ABSORBER.search(head):
        number, shell = int(match[1]), match[2]
    elif files.get("feff.inp", b"").strip():
        try:
            number, edge, *_ = parse_feff_inp(text_of("feff.inp", files["feff.inp"]))
            shell = _HOLES.get(edge or "", edge or "")
        except BadRunError:
            pass  # the check of the run says what is wrong with it
    symbol = _symbol(number) if number is not None else ""
    return RunDescription("FEFF", version[1] if version else "", symbol, shell)


def read_run(
    files: Mapping[str, bytes],
    *,
    element: str | None = None,
    structure: Structure | None = None,
    site_index: int = 0,
) -> Xmu:
    """Read the spectrum of a run, and check everything that its files say.

    Args:
        files: content of `xmu.dat`, `feff.out` and, if they exist, `feff.inp` and FEFF's own logs, which may also
            replace `feff.out`.
        element: symbol of the absorber, whose K edge is required; None: any absorber and edge, as long as feff.inp and
            xmu.dat agree.
        structure: the material; None: the cluster is not compared.
        site_index: 0-based index of the absorber into `structure`.

    Raises:
        BadRunError: the run cannot be used; holds the reason.
    """
    check_kind(files)
    try:
        xmu = parse_xmu(files.get("xmu.dat", b""))
    except BadRunError as error:
        if error.reason == "no_output":
            _explain_missing_spectrum(files, error)
        raise
    compared = check_absorber(xmu, files.get("feff.inp"), element=element, structure=structure, site_index=site_index)
    check_log(files)
    check_cluster(log_of(files), files.get("feff.inp"))
    values = np.stack([xmu.energy_ev, xmu.cross_section, xmu.chi])
    if not np.isfinite(values).all():
        at = int(np.flatnonzero(~np.isfinite(values).all(axis=0))[0])
        raise BadRunError("not_a_number", f"row {at + 1} of xmu.dat holds NaN or an infinite value")
    check_rows(len(xmu.energy_ev), files)
    check_not_zero(xmu)
    return xmu if compared else replace(xmu, compared=False)


def check_kind(files: Mapping[str, bytes]) -> None:
    """Check that a run is of an absorption spectrum near the edge, averaged over directions and spins.

    Raises:
        BadRunError: other_kind_of_spectrum or unreadable.
    """
    head = files.get("xmu.dat", b"")[:_HEAD].decode("utf-8", errors="replace")
    if OF_ENGINE.search(head):
        raise BadRunError(
            "other_kind_of_spectrum",
            "it is a run of the embedded engine (FEFF8L) and not of FEFF; it was checked when it ended, so name only "
            "runs of other codes",
        )
    if detail := other_kind(text_of("feff.inp", files.get("feff.inp", b"")), log_of(files), head):
        raise BadRunError("other_kind_of_spectrum", detail)


def _explain_missing_spectrum(files: Mapping[str, bytes], error: BadRunError) -> None:
    """Refuse a run without a spectrum for the reason in its logs; return if they give none.

    Raises:
        BadRunError: for the reason in the logs.
    """
    log = log_of(files)
    if fault := diagnose(log):
        raise BadRunError(fault.reason, f"there is no xmu.dat: {fault.detail}", fault) from None
    if not log.strip():
        return
    try:
        check_log(files)
    except BadRunError as other:
        raise BadRunError(error.reason, f"{error.detail}; {other.detail}") from None


def check_absorber(
    xmu: Xmu, feff_inp: bytes | None, *, element: str | None, structure: Structure | None = None, site_index: int = 0
) -> bool:
    """Check that a run is the K edge of `element` (None: of the same absorber in all files) at a site of the structure.

    The first `_NEIGHBOURS` atoms around the absorber in feff.inp's cluster, and those as far as the last of them, must
    be at the distances of the site, to 0.01 Å, all together and those of each element. This finds runs whose folder
    numbers the sites of another version of the structure.

    Returns:
        Whether the neighbours were compared: there are a structure and, in feff.inp, atoms.

    Raises:
        BadRunError: wrong_absorber or unreadable.
    """
    # Collect what each file says of the absorber, and what is wanted: the caller's element, or that of feff.inp.
    found = {"xmu.dat": (xmu.atomic_number, xmu.shell)}
    given: FeffInp | None = None
    if feff_inp is not None and feff_inp.strip():
        given = parse_feff_inp(text_of("feff.inp", feff_inp))
        found["feff.inp"] = (given.atomic_number, given.edge)
    wanted, wanted_edge = Element(element).Z if element else None, "K" if element else None
    if element is None and "feff.inp" in found:
        wanted, wanted_edge = found["feff.inp"]
        wanted_edge = _HOLES.get(wanted_edge or "", wanted_edge)
        element = _symbol(wanted) if wanted is not None else None

    # Compare element and edge.
    for file, (atomic_number, edge) in found.items():
        if wanted is not None and atomic_number is not None and atomic_number != wanted:
            raise BadRunError("wrong_absorber", f"the absorber in {file} is {_symbol(atomic_number)}, not {element}")
        if wanted_edge is not None and edge is not None and _HOLES.get(edge, edge) != wanted_edge:
            raise BadRunError("wrong_absorber", f"the edge in {file} is {edge}, not {wanted_edge}")
    if all(number is None for number, _ in found.values()):
        raise BadRunError("wrong_absorber", "neither feff.inp nor the header of xmu.dat names the absorber")

    # Compare the distances to the nearest atoms, all together and those of each element.
    if structure is None or given is None or len(given.distances_a) == 0:
        return False
    distances = given.distances_a * given.scale
    distances = distances[distances <= distances[:_NEIGHBOURS][-1] + _SAME_A]
    neighbours = given.neighbours[: len(distances)]
    centre, radius = structure[site_index].coords, float(distances[-1]) + 0.05
    around: Any = structure.lattice.get_points_in_sphere(structure.frac_coords, centre, radius, zip_results=False)
    order = np.argsort(around[1])[1:]  # the first is the absorber itself
    at_site = around[1][order]
    numbers = np.array(structure.atomic_numbers)[around[2][order]]
    pairs = [(distances, at_site)]
    pairs += [(distances[neighbours == z], at_site[numbers == z]) for z in np.unique(neighbours) if z]
    # The outermost shell of a small cluster may be cut, so the site may have more atoms.
    if any(len(site) < len(run) or np.abs(site[: len(run)] - run).max() > _SAME_A for run, site in pairs):
        detail = f"the cluster in feff.inp is not the one around site {site_index} of POSCAR"
        raise BadRunError("wrong_absorber", detail)
    return True


def _symbol(atomic_number: int) -> str:
    return Element.from_Z(atomic_number).symbol if 0 < atomic_number < 119 else f"Z={atomic_number}"
