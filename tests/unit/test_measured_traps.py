"""Files as they should not be: each ends in one sentence that says what is wrong, or is read with a remark."""

import gzip
import os
import tracemalloc

import numpy as np
import pytest
from measured_files import E0, ENERGY, STEP, counts, mu, perl_group, project, table, xdi

from xanesflow.core.errors import XanesflowError
from xanesflow.measured import Normalisation, Reading, read_measured

MU = mu()
I0, IT = counts()
ANGLES = np.linspace(17, 13, 200)
FORTY = np.linspace(6960, 7700, 40)
RANDOM = np.random.default_rng(7)
FOREIGN = "\x1b[31m\x07\u202eevil\x1b]0;owned\x07"


def content(data):
    return lambda path: path.write_bytes(data if isinstance(data, bytes) else data.encode())


def within(low, high):
    """A table of the made-up spectrum between two energies about its edge."""
    energy = np.arange(E0 + low, E0 + high)
    return lambda path: table(path, energy, mu(energy))


def two_scans(begins, second=""):
    """Scans of manganese and iron in one file, each below what begins it."""
    scans = ((begins, ENERGY - 580, ENERGY < 7185), (second or begins, ENERGY, ENERGY > 7050))
    rows = ("".join(f"{e:.1f} {m:.5f}\n" for e, m in zip(energy[k], MU[k], strict=True)) for _, energy, k in scans)
    return content("\n".join(start + each for (start, *_), each in zip(scans, rows, strict=True)))


