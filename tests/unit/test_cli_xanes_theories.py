"""`xanesflow xanes` with the real FEFF 10: a small cluster, its stages, its folder, and options that are another's."""

import io
import re
from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest
from command_line import call
from feff_runs import poscar, write_files
from pymatgen.core import Lattice, Structure

from xanesflow.codes import run_engine
from xanesflow.codes.feff.quick_look import FeffLook
from xanesflow.codes.quick_look import quick_look_of
from xanesflow.codes.registry import FEFF
from xanesflow.config.campaign import Campaign
from xanesflow.config.model import Config
from xanesflow.core.errors import BadRunError
from xanesflow.core.units import BOHR_ANGSTROM

SHELL = [place for place in product((-1.805, 0, 1.805), repeat=3) if np.count_nonzero(place) == 2]


def thirteen_atoms(folder):
    """A cluster of copper in an empty box, so that FEFF takes seconds."""
    places = np.array([(0, 0, 0), *SHELL]) + 10
    path = folder / "copper.vasp"
    path.write_text(poscar(Structure(Lattice.cubic(20), ["Cu"] * 13, places, coords_are_cartesian=True)))
    return path


def test_the_real_feff_computes_a_site_and_shows_its_stages(tmp_path):
    arguments = [thirteen_atoms(tmp_path), "--site", 0, "--theory", "FEFF", "--settings", "quick"]
    code, out, err = call("xanes", *arguments, "--output", tmp_path / "out", "--keep", tmp_path / "kept")
    assert code == 0, err
    said = err.splitlines()
    assert re.fullmatch(r"Expected time: about \d+ s, more if the machine is busy or slow\.", said[1])
    stages = [line.removeprefix("Cu 0 (×1): ") for line in said if line.startswith("Cu 0")]
    assert any(re.fullmatch(r"self-consistent field, iteration \d+", stage) for stage in stages)
    assert "Theory: FEFF 10; see docs/guide/feff.md." in err

    # The table has what stands in FEFF's own file: mu times the edge step, in bohr².
    run = tmp_path / "kept/Cu_000"
    own = (run / "xmu.dat").read_text()
    rows = np.array([line.split() for line in own.splitlines() if not line.lstrip().startswith("#")], dtype=float)
    edge_step = float(re.search(r"used to normalize mu +(\S+)", own)[1])
    text = (tmp_path / "out/copper_Cu_xanes.csv").read_text()
    table = pd.read_csv(io.StringIO(text), comment="#")
    np.testing.assert_allclose(table["energy_eV"], rows[:, 0], atol=1e-3)
    np.testing.assert_allclose(table["Cu_000 (x1)"], rows[:, 3] * edge_step / BOHR_ANGSTROM**2, rtol=1e-5)
    edge = float(re.search(r"Cu_000 \(x1\): edge ([\d.]+) eV; (\d+) iterations", text)[1])
    # The edge is where FEFF's energy is the Fermi level of its header, and the wave number is zero.
    fermi = float(re.search(r"Mu= *([-+.E\d]+)eV", own)[1])
    assert edge == pytest.approx(np.interp(fermi, rows[:, 1], rows[:, 0]), abs=0.02)
    assert edge == pytest.approx(np.interp(0.0, rows[:, 2], rows[:, 0]), abs=1e-3)
    assert '"SCF": "3.5 0 100 0.2 3"' in text and "feff10-rs" in text
    written = (run / "feff.inp").read_text()
    assert re.search(r"^SCF 3\.5 ", written, re.MULTILINE) and "k_grid 0 4 0.06" in written

    # The folder of a run is not written over.
    code, out, err = call("xanes", *arguments, "--output", tmp_path / "out", "--keep", tmp_path / "kept")
    assert (code, out) == (2, "") and "is there already; name another folder with --keep" in err


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--theory", "FEFF", "--core-hole", "on"], "--core-hole is an option of FEFF8L, not of FEFF"),
        (["--theory", "FEFF", "--fms-radius", "4"], "--fms-radius is an option of FEFF8L, not of FEFF"),
        (["--settings", "quick"], "--settings is an option of FEFF and FEFFQ, not of FEFF8L"),
        (["--theory", "FEFF", "--settings", "fast"], "--settings 'fast' is not known; use paper and quick."),
        (["--theory", "VASP"], "--theory 'VASP' is not one that computes single sites; use FEFF"),
        (["--theory", "feff\x1b"], "is not one that computes single sites"),
    ],
)
def test_options_of_another_theory_are_refused_in_a_sentence(tmp_path, options, told):
    code, out, err = call("xanes", "nio-rocksalt", "-o", tmp_path, *options)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert told in err and "\x1b" not in err


def test_files_of_a_run_are_found_by_patterns_too(tmp_path, monkeypatch):
    seen = []

    def reader_of(theory):
        def read(run, shared, **given):
            seen.append(sorted(run.files))
            raise BadRunError("no_output", "none")

        return read

    engine = quick_look_of("FEFF", Campaign(Config()).engine_options("Ni_FEFF"), {}).engine
    monkeypatch.setattr(run_engine, "reader_of", reader_of)
    monkeypatch.setattr(run_engine, "theory_of", lambda name: replace(FEFF, files=("feff.*", "CNBSE/absspct*")))
    write_files(
        tmp_path, dict.fromkeys(("feff.inp", "feff.out", "xmu.dat", "CNBSE/absspct_1", "attempt-1/feff.inp"), "")
    )
    nickel = Structure(Lattice.cubic(3.5), ["Ni"], [[0, 0, 0]])
    with pytest.raises(BadRunError):
        run_engine.read_folder(engine, tmp_path, nickel, 0)
    assert seen == [["CNBSE/absspct_1", "feff.inp", "feff.out"]]


def test_settings_change_the_expected_time_and_the_stage_is_read_from_what_feff_printed(tmp_path):
    options = Campaign(Config()).engine_options("Ni_FEFF")
    paper, quick = (quick_look_of("FEFF", options, {"settings": name}) for name in ("paper", "quick"))
    nio = Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.18), ["Ni", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    (long,), (short,) = (look.expected_seconds(nio, [0]) for look in (paper, quick))
    assert long > 20 * short and paper.options["inputs"] == options["inputs"]

    assert isinstance(quick, FeffLook) and quick.message(tmp_path) == "starting"
    (tmp_path / "attempt-1.out").write_text("xanesflow: rdinp: 0.1 s\nxanesflow: atomic: 0.2 s\n")
    assert quick.message(tmp_path) == "self-consistent field"
    (tmp_path / "attempt-2.out").write_text(
        "xanesflow: rdinp: 0.1 s\nxanesflow: atomic: 0.2 s\nSCF ITERATION NUMBER  9\nSCF ITERATION NUMBER 10\n"
    )
    assert quick.message(tmp_path) == "attempt 2: self-consistent field, iteration 10"
    with (tmp_path / "attempt-2.out").open("a") as out:
        out.write("xanesflow: pot: 9.1 s\nxanesflow: scattering: 1.0 s\n")
    assert quick.message(tmp_path) == "attempt 2: path"
