"""How a campaign stands: what chunks tell of themselves, and what is made of it, against counts made by hand."""

import json
import os
import re
import shutil
import time
from dataclasses import asdict

import h5py
import pandas as pd
import pytest
from command_line import answer
from fake_engine import WorkingDirectory
from processes import FORK, until

from xanesflow.codes.run_zip import read_chunk
from xanesflow.core.errors import XanesflowError
from xanesflow.core.reasons import Rejected
from xanesflow.core.sites import chunk_of
from xanesflow.core.tables import write_rejected
from xanesflow.running.lock_holder import process_start
from xanesflow.simulations.state import progress
from xanesflow.simulations.state.campaign_status import CampaignStatus, SubsetStatus, campaign_status
from xanesflow.simulations.state.describe_status import describe_stages
from xanesflow.simulations.state.progress import ChunkState, progress_path, read_progress

PARTNERS = ("Sr", "Ca", "Ba", "Mg", "La", "Y", "Na", "K")


@pytest.fixture
def campaign(tmp_path):
    return WorkingDirectory(tmp_path, core_hours=2.0).write("Sr", "Ca", "Ba")


def state_of(campaign):
    return read_progress(progress_path(campaign.output().parent, 0))


def change(campaign, **values):
    """Write other values into the chunk's file."""
    path = progress_path(campaign.output().parent, 0)
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def status_of(campaign, **options):
    (only,) = campaign_status(campaign.folder, **options).subsets
    return only


def test_a_finished_chunk_tells_its_sites_failures_and_core_seconds(campaign):
    path = campaign.run(do={"Sr": "crash", "Ca": "kill"})
    state = state_of(campaign)
    assert (state.state, state.sites, state.done, state.running) == ("finished", 3, 1, {})
    assert state.failed == {"engine_failed": 1, "killed": 1}
    assert state.core_seconds == pytest.approx(sum(run.record["seconds"] for run in read_chunk(path, "FEFF8L")))
    assert state.process == os.getpid() and not state.alive()
    campaign.run()  # the killed one is tried again, the crashed one is not
    again = state_of(campaign)
    assert (again.done, again.failed) == (2, {"engine_failed": 1})
    assert sorted(path.name for path in campaign.output().parent.glob("progress/*")) == ["0000.json"]


def test_a_chunk_at_work_tells_which_sites_and_one_that_was_killed_is_seen_to_be_dead(campaign, monkeypatch):
    process = FORK.Process(target=campaign.run, kwargs={"workers": 1, "do": {"Sr": "hang"}})
    monkeypatch.setenv("SLURM_JOB_ID", "77")
    process.start()
    monkeypatch.delenv("SLURM_JOB_ID")
    try:
        until((campaign.folder / "marks/Sr child").exists)
        until(lambda: (status := status_of(campaign)).running == 1 and status.done == 2)
        status, state = status_of(campaign), state_of(campaign)
        assert list(state.running) == ["m-sr_001"] and state.alive() and state.slurm_job_id == "77"
        assert (status.waiting, status.packed, status.core_hours_expected) == (0, 0, 6.0)
        assert not status.notes
    finally:
        process.kill()
        process.join()
    status = status_of(campaign)
    assert (status.done, status.running, status.waiting) == (2, 0, 1)
    assert "chunk 0000 is no longer running, but never reported an end" in status.notes[0]
    assert f"{process.pid} on" in status.notes[0]
    assert "Slurm job 77" in status.notes[0]
    campaign.run()
    assert status_of(campaign).done == 3 and not status_of(campaign).notes


def test_a_chunk_that_ended_before_its_time_tells_why(campaign):
    with pytest.raises(XanesflowError):
        campaign.run(workers=1, do={"Sr": "disk"})
    status = status_of(campaign)
    assert (status.done, status.waiting) == (2, 1)
    assert status.notes[0].startswith("Cu_FEFF8L chunk 0 stopped: Cu_FEFF8L chunk 0: the disk is full")


