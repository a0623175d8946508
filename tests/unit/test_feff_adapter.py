"""FEFF as an engine of the workflow: how it is found, and a chunk of sites.

The chunks' FEFF is tests/support/stand_in_feff.py, as one site of a chunk is to fail for good, another to lose its
`fms`, a third to need a correction, and the disk to be full: no real FEFF does that on demand.
"""

import json
import shlex
import sys

import numpy as np
import pytest
import stand_in_feff
from fake_engine import Campaign
from feff_runs import GRID_START_EV
from pip_modules import write_modules
from pymatgen.core import Lattice, Structure
from small_disk import mounted

from xanesflow.codes.feff.engine import FeffEngine
from xanesflow.codes.feff.find_feff import MODULES, NEEDED, OTHER_WAYS, find_program, version_of
from xanesflow.codes.finished_run import FinishedRun
from xanesflow.codes.registry import engine_of
from xanesflow.codes.run_zip import read_chunk
from xanesflow.config.campaign import Campaign as Planned
from xanesflow.config.load import load_config
from xanesflow.core.errors import FailedRunError, XanesflowError
from xanesflow.simulations.run_chunk import simulate_chunk
from xanesflow.spectra.curate import curate_spectra
from xanesflow.spectra.store import read_spectra

RUN = {"subsets": ["Cu_FEFF", "Cu_FEFF8L"], "structures": {"source": "examples"}}
FEW_ATOMS = {"feff": {"radius": 4.5, "cards": {"XANES": "4 0.04 0.1", "SCF": "4.0 0 100 0.2 3", "FMS": "4.0 0",
                                              "CONTROL": "1 1 1 1 1 1"}}}  # fmt: skip


def command(control):
    return shlex.join([sys.executable, "-I", "-S", stand_in_feff.__file__, str(control)])


def engine(given="feff", *, limits=None, **sections):
    """The engine that a configuration makes."""
    simulations = {"source": "run", "feff_command": given, "feff": limits or {}}
    options = Planned(load_config({**RUN, "simulations": simulations, **sections})).engine_options("Cu_FEFF")
    return engine_of("FEFF", json.loads(json.dumps(options)))  # as it comes through Snakemake's params


def test_the_configuration_makes_the_engine_and_what_is_feffs_alone_changes_nothing_else():
    made = engine("feff", limits={"time_limit": 60, "max_corrections": 2, "smaller_scf_radius": True})
    assert isinstance(made, FeffEngine)
    assert (made.options.command, made.options.max_corrections, made.options.smaller_scf_radius) == ("feff", 2, True)
    assert made.options.inputs["cards"]["SCF"] == "7.0 0 100 0.2 3" and made.time_limit > 60
    one = load_config({**RUN, "simulations": {"source": "run", "feff_command": "other"}})
    other = load_config({**RUN, "simulations": {"source": "run"}})
    one, other = Planned(one), Planned(other)
    assert one.engine_options("Cu_FEFF8L") == other.engine_options("Cu_FEFF8L") != one.engine_options("Cu_FEFF")


