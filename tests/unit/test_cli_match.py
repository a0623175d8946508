"""`xanesflow match`, `mix` and `pca` with kept spectra: files, page, figures, and a sentence for every mistake."""

import gzip
import json
import shutil

import numpy as np
import pandas as pd
import pytest
from command_line import call, sentence
from iron_spectra import keep_spectra, measured
from measured_files import E0, ENERGY, perl_group, project, table, xdi
from trained_campaign import model_of

from xanesflow.core.errors import XanesflowError
from xanesflow.matching import get_references
from xanesflow.matching.get_references import Wanted
from xanesflow.matching.match_files import MatchOutputs, match_files
from xanesflow.matching.write_match import COLUMNS
from xanesflow.measured import Reading, read_measured

NAMES = ("feo-rocksalt", "fe2o3-hematite", "fe-bcc", "feco3-calcite")


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """Kept spectra of examples, each with a white line elsewhere, 3 eV above where they are measured."""
    folder = tmp_path_factory.mktemp("cache")
    keep_spectra(folder, *NAMES)
    return folder


@pytest.fixture
def scan(tmp_path):
    return xdi(tmp_path / "scan.xdi", "mu", ENERGY, 0.3 + 1.3 * measured(4.0))


def test_the_ranking_is_written_and_shown(scan, cache, tmp_path):
    outputs = [tmp_path / name for name in ("out.csv", "out.json", "page.html", "figure.svg")]
    csv, record, page, figure = outputs
    code, out, err = call("match", scan, *NAMES, "--cache", cache, "-o", csv, "--page", page, "-p", figure)
    assert code == 0, err
    assert "4 candidates of Fe with 4 sites: 0 to compute with FEFF8L, 4 kept" in err
    rows = pd.read_csv(csv)
    assert tuple(rows.columns) == COLUMNS
    assert rows["rank"].tolist() == [1, 2, 3, 4]
    assert rows["id"][0] == "feo-rocksalt"
    assert rows["shift_ev"][0] == pytest.approx(-3.0, abs=0.5)
    assert rows["certainty"].sum() == pytest.approx(1.0, abs=1e-3)
    assert rows["certainty"].is_monotonic_decreasing
    assert "siderite may be the right answer at any rank" in err
    text = page.read_text(encoding="utf-8")
    assert "feo-rocksalt" in text
    assert 'src="http' not in text
    assert figure.read_text(encoding="utf-8").count("</svg>") == 1
    assert "RMS" in out
    assert call("match", scan, *NAMES, "--cache", cache, "-o", record)[0] == 0
    known = json.loads(record.read_text(encoding="utf-8"))
    assert known["rows"][0]["oxidation_state"] == 2.0
    assert known["conclusion"] in " ".join(out.split())
    assert len(known["rows"][0]["fitted"]) == len(known["energy_ev"])


def test_a_scan_too_short_to_tell_its_noise_says_so_and_is_written_as_json_that_all_can_read(cache, tmp_path):
    energy = E0 + np.concatenate([np.arange(-15, 15, 0.5), [16, 18, 20, 22]])
    short = xdi(tmp_path / "short.xdi", "norm", energy, np.interp(energy, ENERGY, measured(4.0)))
    page, record = tmp_path / "page.html", tmp_path / "out.json"
    code, _, err = call("match", short, *NAMES, "--cache", cache, "-o", record, "--page", page)
    assert code == 0, err
    assert "not known" in page.read_text() and "nan%" not in page.read_text()
    text = record.read_text()
    assert json.loads(text)["reading"]["noise"] is None and "NaN" not in text