def test_a_file_that_cannot_be_written_stops_no_chunk(campaign, caplog):
    campaign.output().parent.mkdir(parents=True)
    (campaign.output().parent / "progress").write_text("in the way")
    assert len(list(read_chunk(campaign.run(), "FEFF8L"))) == 3
    assert len([message for message in caplog.messages if "cannot be written" in message]) == 1


def test_while_no_site_ends_there_is_a_heartbeat(tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "EVERY", 0.01)
    monkeypatch.setattr(progress, "HEARTBEAT", 0.05)
    with progress.ChunkProgress(tmp_path, "Cu_FEFF8L", 0, [("m", 0)], 1):
        first = read_progress(progress_path(tmp_path, 0)).updated
        until(lambda: read_progress(progress_path(tmp_path, 0)).updated > first)


def test_a_process_elsewhere_lives_by_its_heartbeat_and_one_here_by_its_number_and_start():
    state = ChunkState("Cu_FEFF8L", 0, 1, "", host="elsewhere", updated=1000.0)
    assert state.alive(1000.0 + progress.SILENT - 1) and not state.alive(1000.0 + progress.SILENT + 1)
    mine = ChunkState("Cu_FEFF8L", 0, 1, "", process_start=process_start(os.getpid()), updated=0.0)
    assert mine.alive()
    mine.process_start += 1  # its number is another process's by now
    assert not mine.alive()


def test_counts_of_several_chunks_add_up(tmp_path):
    campaign = WorkingDirectory(tmp_path, core_hours=2.0).write(*PARTNERS, chunks=4)
    of_chunk = {partner: chunk_of(f"m-{partner.lower()}", 4) for partner in PARTNERS}
    first, second, *_ = sorted(set(of_chunk.values()))
    for chunk in (first, second):
        campaign.run(chunk, do={"Sr": "crash", "K": "nothing"})
    done = [partner for partner in PARTNERS if of_chunk[partner] in (first, second)]
    failed = {"engine_failed": "Sr" in done, "not_converged": "K" in done}
    status = status_of(campaign)
    assert status.failed == {reason: 1 for reason, some in failed.items() if some}
    assert status.done == len(done) - sum(failed.values())
    assert (status.sites, status.chunks, status.packed) == (8, len(set(of_chunk.values())), 2)
    assert status.waiting == 8 - len(done)
    assert status.stages["simulations"] == "missing" and status.stages["structures"] == "done"


def test_the_forecast_goes_by_what_ended_sites_took_and_by_how_many_are_at_work(campaign):
    """Of 3 sites at 2 h one took 1 h, another has been at work for 15 min: of 2 h x 1/2 x 2, 1.75 h are left."""
    campaign.run()
    now = time.time()
    change(campaign, state="running", done=1, core_seconds=3600.0, running={"m-sr_001": now - 900})
    campaign.output().unlink()
    status = status_of(campaign, now=now)
    assert status.core_hours_left == pytest.approx(1.75)
    assert status.ends == pytest.approx(now + 1.75 * 3600)
    assert campaign_status(campaign.folder, now=now).ends == pytest.approx(now + 1.75 * 3600)
    campaign.core_hours = None  # nothing is expected, as of VASP: 1 h a site, as the one that ended took
    campaign.write("Sr", "Ca", "Ba")
    status = status_of(campaign, now=now)
    assert status.core_hours_expected is None and status.core_hours_left == pytest.approx(1.75)
    change(campaign, done=0, core_seconds=0.0)
    assert status_of(campaign, now=now).ends is None


@pytest.mark.parametrize("how", ["{", "[1]", '{"subset": "Cu_FEFF8L"}', ""])
def test_a_damaged_file_of_a_chunk_is_told_and_its_runs_are_counted(campaign, how):
    campaign.run(do={"Sr": "crash"})
    whole = status_of(campaign)
    progress_path(campaign.output().parent, 0).write_text(how)
    status = status_of(campaign)
    assert (status.done, status.failed) == (whole.done, whole.failed) == (2, {"engine_failed": 1})
    assert status.core_hours_used == pytest.approx(whole.core_hours_used)
    assert "chunk 0000 is counted from its runs" in status.notes[0]
    campaign.output().write_bytes(b"no zip")
    status = status_of(campaign)
    assert status.done == 0 and re.search(r"0000\.zip is not a whole chunk of runs .*delete it", status.notes[0])


