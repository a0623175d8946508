"""`xanesflow measured`: a table, files and a figure of what was read; one sentence for what cannot be."""

import gzip
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from command_line import call, sentence
from matplotlib.axes import Axes
from measured_files import E0, ENERGY, STEP, counts, mu, perl_group, project, table, xdi
from PIL import Image

from xanesflow.measured import Normalisation, Reading, read_measured
from xanesflow.measured.draw import draw_spectra

MU = mu()


@pytest.fixture
def scan(tmp_path):
    return xdi(tmp_path / "scan.xdi", "i0 itrans", ENERGY, *counts())


def test_the_table_says_what_was_found(scan):
    code, out, err = call("measured", scan)
    assert (code, err) == (0, "")
    assert "Fe K, as stated (tabulated at 7112 eV)" in out
    assert "transmission, XDI (energy=energy, i0=i0, it=itrans)" in out
    assert "7120.00 eV" in out


def test_the_csv_holds_the_spectrum_and_is_read_again_as_it_was_normalised(scan, tmp_path):
    output = tmp_path / "new" / "scan.csv"
    code, out, _ = call("measured", scan, "--output", output, "--post", "60:300", "--order", 0)
    assert code == 0
    assert str(output) in out
    assert "\nenergy_ev,mu,normalised,flattened\n" in output.read_text()
    spectrum = read_measured(scan, None, Normalisation(post=(60, 300), order=0))[0]
    found = pd.read_csv(output, comment="#")
    assert tuple(found) == ("energy_ev", "mu", "normalised", "flattened")
    for name in found:
        assert found[name].to_numpy() == pytest.approx(getattr(spectrum, name), abs=2e-6)
    again = read_measured(output)[0]
    assert again.parameters["mode"] == "normalised"
    assert again.e0_ev == pytest.approx(spectrum.e0_ev, abs=1e-3)
    for name in ("normalised", "flattened"):
        assert getattr(again, name) == pytest.approx(getattr(spectrum, name), abs=1e-5)
    assert read_measured(output, Reading(mode="mu"))[0].edge_step == pytest.approx(STEP, abs=0.03)
    assert "so that --pre, --post and --order have no effect" in "".join(call("measured", output, "--order", 1)[1:])


def test_the_csv_keeps_what_the_spectrum_is(tmp_path):
    path = table(tmp_path / "pr.dat", ENERGY - 1145, MU)  # Pr L3, found as Cr K if nobody says it
    output = tmp_path / "pr.csv"
    assert call("measured", path, "--element", "praseodymium", "--edge", "L3", "--e0", 5973, "-o", output)[0] == 0
    (again,) = read_measured(output)
    assert (again.element, again.edge, again.e0_ev) == ("Pr", "L3", 5973.0)
    assert again.parameters["source"] == "pr.dat" and again.scan == read_measured(path)[0].scan
    assert "5973.00 eV, as the file states" in call("measured", output)[1]
    assert call("measured", output, "-o", tmp_path / "second.csv")[0] == 0
    assert read_measured(tmp_path / "second.csv")[0].scan == again.scan
    assert read_measured(output, None, Normalisation(e0_ev=5974))[0].e0_ev == 5974
    assert read_measured(output, Reading(mode="mu"))[0].e0_ev == pytest.approx(E0 - 1145, abs=0.1)
    output.write_text(output.read_text().replace("e0_ev: 5973.0000", "e0_ev: high"))
    assert "states high as its E0, which is no number" in sentence("measured", output, code=1)


def test_the_json_holds_everything(scan, tmp_path):
    output = tmp_path / "scan.json"
    assert call("measured", scan, "-o", output, "--pre", "-100:-40", "--exclude", "7400:7420")[0] == 0
    found = json.loads(output.read_text())
    spectrum = read_measured(scan)[0]
    assert (found["element"], found["edge"], found["source"]) == ("Fe", "K", "scan.xdi")
    assert found["e0_ev"] == pytest.approx(E0, abs=0.05)
    assert found["edge_step"] == pytest.approx(STEP, rel=0.02)
    known = found["parameters"]
    assert known["pre_edge_range_ev"] == pytest.approx([-100, -40], abs=0.5)
    assert known["excluded_ev"] == [[7400, 7420]]
    assert known["columns"] == {"energy": "energy", "i0": "i0", "it": "itrans"}
    assert set(spectrum.parameters) <= set(known)
    assert len({len(found[name]) for name in ("energy_ev", "mu", "normalised", "flattened", "pre_edge")}) == 1


def test_figures_are_drawn(scan, tmp_path):
    for name in ("a.png", "a.svg", "a.pdf"):
        assert call("measured", scan, "--plot", tmp_path / name)[0] == 0
    with Image.open(tmp_path / "a.png") as image:
        grey = np.asarray(image.convert("L"))
    assert grey.shape[1] > 1200
    assert 0.005 < np.mean(grey < 128) < 0.2
    text = (tmp_path / "a.svg").read_text()
    assert all(word in text for word in ("before the edge", "after the edge", "flattened", "Fe K edge"))
    first = (tmp_path / "a.svg").read_bytes()
    assert call("measured", scan, "--plot", tmp_path / "a.svg")[0] == 0
    assert (tmp_path / "a.svg").read_bytes() == first