TRAPS = {
    "nothing in it": (content(""), "is empty"),
    "blank lines": (content("\n \n\t\n"), "is empty"),
    "random bytes": (content(RANDOM.bytes(20_000)), "is not text"),
    "zeros": (content(bytes(10_000)), "is not text"),
    "an Excel sheet": (content(b"PK\x03\x04" + RANDOM.bytes(2000)), "Excel.*export"),
    "NeXus": (content(b"\x89HDF\r\n\x1a\n" + bytes(1000)), "HDF5"),
    "prose": (content("To be, or not to be, that is the question.\n" * 50), "no table of numbers"),
    "damaged gzip": (content(b"\x1f\x8b\x08\x00" + RANDOM.bytes(500)), "damaged gzip|end is missing"),
    "a folder": (lambda path: path.mkdir(), "is a folder"),
    "missing": (lambda path: None, "does not exist"),
    "a pipe": (os.mkfifo, "not a regular file"),
    "few rows": (lambda p: table(p, ENERGY[:12], MU[:12]), "12 rows only"),
    "40 points of an EXAFS": (lambda p: table(p, FORTY, mu(FORTY)), "too few"),
    "three columns without names": (lambda p: table(p, ENERGY, I0, IT), "3 columns, 1: 6960 to .*--columns"),
    "both signals": (
        lambda p: xdi(p, "i0 itrans ifluor", ENERGY, I0, IT, I0 * MU),
        "transmission and fluorescence.*--mode transmission or --mode fluorescence",
    ),
    "reference alone": (lambda p: xdi(p, "irefer", ENERGY, IT), "does not say which"),
    "I0 alone": (lambda p: xdi(p, "i0", ENERGY, I0), "does not say which"),
    "keV": (lambda p: table(p, ENERGY / 1000, MU), "cannot be eV; give --energy-unit keV"),
    "eV said of keV": (lambda p: xdi(p, "mutrans", ENERGY / 1000, MU), "not possible; check --energy-unit"),
    "angles": (lambda p: table(p, ANGLES, MU[:200]), "--energy-unit deg"),
    "angles without spacing": (lambda p: table(p, ANGLES, MU[:200], header="# theta mu\n"), "d-spacing"),
    "a spacing of nan": (
        lambda p: table(p, ANGLES, MU[:200], header="# XDI/1.0\n# Mono.d_spacing: nan\n# theta mu\n"), "d-spacing"
    ),
    "steps of a motor": (lambda p: table(p, 3e5 - 20 * ENERGY, MU), "falls|not possible"),
    "columns swapped": (lambda p: table(p, MU, ENERGY), "cannot be eV.*--columns energy=N"),
    "counts swapped": (lambda p: xdi(p, "i0 itrans", ENERGY, IT, I0), "falls.*swapped"),
    "transmitted counts": (lambda p: table(p, ENERGY, IT), "falls"),
    "commas alone": (content("".join(f"{e:.0f},{e:.0f}\n" for e in ENERGY)), "--decimal"),
    "signs between thousands": (
        content("".join(f"{e:,.1f}  {m:.4f}\n" for e, m in zip(ENERGY, MU, strict=True))), "signs between thousands"
    ),
    "rows of two kinds": (
        content("".join(f"{e} 0.5\n" if e < 7120 else f"{e} 0.5 1\n" for e in ENERGY)),
        "different numbers of columns",
    ),
    "two columns of one name": (lambda p: table(p, ENERGY, MU, MU, header="# energy mu mu\n"), "column 2 .mu. and col"),
    "two columns for the energy": (
        lambda p: table(p, ENERGY, ENERGY, MU, header="# energy e mu\n"), "may all be the energy; say which"
    ),
    "no points at the edge": (
        lambda p: table(p, *(each[abs(ENERGY - E0) > 6] for each in (ENERGY, MU))), "no points between 7113.5 and 7126"
    ),
    "fluorescence of zero": (lambda p: xdi(p, "i0 ifluor", ENERGY, I0, 0 * IT), "100% of the counts of if are not"),
    "two scans": (lambda p: table(p, np.tile(ENERGY, 2), np.tile(MU, 2)), "several scans"),
    "two scans of SPEC": (two_scans("#S 1 Mn\n#L energy  mu\n", "#S 2 Fe\n#L energy  mu\n"), "several scans"),
    "two scans below one name": (two_scans("energy mu\n"), "several scans"),
    "two scans far apart": (two_scans("\n"), "several scans"),
    "channels of fluorescence": (
        lambda p: xdi(p, "i0 ifluor ifluor_2 ifluor_3", ENERGY, I0, I0 * MU, 0 * I0, I0 * MU),
        "3 channels of fluorescence .ifluor, ifluor_2, ifluor_3.*--columns energy=1,i0=2,if=3.4.5",
    ),
    "NaN alone": (lambda p: table(p, ENERGY, MU * np.nan), "no numbers"),
    "energies of NaN": (lambda p: table(p, ENERGY * np.nan, MU), "no numbers"),
    "counts of zero": (lambda p: xdi(p, "i0 itrans", ENERGY, I0, 0 * IT), "not positive"),
    "constant": (lambda p: table(p, ENERGY, 0 * MU + 1), "no absorption edge"),
    "noise": (lambda p: table(p, ENERGY, RANDOM.normal(size=len(ENERGY))), "no absorption edge"),
    "a slope": (lambda p: table(p, ENERGY, 1e-3 * ENERGY), "no absorption edge"),
    "a parabola": (lambda p: table(p, ENERGY, 1e-6 * (ENERGY - 6900) ** 2), "no absorption edge|begins|ends"),
    "much noise": (lambda p: table(p, ENERGY, mu(noise=0.6)), "noise|no absorption edge"),
    "begins after the edge": (
        lambda p: xdi(p, "mutrans", *(each[ENERGY > E0 + 20] for each in (ENERGY, MU))), "begins above the Fe K edge"
    ),
    "begins late": (within(-6, 300), "begins . eV before|no absorption edge"),
    "ends early": (within(-150, 20), "ends .* eV after"),
    "ends before the edge": (
        lambda p: xdi(p, "mutrans", *(each[ENERGY < E0 - 60] for each in (ENERGY, MU))), "does not hold the Fe K edge"
    ),
    "another element is said": (lambda p: xdi(p, "mutrans", ENERGY, MU, element="Cu"), "does not hold the Cu K edge"),
    "another edge is said": (lambda p: xdi(p, "mutrans", ENERGY, MU, edge="L3"), "Fe L3 edge"),
    "no element": (lambda p: xdi(p, "mutrans", ENERGY, MU, element="Xx"), "no element with such an edge"),
    "no K edge there": (lambda p: table(p, ENERGY + 300, MU), "near no K edge.*--element"),
    "an edge 100 eV off": (
        lambda p: xdi(p, "mutrans", ENERGY + 100, MU), "edge at 7220 eV is not near that of Fe K.*check --element"
    ),
    "a project of another version": (content("# Athena project file -- version 99\n@x = (1,2\n"), "version"),
    "a project without groups": (project, "without a group"),
    "a project cut off": (
        content("# Athena project file -- version 1\n" + perl_group("a", "b", ENERGY, MU)[:3000]), "damaged"
    ),
    "a project with words for numbers": (
        lambda p: project(p, perl_group("a", "b", ENERGY, MU).replace("@y = ('", "@y = ('x")), "damaged"
    ),
    "quotes that never end": (content("# Athena project file -- 1\n@args = (" + "\\'" * 200_000 + ";\n"), "damaged"),
    "brackets that never end": (content('{"__": "# Athena project file -- ", "a": ' + "[" * 200_000), "damaged"),
    "χ(k)": (lambda p: project(p, perl_group("a", "b", ENERGY, MU, is_chi="1")), "χ"),
    "control characters": (content(FOREIGN + "\n" + "nothing here\n" * 10), "no table|not text"),
}  # fmt: skip