def test_a_folder_of_scans_is_a_series(cache, tmp_path):
    folder = tmp_path / "scans"
    folder.mkdir()
    for number in range(3):
        xdi(folder / f"s{number}.xdi", "mu", ENERGY, 0.3 + measured(4.0 + 1.5 * number))
    (folder / "notes.txt").write_text("no spectrum\n", encoding="utf-8")
    code, _, err = call("match", folder, *NAMES, "--cache", cache, "-o", tmp_path / "o.csv", "-p", tmp_path / "o.png")
    assert code == 0, err
    assert "Left out: notes.txt" in err
    rows = pd.read_csv(tmp_path / "o.csv")
    assert rows.groupby("scan")["rank"].max().to_dict() == {"s0.xdi": 4, "s1.xdi": 4, "s2.xdi": 4}
    assert rows[rows["rank"] == 1]["id"].tolist() == ["feo-rocksalt", rows["id"][4], "fe2o3-hematite"]
    code, _, err = call("match", folder, *NAMES, "--page", tmp_path / "p.html")
    assert code == 2 and "--page shows one spectrum" in err


def test_a_folder_is_a_series_however_many_of_its_scans_can_be_used(cache, tmp_path):
    folder, standards = tmp_path / "scans", tmp_path / "standards"
    for each in (folder, standards):
        each.mkdir()
    scan = xdi(folder / "s.xdi", "mu", ENERGY, 0.3 + measured(4.0))
    (folder / "notes.txt").write_text("no spectrum\n", encoding="utf-8")
    for name, peak in (("oxide", 6.0), ("metal", 12.0)):
        xdi(standards / f"{name}.xdi", "mu", ENERGY, measured(peak))
    for words in (("match", NAMES, "--cache", cache), ("mix", [standards])):
        command, given, *more = words
        for file, of_series in ((folder, True), (scan, False)):
            for output in (tmp_path / "o.csv", tmp_path / "o.json"):
                code, _, err = call(command, file, *given, *more, "-o", output)
                assert code == 0, err
            assert ("scan" in pd.read_csv(tmp_path / "o.csv")) == of_series
            assert isinstance(json.loads((tmp_path / "o.json").read_text("utf-8")), list) == of_series


def test_a_folder_whose_only_file_cannot_be_used_is_refused_in_a_sentence(tmp_path):
    folder = tmp_path / "scans"
    folder.mkdir()
    (folder / "notes.txt").write_text("no spectrum\n", encoding="utf-8")
    code, _, err = call("match", folder, *NAMES)
    assert code == 1
    assert "Left out: notes.txt" in err and "The only file cannot be used, for the reason above." in err


