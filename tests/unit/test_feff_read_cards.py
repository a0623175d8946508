"""Cards of feff.inp: which kind of spectrum a run is of, and with which physics."""

import pytest
from feff_runs import perovskite, rocksalt, run_files, write_files

from xanesflow.codes.feff.read_cards import other_kind, physics_of, physics_of_inputs, physics_of_run, read_cards
from xanesflow.codes.feff.read_feff_inp import parse_feff_inp
from xanesflow.codes.feff.read_run import read_run
from xanesflow.codes.feff.write_inputs import Feff
from xanesflow.codes.finished_run import FinishedRun
from xanesflow.config.inputs import PAPER_FEFF_CARDS
from xanesflow.core.errors import BadRunError
from xanesflow.core.reasons import REASONS
from xanesflow.simulations.check_runs import check_folder

GOOD = run_files(perovskite(), 1)
PAPER = """TITLE SCF 1.0 and XES of nothing
* XES
EDGE      K
S02       0
COREHOLE  RPA
CONTROL   1 1 1 1 1 1
XANES     4 0.04 0.1
SCF       7.0 0 100 0.2 3
FMS       9.0 0
EXCHANGE  0 0.0 0.0 2
RPATH     -1
EGRID
    k_grid -1 0 0.04
    k_grid 0 6 0.04
POTENTIALS
    0  29  Cu
ATOMS
    0 0 0 0 Cu
END
POLARIZATION 1 0 0
"""


def with_card(card):
    """The files of the good run with another card before POTENTIALS."""
    text = GOOD["feff.inp"].decode()
    assert text.count("POTENTIALS") == 1
    return {**GOOD, "feff.inp": text.replace("POTENTIALS", f"{card}\nPOTENTIALS").encode()}


OTHERS = ["POLARIZATION 0 0 1", "polarization 1 0 0", "ELLIPTICITY 1 0 0 1", "SPIN 1 0 0 1", "CFAVERAGE 1 0 0",
          "XES 4 0.04 0.1", "DANES 4 0.04", "FPRIME 8980 9000", "ELNES 4\n100\n1 0 0", "EXELFS 20", "NRIXS 1 1.5",
          "COMPTON", "XNCD"]  # fmt: skip


@pytest.mark.parametrize("card", OTHERS)
def test_a_run_of_another_kind_is_refused_whatever_its_spectrum(card):
    for files in (with_card(card), {k: v for k, v in with_card(card).items() if k != "xmu.dat"}):
        with pytest.raises(BadRunError) as caught:
            read_run(files)
        assert caught.value.reason == "other_kind_of_spectrum" and caught.value.reason in REASONS
        assert caught.value.detail.startswith(f"feff.inp has the card {card.split()[0].upper()}: ")


@pytest.mark.parametrize("card", ["SPIN 0", "* POLARIZATION 1 0 0", "RPATH -1 ! XES", "TITLE POLARIZATION of XES"])
def test_a_card_that_asks_for_nothing_changes_nothing(card):
    assert read_run(with_card(card)).atomic_number == 29


# As FEFF 10's rdinp prints them for a title that names EXAFS.
SAID = """Launching FEFF version FEFF 10.0.0
Your calculation:
 Cu K edge EXAFS is here
Cu K edge {} using FSR corehole.
Using cards:   ATOMS CONTROL TITLE POTENTIALS EDGE {}
"""


def test_feff_out_tells_the_kind_too():
    assert other_kind("", SAID.format("XANES", "XANES"), "") == ""
    said = other_kind("", SAID.format("XES", "XANES"), "")
    assert said == "feff.out says that the run is of another kind: Cu K edge XES using FSR corehole."
    assert other_kind("", SAID.format("XANES", "XANES POLARIZATION"), "").startswith("feff.out has the card POLARIZ")
    assert other_kind(PAPER, SAID.format("EXAFS", "EXAFS"), "").endswith("Cu K edge EXAFS using FSR corehole.")


def test_a_folder_of_exafs_is_refused_as_such_and_not_as_truncated(tmp_path):
    inp = GOOD["feff.inp"].decode()
    exafs = inp.replace("XANES 4 0.04 0.1", "EXAFS 20").encode()
    none = inp.replace("XANES 4 0.04 0.1", "").encode()
    # The first lines of FEFF 8 Lite, as larch has it, and of its xmu.dat
    lite = b"# copper                                       Feff8L (EXAFS)       0.1\n" + GOOD["xmu.dat"]
    out = b" Feff8L (EXAFS)      release  0.1\n copper\n Calculating potentials ...\n Done with module 1: potentials.\n"
    cases = {
        "exafs": ({"feff.inp": exafs}, "feff.inp has no card XANES, so FEFF computes EXAFS"),
        "none": ({"feff.inp": none}, "feff.inp has no card XANES, so FEFF computes EXAFS"),
        "lite": ({"feff.inp": exafs, "xmu.dat": lite, "feff.out": out}, "Feff8L (EXAFS), a FEFF that computes EXAFS"),
        "logs": ({"feff.inp": b"", "feff.out": out}, "Feff8L (EXAFS), a FEFF that computes EXAFS only"),
    }
    for name, (files, said) in cases.items():
        write_files(tmp_path / name, {**GOOD, **files})
        verdict = check_folder(tmp_path / name)
        assert verdict.reason == "other_kind_of_spectrum" and said in verdict.detail, name
    assert not check_folder(write_good(tmp_path / "good")).reason


