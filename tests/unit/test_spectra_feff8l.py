"""Runs of the embedded engine: what is read, what is refused and why, and how failed ones reach curation."""

from dataclasses import replace

import numpy as np
import pytest
from feff_runs import GRID_START_EV, feff_inp, layered
from sentences import tells

from xanesflow.codes import registry
from xanesflow.codes.feff8l.read_run import read_run
from xanesflow.codes.finished_run import FinishedRun
from xanesflow.codes.registry import check_readable
from xanesflow.codes.run_zip import check_record
from xanesflow.core.errors import BadRunError, XanesflowError

START = GRID_START_EV["Cu"]
ENERGY = np.arange(START - 5, START + 45, 0.5)


def table(energy=ENERGY, chi=0.1, mu0=3e-4, header="# absorber Z=29 K\n# energy_ev mu_bohr2 mu0_bohr2\n"):
    background = mu0 * (0.5 + np.arctan(energy - START - 5) / np.pi)
    mu = background * (1 + chi * np.sin(energy / 3))
    rows = [f"{e:.4f} {m:.8e} {b:.8e}" for e, m, b in zip(energy, mu, background, strict=True)]
    return header + "\n".join(rows) + "\n"


def read(text, **files):
    content = {"xmu.dat": text.encode() if isinstance(text, str) else text, **files}
    return read_run(content, element="Cu", structure=layered(), site_index=2)


def test_energies_cross_section_fine_structure_and_absorber_are_read():
    xmu = read(table(), **{"feff.inp": feff_inp(layered(), 2, "Cu").encode()})
    assert np.abs(xmu.energy_ev - ENERGY).max() < 1e-4
    background = 3e-4 * (0.5 + np.arctan(ENERGY - START - 5) / np.pi)
    assert np.abs(xmu.cross_section - background * (1 + 0.1 * np.sin(ENERGY / 3))).max() < 1e-11
    assert np.abs(xmu.chi - background * 0.1 * np.sin(ENERGY / 3) / background.max()).max() < 1e-7
    assert (xmu.atomic_number, xmu.shell) == (29, "K")


ROW = "9000.0 1e-4 1e-4\n"
BAD = {
    "missing": (b"", "no_output", "missing or empty"),
    "binary": (b"\xff\xfe" + table().encode(), "unreadable", "not a text file"),
    "no header": (table(header=""), "wrong_absorber", "does not name"),
    "another element": (table(header="# absorber Z=28 K\n"), "wrong_absorber", "is Ni, not Cu"),
    "another edge": (table(header="# absorber Z=29 L3\n"), "wrong_absorber", "is L3, not K"),
    "header alone": ("# absorber Z=29 K\n", "truncated", "before its first row"),
    "cut in a line": (table()[:-6], "truncated", "ends within a line"),
    "cut in a row": (table() + "9100.0 1e-4\n", "unreadable", "row 101 of xmu.dat has 2 numbers, not 3"),
    "words": (table() + "9100.0 many few\n", "unreadable", "no number"),
    "NaN": (table() + "9100.0 nan 1e-4\n", "not_a_number", "row 101"),
    "infinite": (table() + "9100.0 1e-4 inf\n", "not_a_number", "row 101"),
    "energies fall": (table() + ROW, "unreadable", "do not increase"),
    "all zero": (table(mu0=0), "all_zero", "zero in every row"),
    "atomic background": (table(chi=0), "no_fine_structure", "chi is zero"),
}


@pytest.mark.parametrize(("text", "reason", "said"), BAD.values(), ids=BAD.keys())
def test_a_bad_file_has_its_reason(text, reason, said):
    with tells(match=said, reason=reason, error=BadRunError):
        read(text)


def test_the_cluster_of_another_site_is_found_out():
    with tells(match="not the one around site 2", reason="wrong_absorber", error=BadRunError):
        read(table(), **{"feff.inp": feff_inp(layered(), 3, "Cu").encode()})


def test_a_failed_run_is_refused_for_what_its_record_says_even_with_a_spectrum():
    record = {"outcome": "failed", "reason": "timed_out", "detail": "too long"}
    run = FinishedRun("m", 0, {"xmu.dat": table().encode()}, record)
    with tells(match="too long", reason="timed_out", error=BadRunError):
        check_record(run)
    later = FinishedRun("m", 0, {}, {"outcome": "failed", "reason": "of_a_later_version", "detail": "x"})
    with tells(match="of_a_later_version: x", reason="engine_failed", error=BadRunError):
        check_record(later)


def test_a_theory_without_reader_is_told(monkeypatch):
    monkeypatch.setitem(registry._OWN, "OCEAN", replace(registry.OCEAN, reader=""))
    registry.theory_of.cache_clear(), registry.theories.cache_clear()
    with pytest.raises(XanesflowError, match="cannot read OCEAN runs, only those of EXCITING, FDMNES, FEFF, FEFF8L, "):
        check_readable("OCEAN")
    registry.theory_of.cache_clear(), registry.theories.cache_clear()
