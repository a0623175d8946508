"""`xanesflow xanes`: one sentence for each mistake, and a table and a plot that hold what was computed."""

import io
import os
import re
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command_line import call, sentence
from feff_runs import poscar, rocksalt
from PIL import Image
from processes import until, working_in
from pymatgen.core import Lattice, Structure
from rich.console import Console
from structure_files import as_json, with_symmetry

import xanesflow
from xanesflow.cli import show_spectra
from xanesflow.codes.feff8l import EngineSettings
from xanesflow.codes.quick_look import quick_look_of
from xanesflow.codes.run_engine import SiteSpectrum
from xanesflow.config.default_engine import default_engine_options
from xanesflow.core.errors import XanesflowError
from xanesflow.spectra import compute_sites, write_xanes
from xanesflow.structures import choose_site

LIBRARY = str(Path(xanesflow.__file__).parents[1])


def fake_record(*, converged=True, rung=1, iterations=8):
    scf = {"converged": converged, "iterations": iterations, "last_change_ev": 0.01 if converged else 0.45}
    return {"rung": "SCF 2.6 Å", "rung_number": rung, "convergence": scf, "fermi_ev": -3.0}


def fake_result(site, first=8970.0, record=None):
    energy = first + 0.137 * site + 0.1 * np.arange(521)
    return SiteSpectrum(energy, 1e-3 * (1 + site) * (1 + np.sin(energy / 3)), record or fake_record())


@pytest.fixture
def fake(monkeypatch):
    """An engine that gives `fake_result` at once; what it is called with, and what it should raise or give by site."""
    calls, special = [], {}

    def run_site(structure, site, look, folder, stop):
        calls.append((site.index, look.engine.options))
        given = special.get(site.index)
        if isinstance(given, Exception):
            raise given
        return given or fake_result(site.index)

    monkeypatch.setattr(compute_sites, "compute_site", run_site)
    return calls, special


@pytest.fixture
def two_sites(tmp_path):
    """A Cu oxide with Cu at 0 (once) and at 1, 2 (twice), as a POSCAR without a telling name."""
    places = [[0, 0, 0], [0, 0, 0.37], [0, 0, 0.63], [0.5, 0.5, 0], [0.5, 0.5, 0.4], [0.5, 0.5, 0.6]]
    structure = Structure(Lattice.tetragonal(3.9, 8.1), ["Cu"] * 3 + ["O"] * 3, places)
    path = tmp_path / "my structure (2)"
    path.write_text(poscar(structure))
    return path


def read(path):
    text = path.read_text(encoding="utf-8")
    header = [line for line in text.splitlines() if line.startswith("#")]
    return header, pd.read_csv(io.StringIO(text), comment="#")


def test_help_names_every_command_and_option():
    code, out, _ = call("--help")
    assert code == 0 and {"xanes", "examples"} <= set(out.split())
    code, out, _ = call("xanes", "--help")
    assert code == 0
    for option in ("--element", "--site", "--output", "--core-hole", "--fms-radius", "--workers", "--symprec"):
        assert option in out


def test_an_example_is_computed_end_to_end(tmp_path):
    code, out, err = call("xanes", "nio-rocksalt", "--element", "ni", "--output", tmp_path / "new" / "folder")
    assert code == 0, err
    names = [f"nio-rocksalt_Ni_xanes.{ending}" for ending in ("csv", "png", "svg")]
    paths = [tmp_path / "new" / "folder" / name for name in names]
    assert sorted(paths) == sorted(paths[0].parent.iterdir())
    assert out.splitlines()[-3:] == [str(path) for path in paths]
    assert "FEFF 8 Lite potentials with own full multiple scattering; see docs/guide/embedded-engine.md" in err
    assert "full multiple scattering" in err.replace("own full multiple scattering", "")  # progress
    header, table = read(paths[0])
    assert list(table) == ["energy_eV", "Ni_000 (x1)", "average"] and len(table) == 521
    np.testing.assert_array_equal(table["Ni_000 (x1)"], table["average"])
    told = "\n".join(header)
    assert all(
        word in told for word in ("NiO", "bohr^2", "fms_radius", "xraylarch", "Fermi level", "rung 1", "converged")
    )
    peak = table["energy_eV"][table["average"].argmax()]
    assert 8340 < peak < 8360 and 1e-3 < table["average"].max() < 4e-3
    row = next(line for line in out.splitlines() if "Ni 0" in line)
    assert f"{peak:.2f}" in row and "converged" in row
    with Image.open(paths[1]) as image:
        image.load()
        assert image.size[0] > 600 and len(image.convert("L").getcolors()) > 5
    assert "NiO" in paths[2].read_text() and "bohr" in paths[2].read_text()