def test_measured_spectra_can_be_candidates(scan, tmp_path):
    folder = tmp_path / "standards"
    folder.mkdir()
    for name, peak in (("oxide", 4.0), ("sulphide", 9.0), ("metal", 12.0)):
        xdi(folder / f"{name}.xdi", "mu", ENERGY + 0.5, 0.2 + 0.9 * measured(peak))
    code, _, err = call("match", scan, folder, "--measured", "-o", tmp_path / "o.csv")
    assert code == 0, err
    rows = pd.read_csv(tmp_path / "o.csv")
    assert rows["id"][0] == "oxide"
    assert rows["shift_ev"][0] == -0.5
    assert rows["certainty"][0] > 0.8
    mixed = xdi(tmp_path / "mixed.xdi", "mu", ENERGY, 0.7 * measured(4.0) + 0.3 * measured(12.0))
    code, _, err = call("mix", mixed, folder, "-o", tmp_path / "m.csv", "-p", tmp_path / "m.svg")
    assert code == 0, err
    best = pd.read_csv(tmp_path / "m.csv").iloc[0]
    assert best["standards"] == "metal;oxide"
    assert [float(each) for each in best["shifts_ev"].split(";")] == pytest.approx([-0.5, -0.5], abs=0.05)
    assert [float(each) for each in best["fractions"].split(";")] == pytest.approx([0.3, 0.7], abs=0.01)
    assert "farther than allowed" not in err
    code, _, err = call("mix", mixed, folder, "--max-shift", 0.2, "-o", tmp_path / "m.json")
    assert code == 0 and "would be shifted farther than allowed" in err and "or raise --max-shift" in err
    limited = json.loads((tmp_path / "m.json").read_text("utf-8"))["mixtures"][0]
    assert limited["at_limit"] == limited["standards"] == ["metal", "oxide"]
    # A spectrum does not explain itself, and that is said
    code, _, err = call("mix", folder / "metal.xdi", folder, "--max", 1, "-o", tmp_path / "own_mix.csv")
    assert code == 0 and "Left out: metal.xdi is the measured spectrum itself" in err
    assert set(pd.read_csv(tmp_path / "own_mix.csv")["standards"]) <= {"oxide", "sulphide"}
    code, _, err = call("match", folder / "metal.xdi", folder, "--measured", "-o", tmp_path / "own.csv")
    assert code == 0 and "metal.xdi is the measured spectrum itself" in err
    assert set(pd.read_csv(tmp_path / "own.csv")["id"]) == {"oxide", "sulphide"}
    # nor is a scan of a folder its own candidate, under whatever name; the others are
    copies = shutil.copytree(folder, tmp_path / "copies")
    (copies / "metal.xdi").rename(copies / "renamed.xdi")
    code, _, err = call("match", copies, folder, "--measured", "-o", tmp_path / "series.csv")
    assert code == 0, err
    series = pd.read_csv(tmp_path / "series.csv")
    pairs = set(zip(series["scan"].str.replace(".xdi", ""), series["id"], strict=True))
    assert not pairs & {("renamed", "metal"), ("oxide", "oxide"), ("sulphide", "sulphide")}
    assert {source for source, _ in pairs} == {"renamed", "oxide", "sulphide"}
    assert "Only 2 candidates were compared" in err
    # A scan that has no answer costs no other scan its own
    code, _, err = call("match", copies, folder / "metal.xdi", "--measured", "-o", tmp_path / "others.csv")
    assert code == 0 and "Left out: renamed.xdi: No candidate has a spectrum" in err
    assert set(pd.read_csv(tmp_path / "others.csv")["scan"]) == {"oxide.xdi", "sulphide.xdi"}
    ends = [folder / f"{name}.xdi" for name in ("oxide", "metal")]
    code, out, err = call("mix", copies, *ends, "-o", tmp_path / "one_left.csv")
    assert code == 0 and "Left out: oxide.xdi: A mixture needs at least two standards" in err
    assert {"oxide", "metal"} == set(pd.read_csv(tmp_path / "one_left.csv")["standards"].str.split(";").explode())
    assert "--workers cannot be used with --measured" in sentence(
        "match", scan, folder, "--measured", "--workers", 2, code=2
    )
    code, out, err = call("pca", folder, "-o", tmp_path / "p.csv", "-p", tmp_path / "p.png")
    assert code == 0, err
    assert "3 components are above the noise of 3 scans" in out
    assert call("pca", folder, "-o", tmp_path / "p.json")[0] == 0


def test_a_spectrum_is_no_candidate_for_itself_if_it_is_packed_or_was_normalised(scan, tmp_path):
    standards = tmp_path / "standards"
    standards.mkdir()
    xdi(standards / "oxide.xdi", "mu", ENERGY, measured(9.0))
    (standards / "packed.dat").write_bytes(gzip.compress(scan.read_bytes()))
    assert call("measured", scan, "-o", standards / "mine.csv")[0] == 0
    code, _, err = call("match", scan, standards, "--measured", "-o", tmp_path / "own.csv")
    assert code == 0 and "scan.xdi is the measured spectrum itself" in err
    assert set(pd.read_csv(tmp_path / "own.csv")["id"]) == {"oxide"}