@pytest.mark.parametrize("name", TRAPS)
def test_one_sentence_for_each(name, tmp_path):
    make, expected = TRAPS[name]
    path = tmp_path / "scan.dat"
    make(path)
    with pytest.raises(XanesflowError, match=expected) as raised:
        read_measured(path)
    sentence = str(raised.value)
    assert sentence.isprintable()
    assert sentence.endswith(".")
    assert len(sentence) < 420


def test_huge_files_are_not_read(tmp_path):
    path = tmp_path / "scan.dat"
    with path.open("wb") as opened:
        opened.truncate(5_000_000_000)  # takes no space
    tracemalloc.start()
    with pytest.raises(XanesflowError, match="5000 MB"):
        read_measured(path)
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


def test_bombs_are_not_unpacked(tmp_path):
    import zlib

    packer = zlib.compressobj(wbits=31)
    packed = b"".join(packer.compress(bytes(10_000_000)) for _ in range(40)) + packer.flush()
    (tmp_path / "a.prj").write_bytes(packed)
    with pytest.raises(XanesflowError, match="unpacks to more than 200 MB"):
        read_measured(tmp_path / "a.prj")


def test_all_members_of_a_packed_file_are_read(tmp_path):
    text = table(tmp_path / "a.dat", ENERGY, MU).read_bytes()
    (tmp_path / "a.dat.gz").write_bytes(gzip.compress(text[:4000]) + gzip.compress(text[4000:]))
    assert len(read_measured(tmp_path / "a.dat.gz")[0].energy_ev) == len(ENERGY)


def test_packed_columns_have_a_limit_too(tmp_path):
    (tmp_path / "a.dat").write_bytes(gzip.compress(b"7000.0 0.5\n" * 2_000_000))
    with pytest.raises(XanesflowError, match="22 MB of text"):
        read_measured(tmp_path / "a.dat")


def test_names_of_groups_cannot_upset_a_terminal(tmp_path):
    path = project(tmp_path / "a.prj", *(perl_group(key, key + FOREIGN, ENERGY, MU) for key in ("aaaaa", "bbbbb")))
    with pytest.raises(XanesflowError) as raised:
        read_measured(path)
    assert str(raised.value).isprintable()
    path = xdi(tmp_path / "b.xdi", "mutrans", ENERGY, MU, more=f"# Sample.name: {FOREIGN}\n")
    assert read_measured(path)[0].parameters["sample"].isprintable()