def test_several_files_have_a_row_each(scan, tmp_path):
    other = table(tmp_path / "other.dat", ENERGY, mu(noise=0.07))
    code, out, err = call("measured", scan, other, "-o", tmp_path / "both.json", "-p", tmp_path / "both.png")
    assert code == 0
    assert "scan.xdi" in out
    assert err.startswith("other.dat: the noise is")
    assert [each["source"] for each in json.loads((tmp_path / "both.json").read_text())] == ["scan.xdi", "other.dat"]


def test_each_of_many_scans_has_a_look_of_its_own_and_a_name(scan, tmp_path):
    spectrum = read_measured(scan)[0]
    many = [replace(spectrum, source=f"scan {n:02d}") for n in range(16)]
    looks = []
    with pytest.MonkeyPatch.context() as patch:
        plot = Axes.plot

        def drawn(axes, *args, **look):
            if look.get("label", "").startswith(("scan", "_")):
                looks.append((look["color"], look.get("ls")))
            return plot(axes, *args, **look)

        patch.setattr(Axes, "plot", drawn)
        draw_spectra(tmp_path / "many.svg", many)
    assert len(set(looks)) == 16
    text = (tmp_path / "many.svg").read_text()
    assert all(each in text for each in (">scan 00<", ">scan 13<", "and 2 more scans", "half the step of the first"))


@pytest.fixture
def short(tmp_path):
    """A normalised scan with four points more than 15 eV from its edge, too few to tell the noise, and a spike."""
    energy = E0 + np.concatenate([np.arange(-15, 15, 0.5), [16, 18, 20, 22]])
    normalised = 0.5 + np.arctan((energy - E0) / 0.8) / np.pi
    normalised[np.searchsorted(energy, E0 + 10)] += 0.5
    return xdi(tmp_path / "short.xdi", "norm", energy, normalised)


def test_noise_that_is_not_known_is_said_so_and_hides_no_spike(short, scan, tmp_path):
    code, out, err = call("measured", short, "-o", tmp_path / "short.json")
    assert code == 0, err
    assert "not known" in out and "nan" not in out
    assert "single points stand out at 7130.0 eV" in " ".join(err.split())
    assert json.loads((tmp_path / "short.json").read_text())["parameters"]["noise"] is None
    code, out, _ = call("measured", short, scan)
    assert code == 0
    assert "not known" in out and "nan" not in out


def test_files_are_merged_on_request(tmp_path):
    noise = np.random.default_rng(0).normal(size=(3, len(MU)))
    scans = [table(tmp_path / f"{n}.dat", ENERGY, MU + 0.01 * each) for n, each in enumerate(noise)]
    code, out, err = call("measured", *scans, "--merge", "--output", tmp_path / "merged.csv")
    assert code == 0
    assert "3 scans merged" in err
    packed = tmp_path / "packed.dat"
    packed.write_bytes(gzip.compress(scans[0].read_bytes()))
    for copy in (scans[0], packed):
        said = sentence("measured", scans[0], copy, scans[1], "--merge", code=1)
        assert f"0.dat and {copy.name} are one scan, not repeats" in said
    assert "spread of repeats" in out


def test_groups_of_a_project(tmp_path):
    path = project(tmp_path / "a.prj", *(perl_group(k * 5, k, ENERGY, MU, bkg_eshift="2.5") for k in "abc"))
    assert "3 groups: 'a', 'b', 'c'; say which with --group" in sentence("measured", path, code=1)
    code, out, _ = call("measured", path, "--group", "b")
    assert code == 0
    assert "+2.500 eV, as the project says" in out
    assert "7122.50 eV" in out
    assert call("measured", path, "-g", "a", "-g", "c", "--merge")[0] == 0


def test_labels_are_no_markup(tmp_path):
    path = project(tmp_path / "a.prj", perl_group("aaaaa", "[red]$x^2$[/red] [link=x]", ENERGY, MU))
    code, out, _ = call("measured", path, "-p", tmp_path / "a.svg")
    assert code == 0
    assert "[red]$x^2$[/red] [link=x]" in out
    assert "$x^2$" in (tmp_path / "a.svg").read_text()


def test_wrong_calls(scan, tmp_path):
    assert "must end with .csv or .json" in sentence("measured", scan, "-o", "a.txt", code=2)
    assert "--plot a.doc must end with .png" in sentence("measured", scan, "-p", "a.doc", code=2)
    assert "is not a range" in sentence("measured", scan, "--pre", "10", code=2)
    assert "is not a range" in sentence("measured", scan, "--exclude", "a:b", code=2)
    assert "holds one spectrum" in sentence("measured", scan, scan, "-o", tmp_path / "a.csv", code=2)
    assert "at least two spectra" in sentence("measured", scan, "--merge", code=2)
    (tmp_path / "a.csv").mkdir()
    assert "is a folder" in sentence("measured", scan, "-o", tmp_path / "a.csv", code=2)
    copy = tmp_path / "mine.csv"
    table(copy, ENERGY, MU, header="energy,mu\n", separator=",")
    before = copy.read_bytes()
    for command in ("measured", "interpret"):
        assert "never overwritten" in sentence(command, copy, "-o", copy, code=2)
        assert "would be read as one" in sentence(command, tmp_path, "-o", tmp_path / "new.csv", code=2)
    assert copy.read_bytes() == before
    assert "does not exist" in sentence("measured", tmp_path / "none.xdi", code=1)