def write_good(folder):
    write_files(folder, run_files(rocksalt("Ni"), 0, "Ni"))
    return folder


def test_other_edges_stay_wrong_absorbers():
    with pytest.raises(BadRunError) as caught:
        read_run({**GOOD, "feff.inp": GOOD["feff.inp"].replace(b"EDGE K", b"EDGE L3")}, element="Cu")
    assert caught.value.reason == "wrong_absorber"


def test_cards_are_read_with_the_lines_below_them_and_up_to_the_end():
    cards = read_cards(PAPER)
    assert cards["EGRI"] == ("K_GRID", "-1", "0", "0.04", "K_GRID", "0", "6", "0.04")
    assert cards["SCF"] == ("7", "0", "100", "0.2", "3") and cards["EDGE"] == ("K",)
    assert "POLA" not in cards and "XES" not in cards


def test_physics_cards_are_equal_however_they_are_written():
    expected = (
        "COREHOLE RPA", "EGRID K_GRID -1 0 0.04 K_GRID 0 6 0.04", "FMS 9 0", "S02 0", "SCF 7 0", "XANES 4 0.04 0.1"
    )  # fmt: skip
    assert physics_of(PAPER) == expected == physics_of_inputs({"cards": PAPER_FEFF_CARDS, "radius": 9.0})
    same = {
        "SCF       7.0 0 100 0.2 3": "SCF 7",
        "FMS       9.0 0": "fms 9.000 0 2",
        "EXCHANGE  0 0.0 0.0 2": "",
        "COREHOLE  RPA": "COREHOLE rpa  * as published",
        "RPATH     -1": "CORRECTIONS 0.0 0\nFOLP 1 0.9",
    }
    text = PAPER
    for old, new in same.items():
        assert old in text
        text = text.replace(old, new)
    assert physics_of(text) == expected


@pytest.mark.parametrize("card", ["SCF, 7.0, 0, 100, 0.2, 3", "SCF 7.0d0 0 100", "scf 0.7D+1,0"])
def test_commas_and_fortrans_exponents_are_read_as_feff_reads_them(card):
    """FEFF 10's rdinp writes the same files for all of these forms."""
    assert physics_of(PAPER.replace("SCF       7.0 0 100 0.2 3", card)) == physics_of(PAPER)
    plain = parse_feff_inp("EDGE K\nPOTENTIALS\n0 29 Cu\n1 8 O\nATOMS\n0 0 0 0\n-1.9 0 0 1\nEND\n")
    same = parse_feff_inp("EDGE K\nPOTENTIALS\n0, 29, Cu\n1,8,O\nATOMS\n0.0,0.0,0.0,0\n-0.19D+1, 0d0, 0, 1\nEND\n")
    assert same[:2] == plain[:2] == (29, "K") and same[2].tolist() == plain[2].tolist() == [1.9]


@pytest.mark.parametrize(
    ("old", "new"),
    [("COREHOLE  RPA", "NOHOLE"), ("COREHOLE  RPA", "COREHOLE FSR"), ("SCF       7.0 0", "SCF 7.0 1"),
     ("SCF       7.0", "SCF 6.0"), ("FMS       9.0", "FMS 8.0"), ("EXCHANGE  0 0.0", "EXCHANGE 0 1.0"),
     ("RPATH     -1", "CORRECTIONS 1.0 0"), ("RPATH     -1", "DEBYE 300 400"), ("S02       0", "S02 0.9"),
     ("k_grid 0 6 0.04", "k_grid 0 6 0.08"), ("XANES     4", "XANES 6"),
     ("RPATH     -1", "ION 0 1.0"), ("RPATH     -1", "CHBROAD 1"), ("RPATH     -1", "CHSHIFT 1"),
     ("RPATH     -1", "SCREEN rfms 5.5"), ("RPATH     -1", "EPS0 5"), ("RPATH     -1", "TEMP 1000 1"),
     ("RPATH     -1", "CHWIDTH 1.0"), ("RPATH     -1", "ABSOLUTE"), ("0  29  Cu", "0 29 Cu 3 1"),
     ("0  29  Cu", "0 29 Cu -1 3 0.001")],
)  # fmt: skip
def test_other_physics_is_told_apart(old, new):
    assert old in PAPER
    assert physics_of(PAPER.replace(old, new)) != physics_of(PAPER)