def remarks(path, reading=None):
    spectrum = read_measured(path, reading)[0]
    assert spectrum.e0_ev == pytest.approx(E0, abs=0.5)
    assert spectrum.edge_step == pytest.approx(STEP, rel=0.05)
    return " ".join(spectrum.remarks)


def test_spikes_are_shown_and_left_out_on_request(tmp_path):
    spoilt = MU.copy()
    at = int(np.searchsorted(ENERGY, 7142.0))
    spoilt[at] += 4 * STEP  # far above the edge, its derivative too
    path = table(tmp_path / "a.dat", ENERGY, spoilt)
    said = remarks(path)
    assert "7142.0 eV" in said
    assert "--exclude 7141.95:7142.05" in said
    assert "stand out" not in remarks(path, Reading(exclude=((7141.95, 7142.05),)))


@pytest.mark.parametrize("length", (2, 4, 6))
def test_several_points_that_stand_out_in_a_row_are_shown(length, tmp_path):
    spoilt = MU.copy()
    at = int(np.searchsorted(ENERGY, 7142.0))
    spoilt[at : at + length] -= 0.3 * STEP
    last = ENERGY[at + length - 1]
    said = remarks(table(tmp_path / "a.dat", ENERGY, spoilt))
    assert f"points stand out at 7142.0 to {last:.1f} eV" in said and f"--exclude 7141.95:{last + 0.05:.2f}" in said


def test_a_glitch_before_the_edge_is_not_taken_for_it(tmp_path):
    spoilt = MU.copy()
    spoilt[int(np.searchsorted(ENERGY, 7050.0))] += 5 * STEP
    assert "7050.0" in remarks(table(tmp_path / "a.dat", ENERGY, spoilt), None)


def test_a_pre_edge_peak_is_not_taken_for_the_edge(tmp_path):
    peak = 0.7 * STEP * np.exp(-0.5 * ((ENERGY - (E0 - 15)) / 1.0) ** 2)
    spectrum = read_measured(table(tmp_path / "a.dat", ENERGY, MU + peak))[0]
    assert spectrum.e0_ev == pytest.approx(E0, abs=0.1)
    assert spectrum.parameters["largest_derivative_ev"] is not None


def test_a_number_with_a_point_in_the_header_says_nothing_of_decimal_commas(tmp_path):
    path = table(
        tmp_path / "a.dat", ENERGY, MU, header="d-spacing\n3,1356\n".replace(",", "."), separator="\t", comma=True
    )
    spectrum = read_measured(path)[0]
    assert spectrum.mu == pytest.approx(MU, abs=1e-7)


def test_what_may_be_another_edge_or_has_no_effect_is_remarked_on(tmp_path):
    nickel = table(tmp_path / "a.dat", ENERGY + 1249, MU)  # half of the step at 8369 eV: Ni K 8333, Er L3 8358
    assert "nearer to Er L3 (8358 eV) than to Ni K" in " ".join(read_measured(nickel)[0].remarks)
    praseodymium = table(tmp_path / "p.dat", ENERGY - 1145, MU)  # at 5975 eV, below Cr K
    assert "nearer to Pr L3 (5964 eV) than to Cr K" in " ".join(read_measured(praseodymium)[0].remarks)
    cerium = table(tmp_path / "c.dat", ENERGY - 1392, MU)  # at 5728 eV
    (spectrum,) = read_measured(cerium, None, Normalisation(edge="L3"))
    assert (spectrum.element, spectrum.edge) == ("Ce", "L3") and "nearer" not in " ".join(spectrum.remarks)
    path = table(tmp_path / "b.dat", ENERGY, MU)
    assert read_measured(path, None, Normalisation(element="iron"))[0].element == "Fe"
    assert read_measured(xdi(tmp_path / "i.xdi", "mu", ENERGY, MU, element="Iron"))[0].element == "Fe"
    said = " ".join(read_measured(path, Reading(exclude=((1, 2),), d_spacing=3.1))[0].remarks)
    assert "no point lies within --exclude 1:2 eV" in said and "--d-spacing has no effect" in said