def test_sites_that_are_kept_singly_are_counted_where_the_file_is_lost(campaign):
    with pytest.raises(XanesflowError):
        campaign.run(workers=1, do={"Sr": "disk"})
    shutil.rmtree(campaign.output().parent / "progress")
    assert status_of(campaign).done == 2


def test_runs_that_were_deleted_do_not_count(campaign):
    campaign.run()
    campaign.output().unlink()
    shutil.rmtree(campaign.kept)
    assert (status_of(campaign).done, status_of(campaign).waiting) == (0, 3)


def test_a_site_table_that_grew_is_told_and_one_that_is_damaged_too(campaign):
    campaign.run()
    campaign.write("Sr", "Ca", "Ba", "Mg")
    status = status_of(campaign)
    assert (status.sites, status.done, status.waiting) == (4, 3, 1)
    assert "the site table or the list of sites is newer than the progress files of 1 of 1 chunk" in status.notes[0]
    campaign.site_table.write_bytes(b"PAR1 no table")
    (note,) = status_of(campaign).notes
    assert "Cu_FEFF8L_sites.parquet cannot be read" in note and "run `snakemake structures`" in note


def test_imported_runs_are_done_and_what_was_rejected_before_is_counted(campaign):
    campaign.run()
    rejected = [Rejected("m-x", -1, "no_structure", ""), Rejected("m-y", -1, "no_absorber", "")]
    write_rejected(campaign.folder / "results/structures/Cu_FEFF8L_rejected.parquet", rejected)
    assert status_of(campaign).rejected == {"no_structure": 1}
    write_rejected(campaign.output().parent / "rejected.parquet", [Rejected("m-z", 0, "no_output", "")])
    progress_path(campaign.output().parent, 0).unlink()
    status = status_of(campaign)
    assert status.imported and (status.done, status.rejected) == (3, {"no_output": 1}) and not status.notes


def test_runs_that_are_computed_after_an_import_are_not_imported(campaign):
    write_rejected(campaign.output().parent / "rejected.parquet", [Rejected("m-z", 0, "no_output", "")])
    campaign.run(do={"Sr": "crash"})
    status = status_of(campaign)
    assert (status.imported, status.done, status.failed, status.rejected) == (False, 2, {"engine_failed": 1}, {})


def test_only_planned_sites_count_and_the_others_are_left_out(campaign):
    campaign.run()
    campaign.only = campaign.folder / "plan.csv"
    campaign.only.write_text("material_id,site_index\nm-sr,1\n")
    campaign.run()
    status = status_of(campaign)
    assert (status.sites, status.done, status.waiting, status.notes) == (1, 1, 0, [])
    assert (status.rejected, status.core_hours_expected, status.core_hours_left) == ({"not_planned": 2}, 2.0, 0.0)
    code, told = answer("status", campaign.folder)
    assert code == 0 and "All sites have ended: 1 good, 0 failed." in told
    assert "Cu_FEFF8L left out before: 2 not_planned" in told
    campaign.only = None
    campaign.run()
    assert (status_of(campaign).sites, status_of(campaign).rejected) == (3, {})


def test_stages_are_done_outdated_or_missing(campaign):
    campaign.run()
    spectra, dataset = (campaign.folder / f"results/{name}" for name in ("spectra/Cu_FEFF8L.h5", "dataset/test.h5"))
    for path in (spectra, dataset):
        path.parent.mkdir()
        path.touch()
    found = campaign_status(campaign.folder)
    assert found.subsets[0].stages["spectra"] == "done" and found.stages["dataset"] == "done"
    assert found.stages["report"] == "missing"
    os.utime(spectra, (1, 1))
    assert status_of(campaign).stages["spectra"] == "outdated"


