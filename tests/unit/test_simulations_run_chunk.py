"""Chunks by a fake engine: the finished is never computed again, the failed is recorded, nothing is left at work."""

import errno
import json
import logging
import os
import re
import resource
import threading
import time
import zipfile
from shutil import rmtree

import pytest
from fake_engine import Campaign, outcomes
from processes import FORK, forked_pool, is_alive, until

from xanesflow.codes.run_zip import ChunkWriter, read_chunk
from xanesflow.core.errors import StoppedError, XanesflowError
from xanesflow.core.sites import chunk_of
from xanesflow.running.process import run_command
from xanesflow.simulations import run_chunk
from xanesflow.simulations.state import finished_runs as kept


@pytest.fixture
def campaign(tmp_path):
    return Campaign(tmp_path).write("Sr", "Ca", "Ba")


def record_of(path):
    """Of the site beside Sr."""
    return next(run.record for run in read_chunk(path, "FEFF8L") if run.material_id == "m-sr")


def test_a_chunk_holds_lightshows_tree_with_inputs_log_spectrum_and_record(campaign):
    with zipfile.ZipFile(campaign.run()) as packed:
        names = packed.namelist()
        folder = "Cu/m-ba/FEFF8L-XANES/001_Cu"
        files = [f"{folder}/{name}" for name in ("feff.inp", "feff.out", "xmu.dat", "run.json")]
        assert names[:5] == ["Cu/m-ba/POSCAR", *files]
        assert len(names) == 15
        assert packed.read(f"{folder}/xmu.dat") == b"spectrum of Ba\n"
        assert packed.read(f"{folder}/feff.out") == b"threads 1 1 1\n"
        record = json.loads(packed.read(f"{folder}/run.json"))
    assert record["outcome"] == "finished" and record["exit_code"] == 0 and record["attempts"] == 2
    assert record["code"] == "fake 1" and record["rung"] == "first" and len(record["input_sha256"]) == 64
    assert record["started"].endswith("+00:00") and record["seconds"] > 0 and record["host"]
    assert record["versions"]["python"] and record["files"]["xmu.dat"]["bytes"] == 15
    assert not list((campaign.folder / "scratch").iterdir())


def test_a_chunk_that_is_made_again_computes_nothing_and_gives_the_same_bytes(campaign, caplog):
    first = campaign.run().read_bytes()
    assert campaign.computed() == {"Sr": 1, "Ca": 1, "Ba": 1}
    assert (campaign.kept / "0000.zip").samefile(campaign.output())
    assert not (campaign.kept / "0000").exists()
    with caplog.at_level(logging.INFO):
        assert campaign.run().read_bytes() == first
    assert campaign.computed() == {}
    assert caplog.messages == ["Cu_FEFF8L chunk 0: 3 sites: 0 computed, 3 kept from before, 0 failed"]


def test_workers_change_no_file_but_the_records(tmp_path):
    contents = []
    for workers in (1, 4):
        path = Campaign(tmp_path / str(workers)).write("Sr", "Ca", "Ba", "Mg", "La").run(workers=workers)
        with zipfile.ZipFile(path) as packed:
            contents.append([(n, packed.read(n)) for n in packed.namelist() if not n.endswith("run.json")])
    assert contents[0] == contents[1]


def test_progress_and_counts_are_told(campaign, caplog):
    with caplog.at_level(logging.INFO):
        campaign.run(workers=1, do={"Ca": "nothing"})
    head = "Cu_FEFF8L chunk 0: "
    assert caplog.messages[0].startswith(f"{head}1/3 m-ba_001 ") and caplog.messages[0].endswith(" s")
    assert caplog.messages[1] == f"{head}2/3 m-ca_001 failed (not_converged): no spectrum came of it"
    assert caplog.messages[3] == f"{head}3 sites: 2 computed, 0 kept from before, 1 failed (1 not_converged)"


def test_a_material_that_is_added_is_all_that_is_computed_and_one_that_went_is_dropped(campaign):
    campaign.run()
    campaign.computed()
    campaign.write("Ca", "Sr", "La")
    assert outcomes(campaign.run()) == {"m-ca": "finished", "m-sr": "finished", "m-la": "finished"}
    assert campaign.computed() == {"La": 1}


def test_of_a_list_of_sites_these_alone_are_computed(campaign):
    campaign.only = campaign.folder / "plan.csv"
    campaign.only.write_text("rank,material_id,site_index\n1,m-sr,1\n")
    assert outcomes(campaign.run()) == {"m-sr": "finished"}
    campaign.only.write_text("material_id,site_index\nm-ca,1\nm-sr,1\n")
    campaign.computed()
    assert outcomes(campaign.run()) == {"m-ca": "finished", "m-sr": "finished"}
    assert campaign.computed() == {"Ca": 1}