def test_without_feff_one_sentence_names_it_and_the_other_ways(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(XanesflowError) as told:
        engine().settings()
    assert str(told.value) == (
        "There is no program 'feff' (looked for on the PATH) to run FEFF with: set simulations.feff_command to the "
        "script or command that runs your FEFF 9 or 10 in a folder, or to the folder with its modules, or to null for "
        "the FEFF 10 of pip; or compute with the embedded engine (subsets such as Cu_FEFF8L), or import finished runs "
        "(simulations.source: archive)."
    )
    (tmp_path / "plain.txt").write_text("no program")
    for given, said in {
        "bin/feff10.sh -x": f"no program 'bin/feff10.sh' (looked from {tmp_path})",
        "": "no program ''",
        "./plain.txt": "no program './plain.txt' (the file is there, but may not be executed)",
        "feff 'unclosed": "which is no command",
    }.items():
        with pytest.raises(XanesflowError) as told:
            find_program(given)
        assert said in str(told.value)


def test_a_folder_of_modules_is_taken_in_their_order_and_must_be_whole(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_modules(tmp_path / "bin")
    (tmp_path / "bin/README").write_text("no module")
    found = [path.rpartition("/")[2] for path in find_program("bin").modules]
    there = {path.name for path in (tmp_path / "bin").iterdir()}
    assert found == [name for name in MODULES if name in there] and set(NEEDED) <= set(found)
    assert version_of(find_program("bin")) == "10.0.0"
    (tmp_path / "bin/fms").chmod(0o644)
    (tmp_path / "bin/pot").unlink()
    with pytest.raises(XanesflowError, match="which lacks FEFF's pot, fms: name the folder") as told:
        find_program("bin")
    assert OTHER_WAYS in str(told.value)


def test_files_of_a_command_are_seen_from_where_the_workflow_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my feff").mkdir()
    script = tmp_path / "my feff/run.sh"
    script.write_text("#!/bin/sh\necho Launching FEFF version FEFF 9.9.1\n")
    script.chmod(0o755)
    assert find_program("'my feff/run.sh' -n 4").command == (str(script), "-n", "4")
    assert find_program("sh 'my feff/run.sh'").command == ("sh", str(script))
    assert version_of(find_program("sh 'my feff/run.sh'")) == "9.9.1"


NO_FEFF = {
    "true": "it said nothing, exit code 0",
    "sh -c 'echo expired; exit 3'": "it said: expired, exit code 3",
}


@pytest.mark.parametrize(("given", "said"), NO_FEFF.items())
def test_what_is_no_feff_is_found_out_before_any_site(given, said):
    with pytest.raises(XanesflowError, match="does not answer as FEFF 9 or 10 does") as told:
        engine(given).settings()
    assert said in str(told.value)


def test_a_result_depends_on_inputs_and_version_and_not_on_where_feff_is(tmp_path):
    (tmp_path / "sh").write_text("#!/bin/sh\necho Launching FEFF version FEFF 9.9.1\n")
    (tmp_path / "sh").chmod(0o755)
    moved = engine(str(tmp_path / "sh"), limits={"max_corrections": 1}).settings()
    assert moved == engine("echo Launching FEFF version FEFF 9.9.1").settings()
    assert moved["code"] == "FEFF 9.9.1" and moved["inputs"]["radius"] == 9.0
    assert json.loads(json.dumps(moved)) == moved
    assert moved != engine("echo Launching FEFF version FEFF 9.9.1", inputs=FEW_ATOMS).settings()


def test_an_absorber_without_a_neighbour_has_its_reason(tmp_path):
    with pytest.raises(FailedRunError) as told:
        engine("true").write_inputs(tmp_path, Structure(Lattice.cubic(15), ["Cu"], [[0, 0, 0]]), 0)
    assert told.value.reason == "isolated_atom"


class Chunk:
    """A chunk of perovskites whose FEFF does as it is told by their partner."""

    def __init__(self, folder, **orders):
        self.campaign = Campaign(folder, subset="Cu_FEFF").write(*orders)
        self.control = folder / "control"
        self.control.mkdir()
        (self.control / "control.json").write_text(json.dumps(orders))
        self.output = folder / "0000.zip"

    def run(self, **limits):
        """Partner -> run."""
        self.output.unlink(missing_ok=True)
        simulate_chunk(
            self.campaign.folder / "structures.parquet", self.campaign.folder / "sites.parquet", self.output,
            self.campaign.kept, subset="Cu_FEFF", chunk=0, workers=2, scratch=self.campaign.folder / "scratch",
            engine=engine(command(self.control), limits=limits, inputs=FEW_ATOMS),
        )  # fmt: skip
        return {run.material_id[2:].capitalize(): run for run in read_chunk(self.output, "FEFF")}

    def started(self):
        """Partner -> how often FEFF was started."""
        names = [path.name.split(".")[0] for path in self.control.glob("*.*.json")]
        return {name: names.count(name) for name in names}


def test_a_chunk_keeps_good_and_corrected_runs_and_tells_them_apart(tmp_path):
    chunk = Chunk(
        tmp_path, Sr={}, Ca={"converges": {"ca1": 0.1}}, Ba={"converges": {"ca1": 0}}, La={"do": "fms killed"}
    )
    runs = chunk.run()
    assert chunk.started() == {"Sr": 1, "Ca": 2, "Ba": 3, "La": 1}
    for partner, run in runs.items():
        assert run.record["code"] == "FEFF 10.0.0" and run.record["theory"] == "FEFF"
        good = partner in {"Sr", "Ca"}
        assert run.files["feff.out"].startswith(b"Launching FEFF")  # nothing of custodian's nor of ours
        assert set(run.files) == ({"feff.inp", "feff.out", "xmu.dat"} if good else {"feff.inp", "feff.out"})
        assert ("reason" in run.record) == (not good) and "ended" not in run.record
        assert (run.record["outcome"], run.record["exit_code"]) == (("finished", 0) if good else ("failed", 1))
    assert (runs["Sr"].corrections, runs["Sr"].record["attempts"]) == ("", 1)
    assert (runs["Ca"].corrections, runs["Ca"].record["attempts"]) == ("SCF ca1 0.2 -> 0.1", 2)
    assert b"SCF 4 0 100 0.1 3" in runs["Ca"].files["feff.inp"]
    failed = runs["Ba"].record
    assert (failed["reason"], failed["attempts"], len(failed["tried"])) == ("not_converged", 3, 3)
    assert failed["detail"].endswith("ran out of iterations (after 2 corrections)")
    assert failed["log_tail"][-1].startswith("Done with module: XAS spectra")
    assert runs["La"].record["reason"] == "killed"
    assert not list((tmp_path / "scratch").iterdir())

    again = chunk.run(max_corrections=9)  # killed runs alone are tried again
    assert chunk.started() == {"Sr": 1, "Ca": 2, "Ba": 3, "La": 2}
    assert again["Ba"].record == failed

    curate_spectra(
        [chunk.output], subset="Cu_FEFF", structures=tmp_path / "structures.parquet",
        site_table=tmp_path / "sites.parquet", rejected=[], output=tmp_path / "s.h5", rejected_csv=tmp_path / "r.csv",
        energy_start_ev=GRID_START_EV["Cu"], envelope_sigma=None,
    )  # fmt: skip
    curated = read_spectra(tmp_path / "s.h5")
    assert dict(zip(curated.material_id, curated.corrections, strict=True)) == {
        "m-ca": "SCF ca1 0.2 -> 0.1", "m-sr": ""
    }  # fmt: skip
    assert {r.material_id: r.reason for r in curated.rejected} == {"m-ba": "not_converged", "m-la": "killed"}
    assert np.isfinite(curated.spectra).all()


def test_a_full_disk_stops_the_chunk_and_fails_no_site(tmp_path):
    chunk = Chunk(tmp_path, Sr={"do": "disk"})
    said = r"Cu_FEFF chunk 0: the disk is full.*make room and run again"
    with mounted(chunk.campaign.folder / "scratch", "size=1m"), pytest.raises(XanesflowError, match=said):
        chunk.run()
    (chunk.control / "control.json").write_text("{}")
    assert chunk.run()["Sr"].record["outcome"] == "finished"


def test_a_record_of_a_run_that_did_not_come_to_its_end_tells_nothing_of_the_site(tmp_path):
    record = {"attempts": 1, "tried": [{}], "corrections": [], "reason": "not_converged", "detail": "so far"}
    (tmp_path / "result.json").write_text(json.dumps({**record, "ended": False}))
    (tmp_path / "feff.out").write_text("Traceback\nValueError: a fault of ours\n")
    with pytest.raises(FailedRunError, match="a fault of ours") as told:
        engine("true").validate(tmp_path)
    assert told.value.reason == "engine_failed" and engine("true").record(tmp_path)["attempts"] == 1
    (tmp_path / "result.json").write_text(json.dumps({**record, "ended": True}))
    with pytest.raises(FailedRunError, match="so far") as told:
        engine("true").validate(tmp_path)
    assert told.value.reason == "not_converged"


def test_corrections_of_any_engine_are_told_as_text():
    changed = {"what": "SCF ca1", "from": 0.2, "to": 0.1, "why": "unconverged"}
    assert FinishedRun("m", 0, {}, {"corrections": [changed, "ALGO Normal", {"NBANDS": 40}]}).corrections == (
        'SCF ca1 0.2 -> 0.1; ALGO Normal; {"NBANDS": 40}'
    )
    several = {"errors": ["zbrent"], "changes": {"ALGO": ["Fast", "All"], "NBANDS": [40, 44]}}
    assert FinishedRun("m", 0, {}, {"corrections": [several]}).corrections == "ALGO Fast -> All, NBANDS 40 -> 44"
    assert FinishedRun("m", 0, {}, {"code": "imported"}).corrections == ""


def test_a_feff_that_goes_away_between_two_sites_fails_neither_for_good(tmp_path):
    going = tmp_path / "feff.sh"
    going.write_text(f"#!/bin/sh\nexec {command(tmp_path)}\n")
    going.chmod(0o755)
    made = engine(str(going))
    made.settings()
    site = tmp_path / "site"
    site.mkdir()
    made.write_inputs(site, Structure(Lattice.cubic(4), ["Cu", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]]), 0)
    going.unlink()
    (site / "feff.out").write_text(f"ERROR: The program {going} is not there or may not be executed.\n")
    with pytest.raises(FailedRunError, match="is not there") as told:
        made.validate(site)
    assert told.value.reason == "killed"