def test_features_are_made_from_structures_and_the_site_table_and_not_from_spectra(campaign):
    campaign.run()
    features, spectra = (campaign.folder / f"results/{name}/Cu_FEFF8L.h5" for name in ("features/radial", "spectra"))
    for path in (features, spectra):
        path.parent.mkdir(parents=True)
        path.touch()
    os.utime(spectra, (2e9, 2e9))
    assert status_of(campaign).stages["features"] == "done"
    os.utime(campaign.site_table, (2e9, 2e9))
    assert status_of(campaign).stages["features"] == "outdated"


def test_datasets_and_features_that_the_campaign_no_longer_uses_outdate_nothing(campaign):
    campaign.run()
    spectra = campaign.folder / "results/spectra/Cu_FEFF8L.h5"
    old, new = (campaign.folder / f"results/dataset/{name}.h5" for name in ("old", "new"))
    unused, used = (campaign.folder / f"results/features/{name}/Cu_FEFF8L.h5" for name in ("chgnet", "m3gnet"))
    for path, changed in ((spectra, 2e9), (old, 1e9), (new, 2e9), (unused, 1e9), (used, 2e9)):
        path.parent.mkdir(parents=True, exist_ok=True)
        with h5py.File(path, "w") as file:
            file[f"Cu_FEFF8L/features/{'m3gnet' if path == new else 'chgnet'}"] = 0
        os.utime(path, (changed, changed))
    found = campaign_status(campaign.folder)
    assert (found.stages["dataset"], found.subsets[0].stages["features"]) == ("done", "done")
    used.unlink()
    assert status_of(campaign).stages["features"] == "missing"
    new.write_text("no dataset")
    assert status_of(campaign).stages["features"] == "outdated"  # of which it is not known whether they are used


def test_the_stages_of_several_subsets_are_told_by_how_many_are_done_and_outdated():
    for states, said in {
        ("done", "done"): "spectra done", ("missing", "missing"): "spectra missing", ("outdated",): "spectra outdated",
        ("missing", "outdated"): "spectra of 0 of 2 subsets (1 outdated)",
        ("done", "missing", "missing"): "spectra of 1 of 3 subsets",
        ("done", "outdated"): "spectra of 1 of 2 subsets (1 outdated)",
    }.items():  # fmt: skip
        subsets = [SubsetStatus(f"Cu_{number}", stages={"spectra": state}) for number, state in enumerate(states)]
        assert (
            describe_stages(CampaignStatus(subsets, None, {"report": "missing"}, [], 0.0)) == f"{said}, report missing"
        )


def test_a_folder_without_a_campaign_is_told_in_a_sentence(tmp_path):
    (tmp_path / "file").touch()
    for folder, said in (("none", "is not a folder"), ("file", "is not a folder"), (".", "holds no campaign yet")):
        code, printed = answer("status", tmp_path / folder, columns=400)
        assert code == 1 and said in printed


def test_the_command_tells_people_and_scripts_the_same(campaign):
    campaign.run(do={"Sr": "crash"})
    code, told = answer("status", campaign.folder)
    assert code == 0
    assert "Cu_FEFF8L failed: 1 engine_failed" in told
    assert "All sites have ended: 2 good, 1 failed." in told
    row = next(line for line in told.splitlines() if line.startswith("Cu_FEFF8L "))
    assert row.split()[1:7] == ["3", "2", "0", "1", "0", "1/1"] and row.split()[8] == "6"
    (subset,) = json.loads(answer("status", campaign.folder, "--json")[1])["subsets"]
    assert subset == {**asdict(status_of(campaign)), "waiting": 0}
    for wrong, said in ((["--json", "--watch"], "; use one of them."), (["--watch"], "needs a terminal")):
        code, printed = answer("status", campaign.folder, *wrong, columns=400)
        assert code == 2 and said in printed


def test_nothing_but_the_folder_is_read_and_nothing_is_written(campaign):
    campaign.run()
    before = {path: path.stat().st_mtime_ns for path in campaign.folder.rglob("*")}
    campaign_status(campaign.folder)
    assert {path: path.stat().st_mtime_ns for path in campaign.folder.rglob("*")} == before
    assert pd.read_parquet(campaign.site_table)["core_hours"].sum() == 6.0