@pytest.mark.parametrize("table", ["site_table", "structures"])
def test_a_table_cut_short_is_told_and_nothing_runs(campaign, table):
    path = getattr(campaign.write("Sr", "Ca"), table)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(XanesflowError, match=rf"{path.name} cannot be read .*; delete it and run `snakemake str"):
        campaign.run()
    assert not campaign.computed()


def test_a_list_that_names_another_site_is_refused_before_anything_is_computed(campaign):
    campaign.only = campaign.folder / "plan.csv"
    campaign.only.write_text("material_id,site_index\nm-sr,1\nm-ca,4\n")
    with pytest.raises(XanesflowError, match=r"plan\.csv names m-ca_004, which is no site of Cu_FEFF8L; remove it, or"):
        campaign.run()
    assert campaign.computed() == {}


def test_runs_of_sites_that_leave_the_list_are_kept_until_they_are_planned_again(campaign):
    campaign.write("Sr", "Ca", "Ba", "Mg").run()
    campaign.only, rest = campaign.folder / "plan.csv", campaign.kept / "0000_rest.zip"
    for listed in (("sr", "ca"), ("sr",), ("ba",), ("ba", "mg")):  # ever fewer, then others
        campaign.only.write_text("material_id,site_index\n" + "".join(f"m-{name},1\n" for name in listed))
        campaign.computed()
        assert outcomes(campaign.run()) == {f"m-{name}": "finished" for name in listed}
        assert campaign.computed() == {}
        left = {"sr", "ca", "ba", "mg"} - set(listed)
        assert sorted(outcomes(rest)) == sorted(f"m-{name}" for name in left), "each run is kept once"
    before = rest.stat().st_mtime_ns
    campaign.run()
    assert rest.stat().st_mtime_ns == before, "nothing changed, so it is not written again"
    campaign.only = None
    assert campaign.run_again() == {} and not rest.exists()
    assert len(outcomes(campaign.output())) == 4


def test_runs_of_structures_that_went_are_kept_until_they_come_back(campaign):
    campaign.run()
    campaign.write("Ca")
    assert set(outcomes(campaign.run())) == {"m-ca"}
    campaign.write("Sr", "Ca", "Ba")
    campaign.computed()
    assert len(outcomes(campaign.run())) == 3 and campaign.computed() == {}
    assert not (campaign.kept / "0000_rest.zip").exists()


def test_a_shorter_list_loses_no_run_that_a_killed_chunk_left_or_that_moved_to_another_chunk(campaign):
    with pytest.raises(XanesflowError):
        campaign.run(workers=1, do={"Sr": "disk"})
    campaign.only = campaign.folder / "plan.csv"
    campaign.only.write_text("material_id,site_index\nm-sr,1\n")
    campaign.computed()
    campaign.run()
    assert campaign.computed() == {"Sr": 1}
    for chunks, only in ((2, campaign.only), (5, campaign.only), (3, None)):
        campaign.write("Sr", "Ca", "Ba", chunks=chunks).only = only
        found = {}
        for chunk in range(chunks):
            found |= outcomes(campaign.run(chunk))
        assert campaign.computed() == {}, chunks
    assert len(found) == 3


def test_other_settings_are_computed_anew(campaign):
    campaign.run()
    assert campaign.run_again(options={"radius": 5}) == {"Sr": 1, "Ca": 1, "Ba": 1}


def test_another_number_of_chunks_moves_the_runs_and_computes_none(campaign):
    partners = ("Sr", "Ca", "Ba", "Mg", "La", "Y", "Na", "K")
    for chunks in (3, 2, 5, 1):
        campaign.write(*partners, chunks=chunks)
        done = {}
        for chunk in reversed(range(chunks)):
            found = outcomes(campaign.run(chunk))
            assert all(chunk_of(material, chunks) == chunk for material in found)
            done |= found
        assert len(done) == 8
        assert campaign.computed() == (dict.fromkeys(sorted(partners), 1) if chunks == 3 else {})


def test_what_a_killed_chunk_left_is_found_with_another_number_of_chunks_too(campaign):
    campaign.write("Sr", "Ca", "Ba", chunks=2)
    for chunk in (0, 1):
        try:
            campaign.run(chunk, workers=1, do={"Sr": "disk"})
        except XanesflowError:
            assert chunk_of("m-sr", 2) == chunk
    campaign.computed()
    campaign.write("Sr", "Ca", "Ba", chunks=1)
    assert set(outcomes(campaign.run()).values()) == {"finished"}
    assert campaign.computed() == {"Sr": 1}


def test_a_chunk_without_sites_is_a_zip_without_files(tmp_path):
    campaign = Campaign(tmp_path).write("Sr", chunks=7)
    empty = next(k for k in range(7) if k != chunk_of("m-sr", 7))
    with zipfile.ZipFile(campaign.run(empty)) as packed:
        assert packed.namelist() == []
    assert campaign.computed() == {}