def test_remarks_on_what_is_poor_but_usable(tmp_path):
    broken = MU.copy()
    broken[5:15] = np.nan
    assert "10 points that are no numbers" in remarks(table(tmp_path / "a.dat", ENERGY, broken))
    broken = np.where((ENERGY > 7300) & (ENERGY < 7450), np.nan, MU)  # lost points are no second scan
    assert "points that are no numbers" in remarks(table(tmp_path / "l.dat", ENERGY, broken))
    order = np.arange(len(ENERGY))
    order[[40, 41]] = order[[41, 40]]
    assert "sorted" in remarks(table(tmp_path / "b.dat", ENERGY[order], MU[order]))
    zero = IT.copy()
    zero[3] = 0
    said = remarks(xdi(tmp_path / "c.dat", "i0 itrans", ENERGY, I0, zero))
    assert "1 point left out, where counts of it are not positive" in said and "no number" not in said
    lowered = I0 * (MU - MU[ENERGY < E0 - 40].mean())  # a background was taken off: a third is below zero
    assert "left out" not in remarks(xdi(tmp_path / "if.dat", "i0 ifluor", ENERGY, I0, lowered))
    assert "noise" in remarks(table(tmp_path / "d.dat", ENERGY, mu(noise=0.07)))
    coarse = np.arange(6960, 7700, 2.5)
    assert "details are lost" in remarks(table(tmp_path / "e.dat", coarse, mu(coarse)))
    assert "averaged" in remarks(table(tmp_path / "f.dat", np.repeat(ENERGY, 2), np.repeat(MU, 2)))
    assert "saturates" in remarks(table(tmp_path / "g.dat", ENERGY, np.minimum(MU, mu(np.array([E0 + 8]))[0])))
    path = table(tmp_path / "i.dat", ENERGY, MU)
    lines = path.read_text().split("\n")
    lines[40], lines[120] = "7106.5", "beam lost!"
    path.write_text("\n".join(lines))
    assert "2 damaged lines" in remarks(path)
    near = np.arange(E0 - 25, E0 + 60, 0.5)
    said = remarks(table(tmp_path / "h.dat", near, mu(near)))
    assert "begins 25 eV before" in said
    assert "ends 59 eV after" in said


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (Normalisation(e0_ev=9000), "does not hold --e0 9000"),
        (Normalisation(pre=(-100, 50)), "--pre -100:50"),
        (Normalisation(pre=(-900, -800)), "three points before"),
        (Normalisation(post=(900, 1000)), "three points after"),
        (Normalisation(element="Zn"), "Zn K edge"),
        (Normalisation(element="Fe", edge="Q9"), "no element with such an edge"),
        (Normalisation(edge="L3"), "near no L3 edge|--element"),
        (Reading(columns="energy=1,gold=2"), "not understood at 'gold=2'"),
        (Reading(columns="energy=1+2,mu=2"), "energy is one column, not a sum"),
        (Reading(columns="energy=1,mu=2,mu=1"), "names mu twice"),
        (Reading(columns="energy"), "not understood at 'energy'"),
        (Reading(columns="energy=1,mu=7"), "no column '7'"),
        (Reading(columns="mu=2"), "does not say which"),
        (Reading(mode="fluorescence"), "no columns for fluorescence"),
        (Reading(groups=("a",)), "no Athena project"),
        (Reading(energy_unit="keV"), "check --energy-unit"),
        (Reading(energy_unit="deg", d_spacing=3.1), "between 0 and 90"),
        (Reading(exclude=((0, 7690),)), "usable points|too few"),
    ],
)
def test_choices_that_cannot_be_met(choice, expected, tmp_path):
    given = (None, choice) if isinstance(choice, Normalisation) else (choice,)
    with pytest.raises(XanesflowError, match=expected):
        read_measured(table(tmp_path / "a.dat", ENERGY, MU), *given)