def test_a_merged_spectrum_and_its_parts_do_not_identify_each_other(tmp_path):
    standards = tmp_path / "standards"
    standards.mkdir()
    xdi(standards / "oxide.xdi", "mu", ENERGY, measured(9.0))
    noise = np.random.default_rng(0).normal(size=(2, len(ENERGY)))
    groups = [perl_group(key, key, ENERGY, measured(4.0) + 0.002 * each) for key, each in zip("ab", noise, strict=True)]
    repeats = [xdi(standards / f"r{n}.xdi", "mu", ENERGY, measured(4.0) + 0.002 * each) for n, each in enumerate(noise)]
    both = project(tmp_path / "both.prj", *groups)
    assert call("measured", *repeats, both, "-g", "b", "--merge", "-o", tmp_path / "few.csv")[0] != 0
    assert call("measured", *repeats, "--merge", "-o", tmp_path / "merged.csv")[0] == 0
    code, _, err = call("match", tmp_path / "merged.csv", standards, "--measured", "-o", tmp_path / "own.csv")
    assert code == 0 and "Left out: r0, r1 have a scan in common with merged.csv" in err
    assert set(pd.read_csv(tmp_path / "own.csv")["id"]) == {"oxide"}
    shutil.move(tmp_path / "merged.csv", standards)
    code, _, err = call("match", repeats[0], standards, "--measured", "-o", tmp_path / "part.csv")
    assert code == 0 and "Left out: merged has a scan in common with r0.xdi" in err
    assert set(pd.read_csv(tmp_path / "part.csv")["id"]) == {"oxide", "r1"}
    # Groups of one project are scans of their own, merged or not.
    assert call("measured", both, "-g", "a", "-g", "b", "--merge", "-o", tmp_path / "groups.csv")[0] == 0
    a, b = read_measured(both, Reading(groups=("a", "b")))
    assert a.scan.isdisjoint(b.scan) and read_measured(tmp_path / "groups.csv")[0].scan == a.scan | b.scan


def test_candidates_are_compared_over_the_part_that_all_reach(scan, tmp_path):
    standards = tmp_path / "standards"
    standards.mkdir()
    for name, peak in (("oxide", 4.5), ("sulphide", 9.0)):
        xdi(standards / f"{name}.xdi", "mu", ENERGY, measured(peak))
    energy = ENERGY[ENERGY < E0 + 21.5]
    long, short = standards / "metal.xdi", tmp_path / "short.xdi"
    xdi(long, "mu", ENERGY, measured(6.0))
    xdi(short, "norm", energy, np.interp(energy, ENERGY, read_measured(long)[0].flattened))
    found = {}
    for name in ("long", "short"):
        code, _, err = call("match", scan, standards, "--measured", "-o", tmp_path / f"{name}.json")
        said = "because metal ends there; the certainty was learned from 30 eV" in " ".join(err.split())
        assert code == 0 and said == (name == "short")
        found[name] = json.loads((tmp_path / f"{name}.json").read_text("utf-8"))
        shutil.copy(short, long)
    assert found["short"]["energy_ev"][-1] < E0 + 21.5 < found["long"]["energy_ev"][-1]
    assert all(None not in row["fitted"] for row in found["short"]["rows"])


def test_two_measured_spectra_of_one_name_are_refused(scan, tmp_path):
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder, peak in zip(folders, (4.0, 9.0), strict=True):
        folder.mkdir()
        xdi(folder / "oxide.xdi", "mu", ENERGY, measured(peak))
    for command in (("match", "--measured"), ("mix",)):
        said = sentence(*command, scan, *folders, code=1)
        assert "Two measured spectra are called oxide, those of" in said
        assert all(str(folder / "oxide.xdi") in said for folder in folders) and "rename one of the files" in said


def test_a_scan_of_a_campaign_without_an_answer_is_in_the_table_of_those_left_out(scan, tmp_path):
    other = xdi(tmp_path / "other.xdi", "mu", ENERGY, measured(6.0))
    outputs = MatchOutputs(tmp_path / "r.csv", tmp_path / "r.json", tmp_path / "left_out.csv", tmp_path / "figures")
    match_files([scan, other], Wanted((str(scan),), measured=True), outputs)
    assert set(pd.read_csv(outputs.ranking)["scan"]) == {"other.xdi"}
    left_out = pd.read_csv(outputs.left_out)
    assert (
        left_out["file"].tolist() == [str(scan)] and "scan.xdi is the measured spectrum itself" in left_out["detail"][0]
    )