def test_after_a_kill_only_what_is_missing_is_computed_and_nothing_goes_on(campaign):
    process = FORK.Process(target=campaign.run, kwargs={"workers": 1, "do": {"Sr": "hang"}})
    process.start()
    child = campaign.folder / "marks/Sr child"
    until(lambda: child.exists() and child.read_text())  # Ba and Ca come first, one at a time
    pids = [int(child.read_text()), int((campaign.folder / "marks/Sr 0").read_text().split()[0])]
    assert len(list((campaign.folder / "scratch").iterdir())) == 1
    process.kill()
    process.join()
    until(lambda: not any(map(is_alive, pids)))
    assert sorted(path.stem for path in (campaign.kept / "0000").glob("[!.]*.zip")) == ["m-ba_001", "m-ca_001"]
    assert campaign.computed() == {"Ba": 1, "Ca": 1, "Sr": 1}
    assert set(outcomes(campaign.run()).values()) == {"finished"}
    assert campaign.computed() == {"Sr": 1}
    assert not list((campaign.folder / "scratch").iterdir())


@pytest.mark.parametrize("moment", ["packing", "linking", "clearing"])
def test_a_kill_at_the_end_loses_nothing_either(campaign, monkeypatch, moment):
    class Killed(BaseException):
        pass

    def kill(*_arguments):
        raise Killed

    def kill_at_the_singles(path, **options):
        return kill() if path == campaign.kept / "0000" else rmtree(path, **options)

    with monkeypatch.context() as patched:
        if moment == "packing":
            patched.setattr(run_chunk, "ChunkWriter", kill)
        elif moment == "linking":
            patched.setattr(kept.os, "link", kill)
        else:
            patched.setattr(kept.shutil, "rmtree", kill_at_the_singles)
        with pytest.raises(Killed):
            campaign.run()
    campaign.computed()
    assert set(outcomes(campaign.run()).values()) == {"finished"}
    assert campaign.computed() == {}
    assert sorted(path.name for path in campaign.kept.iterdir()) == ["0000.zip"]


@pytest.mark.parametrize("how", ["cut", "emptied", "a byte of a file changed"])
@pytest.mark.parametrize("which", ["single", "packed"])
def test_a_damaged_kept_run_is_computed_again(campaign, how, which):
    if which == "single":
        with pytest.raises(XanesflowError):  # the third site's program is missing
            campaign.run(workers=1, do={"Sr": "disk"})
        path = campaign.kept / "0000/m-ba_001.zip"
    else:
        campaign.run()
        path = campaign.kept / "0000.zip"
    campaign.computed()
    content = path.read_bytes()
    at = content.index(b"xmu.dat") + 10
    changed = {"cut": content[:-40], "emptied": b"", "a byte of a file changed": _flipped(content, at)}[how]
    campaign.output().unlink(missing_ok=True)
    path.unlink()
    path.write_bytes(changed)
    assert set(outcomes(campaign.run()).values()) == {"finished"}
    again = {"Ba": 1} if which == "single" or "byte" in how else {"Ba": 1, "Ca": 1}
    assert campaign.computed() == (again if which == "packed" and "byte" in how else again | {"Sr": 1})


def _flipped(content, at):
    return content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :]


def test_a_failed_site_is_in_the_chunk_with_inputs_log_and_its_last_lines(campaign):
    path = campaign.run(do={"Sr": "crash"})
    assert outcomes(path) == {"m-ba": "finished", "m-ca": "finished", "m-sr": "engine_failed"}
    record = record_of(path)
    assert record["exit_code"] == 3 and record["log_tail"] == [f"line {k}" for k in range(10, 20)]
    assert record["detail"] == "exit code 3: line 17 | line 18 | line 19"
    (failed,) = [run for run in read_chunk(path, "FEFF8L") if run.material_id == "m-sr"]
    assert set(failed.files) == {"feff.inp", "feff.out"}
    campaign.computed()
    assert record_of(campaign.run()) == record  # physics is not tried again
    assert campaign.computed() == {}


