"""What the page makes of scans: the same files as the commands that it names, and the same sentences."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from command_line import answer, call
from interpretation_data import made_up_sites
from iron_spectra import keep_spectra, measured
from measured_files import ENERGY, mu, perl_group, project, table, xdi
from shared_data import shared

from xanesflow.app import measured_asked, measured_shown, measured_work
from xanesflow.core.errors import XanesflowError
from xanesflow.interpretation import readers
from xanesflow.interpretation.interpreter import Interpreter
from xanesflow.running.do_work import Work

MODEL = "results/interpretation/models/trees-Cu_FEFF-campaign-0.safetensors"
COPPER = np.unique(np.concatenate([np.arange(8800, 8970, 5.0), np.arange(8970, 9040, 0.5), np.arange(9040, 9500, 4.0)]))


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """Kept spectra of all examples that hold iron."""
    folder = tmp_path_factory.mktemp("cache")
    keep_spectra(folder, "examples")
    return folder


@pytest.fixture(scope="module")
def campaign(tmp_path_factory):
    """A campaign with an interpreter of copper."""
    folder = tmp_path_factory.mktemp("campaign")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(readers.TREES, "trees", 5)
        interpreter = Interpreter.fit("trees", made_up_sites(), split="campaign", seed=0, made={})
    interpreter.save(folder / MODEL)
    return folder


@pytest.fixture
def given(tmp_path):
    """Folder of the files that a browser sends."""
    folder = tmp_path / "given"
    folder.mkdir()
    return folder


@pytest.fixture
def do(tmp_path, monkeypatch):
    """Do work; returns its result and the folder with its files."""
    monkeypatch.chdir(tmp_path)
    made = []

    def done(kind, how=(), *, scans, structures=(), standards=(), **more):
        folder = tmp_path / f"work{len(made)}"
        made.append(folder)
        (folder / "scratch").mkdir(parents=True)
        files = {"scans": scans, "structures": structures, "standards": standards}
        given = {name: list(map(str, paths)) for name, paths in files.items()}
        work = Work(folder, json.loads(json.dumps({**given, "how": dict(how), **more})))
        result = json.loads(json.dumps(getattr(measured_work, kind)(work), allow_nan=False))
        return result, folder / "files"

    return done


def run_terminal(result, folder, *more, scans=(), structures=(), standards=()):
    """Run the command that a result names, in a folder with the same files."""
    files = {"scans": scans, "structures": structures, "standards": standards}
    for kind, paths in files.items():
        place = folder if kind == "scans" and len(paths) == 1 else folder / kind
        place.mkdir(parents=True, exist_ok=True)
        for path in paths:
            shutil.copy(path, place)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        code, printed = answer(*result["terminal"][1:], *more)
    assert result["terminal"][0] == "xanesflow" and code == 0, printed
    return printed


def same_files(page, terminal, *names):
    for name in names:
        assert (page / name).read_bytes() == (terminal / name).read_bytes(), name


def scan_of(folder, name="scan.xdi", peak=4.0):
    return xdi(folder / name, "mu", ENERGY, 0.3 + 1.3 * measured(peak))


def test_a_match_gives_the_files_of_the_command_that_it_names(do, given, cache, tmp_path):
    how = {"e0": 7121.5, "pre": [-140, -40.5], "post": [60, 400], "element": "Fe"}
    scan = scan_of(given)
    result, files = do(
        "match_scans", how, scans=[scan], libraries=["examples"], contains="Fe,O", max_atoms=8, cache=str(cache)
    )
    out = run_terminal(result, tmp_path / "user", "--cache", cache, scans=[scan])
    same_files(files, tmp_path / "user", "scan_match.csv", "scan_match.html")
    record = json.loads((files / "scan_match.json").read_text("utf-8"))
    assert result["said"] == record["conclusion"] and result["said"] in " ".join(out.split())
    assert record["reading"]["e0_ev"] == 7121.5 and record["reading"]["ranges_from"] == "given"
    assert [row["cells"][-1] for row in result["rows"]] == [f"{row['certainty']:.0%}" for row in record["rows"]]
    assert result["rows"][0]["fitted"] == record["rows"][0]["fitted"] and "In trials with" in result["known"]
    assert {path.suffix for path in files.iterdir()} == {".csv", ".json", ".svg", ".html"}


def test_own_structures_are_candidates_and_a_series_has_a_row_for_each_scan(do, given, cache, tmp_path):
    from xanesflow.structures.examples import load_examples

    for example in load_examples():
        if example.id in ("fe-bcc", "feo-rocksalt"):
            (given / f"{example.id}.json").write_text(json.dumps(example.structure().as_dict()))
    structures = sorted(given.glob("*.json"))
    keep_spectra(cache, *map(str, structures))
    scans = [scan_of(given, f"s{n}.xdi", 4.0 + n) for n in range(3)]
    bad = given / "notes.txt"
    bad.write_text("no spectrum\n")
    files = {"scans": [*scans, bad], "structures": structures}
    result, written = do("match_scans", **files, libraries=[], contains="", max_atoms=None, cache=str(cache))
    run_terminal(result, tmp_path / "user", "--cache", cache, **files)
    same_files(written, tmp_path / "user", "scans_match.csv")
    assert [row["cells"][0] for row in result["rows"]] == ["s0.xdi", "s1.xdi", "s2.xdi"]
    assert [row["scan"] for row in result["rows"]] == [0, 1, 2] and len(result["curves"]) == 3
    assert any(each.startswith("Left out: notes.txt") for each in result["remarks"])
    files["scans"] = [scans[0], bad]  # a series still
    result, written = do("match_scans", **files, libraries=[], contains="", max_atoms=None, cache=str(cache))
    run_terminal(result, tmp_path / "one", "--cache", cache, **files)
    same_files(written, tmp_path / "one", "scans_match.csv")
    assert "scan" in pd.read_csv(written / "scans_match.csv")


def test_standards_are_mixed_and_ranked_as_by_the_commands(do, given, tmp_path):
    standards = [scan_of(given, f"{name}.xdi", peak) for name, peak in (("oxide", 4.0), ("metal", 12.0), ("salt", 8.0))]
    scan = xdi(given / "scan.xdi", "mu", ENERGY, 0.7 * measured(4.0) + 0.3 * measured(12.0))
    files = {"scans": [scan], "standards": standards}
    result, written = do("mix_scans", **files, most=2, sum_to_one=True)
    run_terminal(result, tmp_path / "mix", **files)
    same_files(written, tmp_path / "mix", "scan_mix.csv")
    assert result["rows"][0]["cells"][1] == "metal\noxide" and "0.700" in result["rows"][0]["cells"][2]
    assert not any("farther than allowed" in each for each in result["remarks"])
    far = [xdi(given / f"far{n}.xdi", "mu", ENERGY + 2.0, measured(peak)) for n, peak in enumerate((4.0, 12.0))]
    moved, _ = do("mix_scans", scans=[scan], standards=far, most=2, sum_to_one=False)
    assert any("far0 and far1 would be shifted farther than allowed" in each for each in moved["remarks"])
    ranked, written = do("match_scans", **files, measured=True)
    run_terminal(ranked, tmp_path / "rank", **files)
    same_files(written, tmp_path / "rank", "scan_match.csv")
    own, _ = do("match_scans", scans=[given / "metal.xdi"], standards=standards, measured=True)
    assert "Left out: metal.xdi is the measured spectrum itself." in own["remarks"]
    assert {row["name"] for row in own["rows"]} == {"oxide", "salt"}


def test_a_scan_without_an_answer_costs_the_others_none(do, given):
    ends = [scan_of(given, f"{name}.xdi", peak) for name, peak in (("oxide", 4.0), ("metal", 12.0))]
    mixed = [xdi(given / f"m{n}.xdi", "mu", ENERGY, 0.7 * measured(4.0) + n * measured(12.0)) for n in (1, 2)]
    files = {"scans": [ends[0], *mixed], "standards": ends}
    result, _ = do("mix_scans", **files, most=2, sum_to_one=False)
    assert [row["cells"][0] for row in result["rows"]] == ["m1.xdi", "m2.xdi"]
    assert "Left out: oxide.xdi: A mixture needs at least two standards" in " ".join(result["remarks"])
    result, _ = do("match_scans", scans=[ends[0], *mixed], standards=ends[:1], measured=True)
    assert [row["cells"][0] for row in result["rows"]] == ["m1.xdi", "m2.xdi"]
    assert "Left out: oxide.xdi: No candidate has a spectrum" in " ".join(result["remarks"])


def test_sites_are_read_as_by_the_command_and_foreign_ones_named(do, given, campaign, tmp_path):
    scan = xdi(given / "cu.xdi", "mutrans", COPPER, mu(COPPER, e0=8990.0), element="Cu")
    how = {"e0": 8991.0, "post": [70, 400]}
    result, written = do("interpret_scans", how, scans=[scan], model=str(campaign / MODEL))
    shutil.copytree(campaign / "results", tmp_path / "user" / "results")
    out = " ".join(run_terminal(result, tmp_path / "user", scans=[scan]).split())
    same_files(written, tmp_path / "user", "cu_site.csv")
    (reading,) = result["readings"]
    rows = pd.read_csv(written / "cu_site.csv")
    assert [numbers[0] for numbers in reading["numbers"]] == pytest.approx(rows["value"].tolist(), rel=1e-5)
    assert all(cells[1] in out for cells in reading["cells"]) and bool(reading["warning"]) == rows["foreign"].all()
    drawn = str(list(measured_shown.answer("job", result, -1)))
    assert reading["nearest"] in drawn and "90 % bar" in drawn


def test_a_file_that_cannot_be_interpreted_is_left_out_of_several(do, given, campaign):
    scan = xdi(given / "cu.xdi", "mutrans", COPPER, mu(COPPER, e0=8990.0), element="Cu")
    result, _ = do("interpret_scans", scans=[scan_of(given, "iron.xdi"), scan], model=str(campaign / MODEL))
    assert [reading["source"] for reading in result["readings"]] == ["cu.xdi"]
    assert len(result["remarks"]) == 1 and result["remarks"][0].startswith("Left out: iron.xdi is the K edge of Fe")


def test_normalised_spectra_are_written_as_by_the_command(do, given, tmp_path):
    files = [table(given / f"a{n}.dat", ENERGY, mu(e0=7119.0 + n)) for n in range(2)]
    how = {"columns": "energy=1,mu=2", "mode": "mu", "energy_unit": "eV", "pre": [-120, -30]}
    for scans, name in ((files[:1], "a0_normalised.csv"), (files, "scans_normalised.json")):
        result, written = do("write_scans", how, scans=scans)
        run_terminal(result, tmp_path / name, scans=scans)
        same_files(written, tmp_path / name, name)
        assert (written / name).with_suffix(".svg").is_file()


def test_what_scans_are_is_found_and_what_is_open_is_said_as_by_the_commands(do, given):
    found, _ = do("read_scans", scans=[scan_of(given)], only=None)
    shown = found["shown"]
    assert found["elements"] == ["Fe"] and found["scans"][0]["edge"] == "Fe K" and not found["failed"]
    assert shown["e0"] == pytest.approx(7120.0, abs=1.0) and len(shown["mu"]) == len(ENERGY)
    assert ["edge", "Fe K, as stated (tabulated at 7112 eV)"] in shown["facts"]

    # Columns that are not named, answered.
    counts = table(given / "counts.dat", ENERGY, 1e6 + 0 * ENERGY, 1e6 * np.exp(-mu()), header="# no names\n")
    asked, _ = do("read_scans", scans=[counts], only=None)
    *_, said = call("measured", counts)
    assert asked["failed"]["0"] in " ".join(said.split()) and "shown" not in asked
    answered, _ = do("read_scans", {"columns": "energy=1,i0=2,it=3"}, scans=[counts], only=None)
    assert answered["shown"]["e0"] == pytest.approx(7120.0, abs=0.1)

    # Groups of a project.
    groups = [perl_group(key, label, ENERGY, mu()) for key, label in (("abcde", "foil"), ("fghij", "oxide"))]
    several = project(given / "two.prj", *groups)
    asked, _ = do("read_scans", scans=[several], only=None)
    assert asked["groups"] == ["foil", "oxide"] and "has 2 groups: 'foil', 'oxide'" in asked["failed"]["0"]
    answered, _ = do("read_scans", {"groups": ["oxide", "foil"]}, scans=[several], only=[0, 1])
    assert answered["shown"]["source"] == "two.prj: foil"


def test_many_scans_are_read_as_far_as_is_shown_and_two_elements_are_seen(do, given):
    one = scan_of(given)
    other = xdi(given / "cu.xdi", "mutrans", COPPER, mu(COPPER, e0=8990.0), element="Cu")
    found, _ = do("read_scans", scans=[one, other], only=None)
    said = str(measured_shown.seen({"found": found, "how": {}, "files": []})["about"])
    assert found["elements"] == ["Cu", "Fe"] and "The scans are of Cu and Fe; use those of one element" in said
    many = [Path(shutil.copy(one, given / f"s{n:03d}.xdi")) for n in range(500)]
    found, _ = do("read_scans", scans=many, only=None)
    assert len(found["scans"]) == measured_work.MOST_READ and "470 further scans are read" in found["unread"]
    found, _ = do("read_scans", scans=many[: measured_work.MOST_READ + 1], only=None)
    assert found["unread"].startswith("1 further scan is read")


def test_handles_move_what_is_under_them_and_nothing_else():
    shown = {"e0": 7120.0, "pre": [-150.4, -30.2], "post": [45.0, 570.0]}
    before = {"how": {"columns": "energy=1,mu=2", "pre": [-150, -30]}, "found": {"shown": shown}}
    numbers = measured_shown.numbers(before)
    assert numbers == {"e0": 7120.0, "pre_0": -150, "pre_1": -30, "post_0": 45.0, "post_1": 570.0}

    def moved(told):
        return measured_shown.handled("spectrum", before, numbers, told)

    assert moved({"shapes[2].x0": 7123.456}) == {**before["how"], "e0": 7123.46}
    # The found range is 0.4 eV off what was asked for; the handle moves by as much as the pointer does.
    assert moved({"shapes[0].x0": 6979.6, "shapes[0].x1": 7089.8})["pre"] == [-140.0, -30]
    assert moved({"shapes[1].x1": 7120.0 + 500})["post"] == [45.0, 500.0]
    assert moved({"xaxis.range[0]": 7000.0, "autosize": True}) == before["how"]
    wider = measured_shown.handled("post_1", before, {**numbers, "post_1": 400}, None)
    assert wider["post"] == [45.0, 400]
    assert "pre" not in measured_shown.handled("pre_0", before, {**numbers, "pre_0": None}, None)
    assert measured_shown.handled("reset", before, numbers, None) == {"columns": "energy=1,mu=2"}
    assert measured_shown.handled("pre_0", before, numbers, None) == before["how"]


def test_what_was_set_is_kept_when_a_scan_is_read_again_and_e0_is_set_for_a_scan_alone(do, given):
    scans = [scan_of(given, f"s{n}.xdi", 4.0 + n) for n in range(2)]
    one, two = (do("read_scans", scans=scans[:n], only=None)[0] for n in (1, 2))
    put = {"columns": "energy=1,mu=2", "e0": 7121.5, "pre": [-140, -40], "post": [60, 400]}
    before, form = {"how": put, "found": one}, {"exclude": "7300:7302"}
    assert measured_shown.still_set(before, form) == {name: put[name] for name in ("e0", "pre", "post")}
    assert "e0" not in measured_shown.still_set(before, {"groups": ["other"]})
    assert measured_shown.still_set({"how": put, "found": {"failed": {"0": "Bad."}}}, form) == {}
    for found, alone in ((one, True), (two, False), ({**one, "unread": "470 further scans."}, False)):
        seen = measured_shown.seen({"how": {}, "files": [], "found": found})
        assert seen["off"]["e0"] is not alone and not seen["off"]["pre_0"]
        assert ("Each of several scans has its own E0" in str(seen["about"])) is not alone
        lines = [each["name"] for each in seen["figure"]["data"]]
        assert ("E0" in lines, len(seen["figure"]["layout"]["shapes"])) == (not alone, 3 if alone else 2)


FORM = {"libraries": ["examples"], "contains": "", "max_atoms": None, "most": 3, "sum": [], "model": None}
FILES = {name: [{"id": "0" * 32, "name": "a"}] for name in measured_asked.OWN}
NOWHERE = SimpleNamespace(settings=SimpleNamespace(campaign=None, cache=None))


@pytest.mark.parametrize(
    ("asked", "field", "value", "said"),
    [
        *(("mix", "most", value, "A combination has 1 to 4 standards") for value in (50, 5, 0, -1, 1.5, "2", True, [])),
        *(("match", "max_atoms", value, "a whole number of atoms") for value in (0, 1.5, "8", True)),
        ("interpret", "model", 99, "There is no interpreter"),
    ],
)
def test_limits_of_fields_hold_for_whatever_is_sent(asked, field, value, said):
    assert measured_asked.wanted(NOWHERE, "mix", {**FORM, "most": 4}, FILES)[2]["most"] == 4
    with pytest.raises(XanesflowError, match=said):
        measured_asked.wanted(NOWHERE, asked, {**FORM, field: value}, FILES)


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("columns", ["energy=1,mu=2"], [5, ["energy"], None]),
        ("mode", ["mu", "fluorescence"], ["evil", 7, None, [], ""]),
        ("energy_unit", ["eV", "keV", "deg"], ["MeV", 1, {}]),
        ("d_spacing", [0.1, 3, 20], [0, 21, "3", True, float("nan")]),
        ("element", ["Fe"], [26, []]),
        ("edge", ["L3"], [3, None]),
        ("decimal", ["point", "comma"], ["dot", "", True]),
        ("exclude", ["7135.2:7135.4", "1:2, 3:4"], [7135, ["1:2"]]),
        ("order", [0, 1, 2], [3, -1, 1.0, "1", True]),
        ("groups", [["foil"], []], ["foil", [1]]),
        ("e0", [7112, 7112.5], ["7112", True, float("inf"), [7112]]),
        ("pre", [[-150, -30.5]], [[-150], [None, 1], -150, "ab"]),
        ("post", [[50, 400]], [[1, 2, 3], {"0": 1, "1": 2}]),
    ],
)
def test_how_scans_are_read_is_taken_as_the_fields_give_it_and_else_refused_in_a_sentence(name, right, wrong):
    for value in right:
        assert measured_asked.checked_how({name: value, "files": ["/etc/passwd"]}) == {name: value}
    for value in wrong:
        with pytest.raises(XanesflowError, match=r"^[A-Z].* (is|are) .*; write it so\.$"):
            measured_asked.checked_how({name: value})


def test_what_a_sentence_asks_for_can_be_answered_and_gives_the_command_that_does_it(do, given, tmp_path):
    with pytest.raises(XanesflowError, match="'7135' is not a range"):
        measured_asked.checked_how({"exclude": "7130:7131 7135"})
    scan = given / "commas.dat"
    rows = zip((ENERGY * 10).astype(int).tolist(), (mu() * 1e4).astype(int).tolist(), strict=True)
    scan.write_text("".join(f"{a // 10},{a % 10}  {b // 10000},{b % 10000:04d}\n" for a, b in rows))
    how = {"decimal": "comma", "edge": "K", "element": "Fe", "order": 0, "exclude": "7200:7210,7300:7310"}
    result, written = do("write_scans", measured_asked.checked_how(how), scans=[scan])
    run_terminal(result, tmp_path / "user", scans=[scan])
    same_files(written, tmp_path / "user", "commas_normalised.csv")
    record = json.loads((written / "commas_normalised.json").read_text("utf-8"))["parameters"]
    assert record["excluded_ev"] == [[7200, 7210], [7300, 7310]] and record["post_edge_order"] == 0


@pytest.mark.parametrize("element", ["Cu", "Fe", "Ni"])
def test_measured_scans_are_read_with_all_that_is_drawn(do, element):
    scans = sorted((shared() / "measured" / element).glob("*"))[:3]
    if not scans:
        pytest.skip(f"no measured scans of {element} are here")
    found, _ = do("read_scans", scans=scans, only=None)
    assert found["scans"] or found["failed"]