def test_the_average_is_weighted_with_the_multiplicities_over_the_common_energies(fake, two_sites, tmp_path):
    code, out, err = call("xanes", two_sites, "-o", tmp_path)
    assert code == 0, err
    header, table = read(tmp_path / "my_structure_2_Cu_xanes.csv")
    assert list(table) == ["energy_eV", "Cu_000 (x1)", "Cu_001 (x2)", "average"]
    first, second = fake_result(0), fake_result(1)
    energy = table["energy_eV"].to_numpy()
    np.testing.assert_allclose(energy, 8970.2 + 0.1 * np.arange(len(energy)), atol=1e-6)
    assert energy[0] - 0.1 < second.energy_ev[0] <= energy[0] and energy[-1] <= first.energy_ev[-1] < energy[-1] + 0.1
    columns = [np.interp(energy, each.energy_ev, each.cross_section) for each in (first, second)]
    np.testing.assert_allclose(table["Cu_000 (x1)"], columns[0], rtol=2e-6)
    np.testing.assert_allclose(table["Cu_001 (x2)"], columns[1], rtol=2e-6)
    np.testing.assert_allclose(table["average"], (columns[0] + 2 * columns[1]) / 3, rtol=2e-6)
    assert any("interpolated linearly" in line for line in header)
    assert sum(line.startswith("# Cu_00") for line in header) == 2
    average = next(line.split() for line in out.splitlines() if "average" in line)
    assert average[3] == "3"


def test_a_site_is_that_very_atom_and_has_no_average(fake, two_sites, tmp_path):
    calls, _ = fake
    assert call("xanes", two_sites, "--site", 2, "--core-hole", "on", "--fms-radius", 4, "-o", tmp_path)[0] == 0
    assert calls == [(2, EngineSettings(core_hole="on", fms_radius=4.0))]
    assert list(read(tmp_path / "my_structure_2_Cu_xanes.csv")[1]) == ["energy_eV", "Cu_002 (x2)"]


def test_where_the_engine_is_known_to_be_wrong_is_said_and_what_is_nearer():
    look = quick_look_of("FEFF8L", default_engine_options("FEFF8L", "V"), {})
    assert look.notes("Cu") == []  # its Fermi level is learned
    assert "meant for Ti to Cu" in look.notes("Zn")[0]
    (said,) = look.notes("V")
    assert "not corrected for V" in said and "--theory FEFFQ is nearer" in said


def test_a_failed_site_is_told_and_the_others_go_on_without_an_average(fake, two_sites, tmp_path):
    fake[1][0] = XanesflowError("none of 5 settings gave potentials")
    code, out, err = call("xanes", two_sites, "-o", tmp_path)
    assert code == 0
    assert "Cu 0 (×1): no spectrum: none of 5 settings gave potentials" in err
    assert "1 of 2 sites has no spectrum, so there is no average." in err
    header, table = read(tmp_path / "my_structure_2_Cu_xanes.csv")
    assert list(table) == ["energy_eV", "Cu_001 (x2)"]
    assert "# Cu_000 (x1): no spectrum: none of 5 settings gave potentials" in header
    assert "average" not in out


def test_without_any_spectrum_nothing_is_written_and_the_exit_code_is_1(fake, two_sites, tmp_path):
    fake[1].update({0: XanesflowError("no"), 1: ZeroDivisionError("division by zero")})
    before = sorted(tmp_path.iterdir())
    code, out, err = call("xanes", two_sites, "-o", tmp_path)
    assert (code, out) == (1, "")
    assert "None of the 2 sites has a spectrum" in err and "please report it: ZeroDivisionError" in err
    assert sorted(tmp_path.iterdir()) == before


def test_a_field_that_is_no_good_is_told(fake, two_sites, tmp_path):
    fake[1].update({0: fake_result(0, record=fake_record(converged=False, rung=2)),
                    1: fake_result(1, record=fake_record(converged=False, rung=5, iterations=0))})  # fmt: skip
    code, out, err = call("xanes", two_sites, "-o", tmp_path)
    assert code == 0
    assert (
        "Cu 0 (×1): the self-consistent field did not converge" in err and "0.45 eV" in err and "rung 2 was used" in err
    )
    assert "Cu 1 (×2): no self-consistent field could be computed" in err
    assert out.count("not converged") == 2
    header, _ = read(tmp_path / "my_structure_2_Cu_xanes.csv")
    assert any("rung 5" in line and "not converged" in line for line in header)
    once = fake_record(converged=False, iterations=1)
    once["convergence"]["last_change_ev"] = None
    fake[1].update({0: fake_result(0, record=once)})
    code, _, err = call("xanes", two_sites, "-o", tmp_path / "once")
    assert (
        code == 0
        and "Cu 0 (×1): the self-consistent field had a single iteration, so it is not known whether it converged"
        in err
    )