@pytest.mark.parametrize(
    ("do", "reason", "detail"),
    [
        ("nothing", "not_converged", "no spectrum came of it"),
        ("segfault", "engine_failed", "it crashed with signal 11: threads 1 1 1"),
        ("unusable", "isolated_atom", "it stands alone"),
        ("sentence", "cannot_simulate", "no input can be written"),
        ("fault", "engine_failed", "ValueError: a fault"),
        ("kill", "killed", "it was ended by signal 9; the machine may have run out of memory.*"),
        ("memory", "killed", "it ran out of memory: .*"),
    ],
)
def test_each_failure_has_its_reason_and_only_what_was_killed_is_tried_again(campaign, do, reason, detail):
    path = campaign.run(do=dict.fromkeys(("Sr", "Ca", "Ba"), do))
    assert set(outcomes(path).values()) == {reason}
    assert re.fullmatch(detail, record_of(path)["detail"])
    assert campaign.run_again() == ({"Ba": 1, "Ca": 1, "Sr": 1} if reason == "killed" else {})
    assert set(outcomes(campaign.output()).values()) == {"finished" if reason == "killed" else reason}


def test_a_program_that_hangs_is_ended_with_its_children_and_tried_again_next_time(campaign):
    path = campaign.run(do={"Sr": "hang"}, time_limit=1.5)
    assert outcomes(path) == {"m-ba": "finished", "m-ca": "finished", "m-sr": "timed_out"}
    assert record_of(path)["detail"] == "it did not end within 1.5 s and was stopped"
    marks = campaign.folder / "marks"
    assert not is_alive(int((marks / "Sr child").read_text()))
    assert not is_alive(int((marks / "Sr 0").read_text().split()[0]))
    campaign.computed()
    assert outcomes(campaign.run())["m-sr"] == "finished"
    assert campaign.computed() == {"Sr": 1}


FULL = r"Cu_FEFF8L chunk 0: the disk is full.*make room and run again, finished sites are kept\."


def test_a_full_disk_where_runs_are_kept_stops_the_chunk_and_all_that_is_at_work(campaign, monkeypatch):
    add = ChunkWriter.add

    def full(self, chunk, name, content):
        if "m-ca" in name:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/disk")
        add(self, chunk, name, content)

    with monkeypatch.context() as patched:
        patched.setattr(ChunkWriter, "add", full)
        begin = time.monotonic()
        with pytest.raises(XanesflowError, match=FULL):
            campaign.run(workers=2, do={"Ba": "", "Ca": "wait3", "Sr": "hang"})
    assert time.monotonic() - begin < 20
    assert not is_alive(int((campaign.folder / "marks/Sr child").read_text()))
    assert not list((campaign.folder / "scratch").iterdir())
    assert campaign.run_again() == {"Ca": 1, "Sr": 1}


def test_a_full_disk_that_the_program_tells_stops_the_chunk_and_loses_nothing(campaign):
    with pytest.raises(XanesflowError, match=FULL):
        campaign.run(workers=1, do={"Sr": "disk"})
    assert not campaign.output().exists()
    assert campaign.computed() == {"Ba": 1, "Ca": 1, "Sr": 1}
    assert campaign.run_again() == {"Sr": 1}


def fill_with_files_of_a_quarter_mebibyte(campaign):
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**18, 2**18))
    campaign.run(workers=1, do={"Sr": "fill"})


def test_a_file_that_grows_beyond_the_limit_counts_as_a_full_disk(campaign):
    with forked_pool() as another, pytest.raises(XanesflowError, match="Cu_FEFF8L chunk 0: the disk is full"):
        another.apply(fill_with_files_of_a_quarter_mebibyte, (campaign,))
    assert campaign.run_again() == {"Sr": 1}


def test_a_program_that_is_missing_or_no_program_stops_the_chunk_with_a_sentence(campaign):
    with pytest.raises(XanesflowError, match="The program no-such-program is not there"):
        campaign.run(program="no-such-program")
    broken = campaign.folder / "broken"
    broken.write_bytes(b"\x7fELF nothing")
    broken.chmod(0o755)
    with pytest.raises(XanesflowError, match="broken cannot be started: Exec format error"):
        campaign.run(program=str(broken))
    assert not (campaign.kept / "0000").exists() and not campaign.output().exists()


def test_where_there_are_no_hard_links_the_chunk_is_copied(campaign, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(kept.os, "link", refuse)
    first = campaign.run().read_bytes()
    assert (campaign.kept / "0000.zip").read_bytes() == first
    assert not (campaign.kept / "0000.zip").samefile(campaign.output())


def test_of_an_endless_log_the_end_is_kept(campaign, monkeypatch):
    monkeypatch.setattr(run_chunk, "LOG_LIMIT", 40)
    (failed,) = [run for run in read_chunk(campaign.run(do={"Sr": "crash"}), "FEFF8L") if run.record.get("reason")]
    assert len(failed.files["feff.out"]) == 40 and failed.files["feff.out"].endswith(b"line 19\n")


def test_a_command_that_is_not_wanted_any_more_is_ended(tmp_path):
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()
    begin = time.monotonic()
    with pytest.raises(StoppedError):
        run_command(["sleep", "60"], tmp_path, log=tmp_path / "log", time_limit=50, stop=stop)
    assert time.monotonic() - begin < 10