def test_scans_of_an_element_without_candidates_cost_a_campaign_no_others(scan, cache, tmp_path):
    copper = xdi(tmp_path / "cu.xdi", "mu", ENERGY + 1867, measured(5.0), element="Cu")
    outputs = MatchOutputs(tmp_path / "r.csv", tmp_path / "r.json", tmp_path / "left_out.csv", tmp_path / "figures")
    wanted = Wanted(NAMES, cache=cache)
    match_files([copper, scan], wanted, outputs)
    assert set(pd.read_csv(outputs.ranking)["scan"]) == {"scan.xdi"}
    left_out = pd.read_csv(outputs.left_out)
    assert left_out["file"].tolist() == [str(copper)] and "hold no structure of Cu" in left_out["detail"][0]
    with pytest.raises(XanesflowError, match="hold no structure of Cu; name others"):
        match_files([copper], wanted, outputs)


def test_computed_standards_need_a_flag_and_are_warned_about(cache, scan, tmp_path):
    code, _, err = call("mix", scan, *NAMES, "--computed", "--cache", cache, "-o", tmp_path / "m.json")
    assert code == 0, err
    assert "Computed standards do not identify mixtures" in err
    assert "Computed standards do not identify" in json.loads((tmp_path / "m.json").read_text("utf-8"))["remark"]


def test_predicted_candidates_are_recorded_as_predicted(tmp_path):
    keep_spectra(tmp_path / "kept", "cu-fcc", "cu2o-cuprite", element="Cu", away=1867.0)
    copper = xdi(tmp_path / "cu.xdi", "mu", ENERGY + 1867, measured(5.0), element="Cu")
    given = ("match", copper, "cu-fcc", "cu2o-cuprite", "--model", model_of(), "--cache", tmp_path / "kept")
    record, page = tmp_path / "m.json", tmp_path / "m.html"
    code, _, err = call(*given, "-o", record, "--page", page)
    assert code == 0, err
    known = json.loads(record.read_text("utf-8"))
    assert (known["model"], known["theory"]) == (str(model_of()), "FEFF8L")
    assert "the certainty was learned from FEFF8L" in " ".join(known["warnings"])
    assert "the certainty was learned from FEFF8L" in " ".join(err.split())
    assert f"Candidates are predicted by {model_of()} and normalised by the engine" in page.read_text("utf-8")


def test_a_model_is_checked_before_the_work_and_asked_for_the_scans_element_only(tmp_path, monkeypatch):
    scan = xdi(tmp_path / "scan.xdi", "mu", ENERGY, measured(4.0))
    kept = ("--cache", tmp_path / "kept")
    monkeypatch.setattr(get_references, "compute_candidates", lambda *_: pytest.fail("computed before the model"))
    assert "absent" in sentence("match", scan, "fe-bcc", "--model", tmp_path / "absent", *kept, code=1)
    said = sentence("match", scan, "fe-bcc", "--model", model_of(), *kept, code=1)
    assert "The model predicts Fe at 0 levels of theory" in said
    # Where all runs failed, there is nothing to predict.
    monkeypatch.setattr(get_references, "compute_candidates", lambda *_: ())
    monkeypatch.setattr(get_references, "material_spectra", lambda *_: ({}, ["fe-bcc (Fe): the run crashed."]))
    monkeypatch.setattr(get_references, "load_predictor", lambda *_: (None, "Fe_FEFF"))
    said = sentence("match", scan, "fe-bcc", "--model", model_of(), *kept, code=1)
    assert "the run crashed" in said and "No structure was given" not in said