def test_spectra_without_common_energies_are_told(fake, two_sites, tmp_path):
    fake[1][1] = fake_result(1, first=9970.0)
    code, _, err = call("xanes", two_sites, "-o", tmp_path)
    assert code == 1 and "no energies in common" in err


@pytest.mark.parametrize(
    ("name", "content", "element"),
    [
        ("POSCAR", poscar(rocksalt()), "Cu"),
        ("relaxed.txt", with_symmetry(rocksalt()), "Cu"),
        ("structure", as_json(rocksalt()), "Cu"),
        ("a.cif", with_symmetry(rocksalt("Zn")), "Zn"),
    ],
)
def test_any_file_name_will_do(fake, tmp_path, name, content, element):
    folder = tmp_path / "mp-1"
    folder.mkdir()
    (folder / name).write_text(content)
    code, _, err = call("xanes", folder / name, "-e", element, "-o", tmp_path)
    assert code == 0, err
    expected = {"POSCAR": "mp-1", "a.cif": "a"}.get(name, name)
    assert (tmp_path / f"{expected}_{element}_xanes.svg").is_file()
    assert ("accuracy was studied for Cu" in err) == (element == "Zn")


def test_names_that_differ_in_letters_of_any_script_stay_apart_and_what_is_replaced_is_said(fake, tmp_path):
    for name in ("größe", "gräße", "銅"):
        (tmp_path / f"{name}.cif").write_text(with_symmetry(rocksalt()))
        code, _, err = call("xanes", tmp_path / f"{name}.cif", "-o", tmp_path / "out")
        assert code == 0 and "Replaced" not in err
    assert {path.name for path in (tmp_path / "out").glob("*.csv")} == {
        "größe_Cu_xanes.csv", "gräße_Cu_xanes.csv", "銅_Cu_xanes.csv"
    }  # fmt: skip
    code, _, err = call("xanes", tmp_path / "銅.cif", "-o", tmp_path / "out")
    assert code == 0 and "Replaced what was there before: 銅_Cu_xanes.csv, 銅_Cu_xanes.png and 銅_Cu_xanes.svg." in err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["no-such-file"], "There is no file no-such-file"),
        (["nio-rocksalt.cif"], "did you mean nio-rocksalt"),
        (["tio2"], "did you mean tio2-"),
        (["."], "is a folder"),
        (["nio-rocksalt", "-e", "Xx"], "'Xx' is not an element"),
        (["nio-rocksalt", "-e", "Cu"], "NiO holds no Cu, only O and Ni"),
        (["nio-rocksalt", "-e", "Ni", "-s", 1], "Site 1 of NiO is O, not Ni; Ni is at 0"),
        (["nio-rocksalt", "-s", 2], "There is no site 2: NiO has 2 atoms"),
        (["nio-rocksalt", "-e", "O"], "from Na to U, but not that of O"),
        (["nitio3-ilmenite"], "with --element: Ti and Ni are in it"),
        (["nio-rocksalt", "--broaden", ""], "--broaden '' is not understood; write gaussian:WIDTH"),
        (["nio-rocksalt", "--broaden", "gaussian:1e9"], "'gaussian:1e9' is wider than a spectrum"),
    ],
)
def test_a_wrong_call_ends_with_one_sentence_and_2(fake, arguments, told):
    assert told in sentence("xanes", *arguments, code=2)
    assert fake[0] == []


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("notes", "Dear diary\n", "cannot be read"),
        ("picture", "\0\1\2", "binary file"),
    ],
)  # fmt: skip
def test_a_bad_file_ends_with_one_sentence_and_1(fake, tmp_path, name, content, told):
    (tmp_path / name).write_text(content)
    said = sentence("xanes", tmp_path / name, code=1)
    assert told in said and name in said


def test_a_folder_that_cannot_be_written_to_is_told_before_anything_is_computed(fake, tmp_path):
    (tmp_path / "file").touch()
    assert "is not a folder" in sentence("xanes", "nio-rocksalt", "-o", tmp_path / "file", code=2)
    if Path("/proc/self").exists():  # not even root writes there
        assert "cannot be written to" in sentence("xanes", "nio-rocksalt", "-o", "/proc/here", code=1)
    assert fake[0] == []


@pytest.mark.parametrize(
    "wrong",
    [["--site", "-1"], ["--core-hole", "maybe"], ["--fms-radius", "50"], ["--workers", "0"], ["--symprec", "x"]],
)
def test_options_out_of_range_are_refused(wrong):
    code, out, err = call("xanes", "nio-rocksalt", *wrong)
    assert (code, out) == (2, "") and wrong[0] in err