def with_potentials(*lines):
    """The published cards with potentials of CuO."""
    return PAPER.replace("    0  29  Cu", "\n".join(f"    {line}" for line in lines))


def test_angular_momenta_count_however_they_are_left_to_feff():
    left = [
        ("0 29 Cu -1 -1 0.001 0", "1 8 O -1 -1 4"),
        ("0 29 Cu", "1 8"),
        ("* ipot Z tag", "0 29 Cu -1", "1 8 O -1 -2 1 0"),
    ]
    for lines in left:
        assert physics_of(with_potentials(*lines)) == physics_of(PAPER), lines
    other = {
        ("0 29 Cu 3 1", "1 8 O 1 1"): "LMAX 3 1 others 1 1",
        ("0 29 Cu -1 -1", "1 8 O 1 1"): "LMAX -1 -1 others 1 1",
        ("1 29 Cu 3 3 1", "2 8 O -1 3", "3 20 Ca 3 3", "0 29 Cu 3 3"): "LMAX 3 3 others -1 3 and 3 3",
    }
    for lines, said in other.items():
        assert set(physics_of(with_potentials(*lines))) - set(physics_of(PAPER)) == {said}


def test_charges_of_all_potentials_count_and_zeros_do_not():
    charged = PAPER.replace("RPATH     -1", "ION 1 -0.50 of oxygen\nION 0 1.0\nION 2 0.0")
    assert set(physics_of(charged)) - set(physics_of(PAPER)) == {"ION 0 1 1 -0.5"}
    same = "ION 0 0.0\nCHBROAD 0\nCHSHIFT 0 * none of these does anything"
    assert physics_of(PAPER.replace("RPATH     -1", same)) == physics_of(PAPER)
    both = PAPER.replace("RPATH     -1", "SCREEN rfms 5.5\nSCREEN maxl 3")
    assert "SCREEN RFMS 5.5 MAXL 3" in physics_of(both)


def test_the_amplitude_of_the_card_hole_is_that_of_s02():
    bare = PAPER.replace("S02       0", "")
    assert set(physics_of(bare.replace("EDGE      K", "HOLE 1 0.9"))) - set(physics_of(bare)) == {"S02 0.9"}
    assert physics_of(bare.replace("EDGE      K", "HOLE 1 1.0")) == physics_of(bare)
    assert physics_of(PAPER.replace("EDGE      K", "HOLE 1")) == physics_of(PAPER)


def test_a_comment_among_the_atoms_is_no_atom():
    text = GOOD["feff.inp"].decode()
    atoms = text[text.index("ATOMS") :].splitlines()
    for sign in "*!#%;":
        commented = [atoms[0], f"{sign} x y z", *atoms[1:3], f"  {sign} next shell", *atoms[3:]]
        files = {**GOOD, "feff.inp": text.replace("\n".join(atoms), "\n".join(commented)).encode()}
        assert files["feff.inp"] != GOOD["feff.inp"]
        assert read_run(files, structure=perovskite(), site_index=1).atomic_number == 29, sign


def test_of_a_run_the_radius_before_its_correction_counts():
    text = PAPER.replace("SCF       7.0", "SCF 5.6").encode()
    corrected = [{"what": "SCF ca1", "from": 0.2, "to": 0.1}, {"what": "SCF radius", "from": 7.0, "to": 5.6}]
    assert physics_of_run(FinishedRun("m", 0, {"feff.inp": text}, {"corrections": corrected})) == physics_of(PAPER)
    assert physics_of_run(FinishedRun("m", 0, {"feff.inp": text})) == physics_of(text.decode()) != physics_of(PAPER)
    assert physics_of_run(FinishedRun("m", 0, {})) is None


def test_what_our_own_inputs_say_is_what_the_configuration_says(tmp_path):
    """Otherwise every run of a campaign would be left out."""
    changed = [{}, {"SCF": "3.5 0 100 0.2 3", "FMS": "5.5 0"}, {"COREHOLE": None, "NOHOLE": ""}, {"DEBYE": "300 400"},
               {"EGRID": None, "CORRECTIONS": "1.5 0.5"}]  # fmt: skip
    for number, change in enumerate(changed):
        options = {"cards": {**PAPER_FEFF_CARDS, **change}, "radius": 6.0}
        folder = tmp_path / str(number)
        Feff(options, "Cu").write(folder, perovskite(), [1])
        (written,) = folder.rglob("feff.inp")
        assert physics_of(written.read_text()) == physics_of_inputs(options), change