def test_a_dollar_in_a_name_is_no_mathematics(tmp_path):
    scans = [xdi(tmp_path / f"s{n}$^$.xdi", "mu", ENERGY, measured(4.0 + n)) for n in range(3)]
    series = tmp_path / "series$_$"
    series.mkdir()
    for scan in scans:
        shutil.copy(scan, series)
    for number, given in enumerate((scans[0], series)):
        for command in (("match", given, *scans[1:], "--measured"), ("mix", given, *scans[1:])):
            figure = tmp_path / f"{command[0]}{number}.svg"
            code, _, err = call(*command, "-p", figure)
            assert code == 0 and "$^$" in figure.read_text("utf-8"), err
    assert call("pca", series, "-p", tmp_path / "pca.svg")[0] == 0


def test_mistakes_are_said_in_a_sentence(scan, cache, tmp_path, code=1):
    empty = tmp_path / "empty"
    empty.mkdir()
    kept = ("--cache", cache)
    assert "holds no structure" in sentence("match", scan, "nio-rocksalt", *kept, code=1)
    assert "empty" in sentence("match", scan, empty, *kept, code=1)
    assert "There is no structure file nothing" in sentence("match", scan, "nothing", *kept, code=1)
    said = sentence("match", scan, "fe-bcc", "--theory", "DFT", *kept, code=1)
    assert "DFT were never checked" in said and "use FEFF8L or --measured, or make a calibration" in said
    assert "does not name elements" in sentence("match", scan, "examples", "--contains", "Fx", *kept, code=2)
    assert "must end with .csv or .json" in sentence("match", scan, "fe-bcc", "-o", tmp_path / "o.txt", *kept, code=2)
    assert "--plot o.gif must end with .png" in sentence("match", scan, "fe-bcc", "--plot", "o.gif", *kept, code=2)
    assert "must end with .html" in sentence("match", scan, "fe-bcc", "--page", tmp_path / "o.txt", *kept, code=2)
    assert "holds no files" in sentence("match", scan, empty, "--measured", code=1)
    other = xdi(tmp_path / "other.xdi", "mu", ENERGY, measured(6.0))
    assert "at least two standards" in sentence("mix", scan, other, code=1)
    assert "is the measured spectrum itself" in sentence("mix", scan, scan, code=1)
    assert "--max-shift is for measured" in sentence("mix", scan, scan, "--computed", "--max-shift", 0, code=2)
    assert "only --computed uses" in sentence("mix", scan, other, "--cache", tmp_path / "kept", code=2)
    assert "--contains cannot be used" in sentence("match", scan, other, "--measured", "--contains", "O", code=2)
    kept_table = tmp_path / "standards" / "mine.csv"
    kept_table.parent.mkdir()
    kept_table.write_text("mine\n", encoding="utf-8")
    for command in (("match", "--measured"), ("mix",)):
        assert "are read; name another" in sentence(*command, scan, kept_table.parent, "-o", kept_table, code=2)
    assert kept_table.read_text(encoding="utf-8") == "mine\n"
    assert "would be read as one" in sentence("pca", kept_table.parent, "-o", kept_table.with_name("new.csv"), code=2)
    assert "absent.dat" in sentence("match", tmp_path / "absent.dat", "fe-bcc", *kept, code=1)
    copper = xdi(tmp_path / "cu.xdi", "mu", ENERGY + 1867, measured(5.0), element="Cu")
    assert "holds no structure of Cu" in sentence("match", copper, "fe-bcc", *kept, code=1)
    for command in (("match", "--measured"), ("mix",)):
        said = sentence(*command, scan, copper, code=1)
        assert "No measured spectrum of the K edge of Fe" in said and said.endswith("1 is of other elements or edges.")
        said = sentence(*command, scan, "examples", code=1)
        assert "no file or folder examples" in said and "names of structures need match without --measured" in said
    europium = xdi(tmp_path / "l.xdi", "mu", ENERGY - 140, measured(5.0), element="Eu", edge="L3")
    assert "only K edges can be compared" in sentence("match", europium, "fe-bcc", *kept, code=1)
    after = ENERGY > E0 + 20
    late = table(tmp_path / "late.dat", ENERGY[after], measured(4.0)[after])
    assert sentence("match", late, "fe-bcc", "--element", "Fe", *kept, code=1).startswith("late.dat")