def test_examples_lists_the_library():
    code, out, _ = call("examples")
    assert code == 0 and "nio-rocksalt" in out and "Fe (2), " not in out
    rows = [line for line in out.splitlines() if re.match(r"│ [a-z0-9-]{3,}", line)]
    assert len(rows) > 70
    code, out, _ = call("examples", "--element", "V")
    assert code == 0 and "vo2-rutile" in out and "nio-rocksalt" not in out
    assert "No example has Zn" in sentence("examples", "-e", "Zn", code=2)


def test_several_elements_must_all_be_there():
    code, out, _ = call("examples", "-e", "Ti", "-e", "ni")
    assert code == 0 and "nitio3-ilmenite" in out and "nio-rocksalt" not in out and "tio2-anatase" not in out
    assert "No example has Ni and V as its absorbers" in sentence("examples", "-e", "Ni", "-e", "V", code=2)
    code, out, _ = call("structures", "search", "spinel", "-e", "Mn", "-e", "Li")
    assert code == 0 and "limn2o4-spinel" in out and "mn3o4" not in out


def test_the_cells_of_a_disordered_crystal_are_computed_and_averaged(fake, tmp_path):
    half = Structure(rocksalt("Ni").lattice, [{"Ni": 0.5, "Mg": 0.5}, "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    path = tmp_path / "half.json"
    path.write_text(as_json(half))
    assert "partially occupied sites" in sentence("xanes", path, code=1)
    code, _, err = call("xanes", path, "-e", "Ni", "-o", tmp_path / "out", "--disorder", "random")
    assert code == 0 and "cell 1 of 4 of a disordered crystal: random, seed 0" in " ".join(err.split())
    table = pd.read_csv(tmp_path / "out/half_Ni_xanes.csv", comment="#")
    names = table.columns[1:-1].tolist()
    assert {name.split()[0] for name in names} == {f"cell{k}" for k in (1, 2, 3, 4)} and table.columns[-1] == "average"
    atoms = np.array([int(name.rpartition("x")[2].rstrip(")")) for name in names])
    assert np.allclose(table["average"], table[names].to_numpy() @ atoms / atoms.sum(), rtol=1e-4)
    assert "Leave --site out" in sentence("xanes", path, "-s", "0", "--disorder", "random", code=2)


def test_a_terminal_sees_what_is_at_work(fake, two_sites):
    asked = choose_site.make_request(str(two_sites), None, None, symprec=0.01)
    console = Console(file=io.StringIO(), force_terminal=True, width=100)
    with show_spectra.live_display(2, console) as shown:
        shown.show_message(asked.sites[0], "potentials [SCF]")
        shown._progress.refresh()
        shown.show_message(asked.sites[0], "scattering")
        shown.done(compute_sites.SiteResult(asked.sites[0], fake_result(0), "", 1.5))
        shown._progress.refresh()
    text = console.file.getvalue()
    assert all(word in text for word in ("0 of 2 done", "potentials [SCF]", "1 of 2 done", "done in 1.5 s"))


def test_many_sites_are_drawn_as_a_crowd(two_sites, tmp_path):
    asked = choose_site.make_request(str(two_sites), None, None, symprec=0.01)
    energy = 8970 + 0.1 * np.arange(50)
    for n in (8, 30):
        sites = tuple((choose_site.Absorber("Cu", k, 1), np.full(50, 1e-3 * k)) for k in range(n))
        write_xanes.draw_plot([tmp_path / f"{n}.svg"], asked, write_xanes.Spectra(energy, sites, np.full(50, 1e-2)))
    assert "Cu 7 (×1)" in (tmp_path / "8.svg").read_text()
    assert "30 sites" in (tmp_path / "30.svg").read_text() and "Cu 7 (×1)" not in (tmp_path / "30.svg").read_text()


@pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="looks for processes in /proc")
@pytest.mark.parametrize(
    ("theory", "asked"), [("FEFF8L", signal.SIGINT), ("FEFF", signal.SIGINT), ("FEFF8L", signal.SIGTERM)]
)
def test_ctrl_c_or_sigterm_says_stopped_and_leaves_no_process_and_no_scratch(tmp_path, theory, asked):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "xanesflow", "xanes", "cuo-tenorite", "-t", theory, "-o", str(tmp_path / "out")],
        env={**os.environ, "PYTHONPATH": LIBRARY, "TMPDIR": str(scratch)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        # A process in the background of a shell ignores Ctrl-C, and so does what it starts: these tests may be such.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no threads here
    )  # fmt: skip
    try:
        # FEFF is asked for its version before the folder for the results is made.
        assert until(lambda: (tmp_path / "out").exists() and working_in(scratch)) and process.poll() is None
        process.send_signal(asked)
        _, err = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 130
    assert err.splitlines()[-1] == "stopped" and "Traceback" not in err
    assert working_in(scratch) == [] and list(scratch.iterdir()) == []
    assert list((tmp_path / "out").iterdir()) == []
