"""Failed sites: listed, borne or too many, and computed again when they are ordered, they alone."""

import csv
import json
import os
import shutil
import time

import pytest
from command_line import answer
from fake_engine import WorkingDirectory, outcomes
from sentences import tells

from xanesflow.codes.run_zip import read_chunk
from xanesflow.core.errors import XanesflowError
from xanesflow.core.sites import chunk_of
from xanesflow.core.tables import write_rejected
from xanesflow.running.lock_holder import process_start
from xanesflow.running.locks import hold_directory
from xanesflow.simulations.state.campaign_status import campaign_status
from xanesflow.simulations.state.failures import FEW, check_failures, how_to_retry, list_failures
from xanesflow.simulations.state.progress import progress_path
from xanesflow.simulations.state.request_retries import request_retries
from xanesflow.simulations.state.retry_requests import request_path

FAILING = {"Sr": "crash", "Ca": "nothing", "Ba": "kill", "Mg": "kill"}


@pytest.fixture(scope="module")
def computed(tmp_path_factory):
    campaign = WorkingDirectory(tmp_path_factory.mktemp("computed")).write("Sr", "Ca", "Ba", "Mg", "La", "Y")
    campaign.run(do=FAILING)
    campaign.computed()
    return campaign.folder


@pytest.fixture
def campaign(tmp_path, computed):
    """A chunk of six sites, of which two failed for good and two in passing; a copy for each test."""
    return WorkingDirectory(shutil.copytree(computed, tmp_path, dirs_exist_ok=True))


def sites_of(marked):
    return [each.site[0] for each in marked]


def retry(campaign, *arguments):
    return answer("retry", *arguments, "--directory", campaign.folder, columns=400)


def test_the_table_of_failed_sites_tells_why_where_and_how_long(campaign):
    table = campaign.output().parent / "failed.csv"
    list_failures([campaign.output()], table, subset=campaign.subset)
    with table.open(newline="") as opened:
        rows = {row["site"]: row for row in csv.DictReader(opened)}
    records = {run.material_id: run.record for run in read_chunk(campaign.output(), "FEFF8L")}
    assert list(rows) == ["m-ba_001", "m-ca_001", "m-mg_001", "m-sr_001"]
    crashed = rows["m-sr_001"]
    assert (crashed["material_id"], crashed["site_index"], crashed["reason"]) == ("m-sr", "1", "engine_failed")
    assert crashed["detail"] == "exit code 3: line 17 | line 18 | line 19"
    assert crashed["log_tail"] == " | ".join(f"line {k}" for k in range(10, 20))
    assert crashed["attempts"] == "2" and crashed["host"] == os.uname().nodename
    assert float(crashed["seconds"]) == records["m-sr"]["seconds"]
    first = table.read_bytes()
    list_failures([campaign.output()], table, subset=campaign.subset)
    assert table.read_bytes() == first


def write_table(path, reasons):
    rows = [f"m{k},0,m{k}_000,{reason},,1,,,1.0," for k, reason in enumerate(reasons)]
    header = "material_id,site_index,site,reason,detail,attempts,log_tail,host,seconds,started"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def test_a_campaign_stops_where_more_than_the_allowed_share_failed_and_says_what_to_do(tmp_path):
    table = write_table(tmp_path / "failed.csv", ["timed_out"] * 12 + ["killed"] * 6 + ["no_output"] * 2 + ["all_zero"])
    check_failures(table, subset="Cu_FEFF8L", sites=210, max_failed=0.1)  # 21 are 10 %
    check_failures(table, subset="Cu_FEFF8L", sites=21, max_failed=None)
    with tells(
        "Cu_FEFF8L: 21 of 209 sites failed, which is 10.0% and more than the 10.0% of simulations.max_failed: "
        "12 timed_out, 6 killed, 2 no_output, 1 for other reasons",
        f"{table} lists them", "xanesflow retry Cu_FEFF8L", "or raise the limit",
    ):  # fmt: skip
        check_failures(table, subset="Cu_FEFF8L", sites=209, max_failed=0.1)


def test_where_nothing_is_left_the_failed_sites_and_retry_are_named(tmp_path):
    table = write_table(tmp_path / "failed.csv", ["killed"] * 2)
    said = how_to_retry([table], subset="Cu_FEFF8L")
    assert f" 2 sites failed, listed in {table}: " in said and "call `xanesflow retry Cu_FEFF8L`" in said
    assert how_to_retry([write_table(table, [])], subset="Cu_FEFF8L") == how_to_retry([], subset="Cu_FEFF8L") == ""


def test_the_working_directory_is_an_argument_or_an_option(campaign, monkeypatch):
    place = str(campaign.folder)
    for arguments in ([place], ["-d", place], [place, "--directory", place]):
        assert json.loads(answer("status", *arguments, "--json")[1])["subsets"][0]["subset"] == "Cu_FEFF8L"
        marked = answer("retry", *arguments, "Cu_FEFF8L", "--reason", "killed")[1]
        assert marked.startswith("Cu_FEFF8L: marked 2 failed sites")
    monkeypatch.chdir(campaign.folder.parent)
    (campaign.folder.parent / "Cu_FEFF8L").mkdir(exist_ok=True)  # a name of a subset is one, whatever folders there are
    words = [campaign.folder.name, "Cu_FEFF8L"]
    assert answer("retry", *words)[1].startswith("Cu_FEFF8L: marked")
    for wrong in (["status", place, "-d", "."], ["retry", place, "."], ["retry", place, "-d", "."]):
        code, said = answer(*wrong)
        assert code == 2 and "Two working directories are given" in said
    code, said = answer("retry", "./no/such")
    assert code != 0 and "no/such is not a folder" in said


def test_a_few_failed_sites_are_borne_however_small_the_campaign(tmp_path):
    table = write_table(tmp_path / "failed.csv", ["killed"] * FEW)
    check_failures(table, subset="Cu_FEFF8L", sites=FEW, max_failed=0.0)
    write_table(table, ["killed"] * (FEW + 1))
    with pytest.raises(XanesflowError, match="6 of 8 sites failed"):
        check_failures(table, subset="Cu_FEFF8L", sites=8, max_failed=0.5)


def test_only_the_chosen_sites_are_computed_again_and_the_others_stay_as_they_are(campaign):
    before = {run.material_id: run.record for run in read_chunk(campaign.output(), "FEFF8L")}
    assert sites_of(request_retries(campaign.folder, sites=["m-sr_001", "m-ba_001"])) == ["m-ba", "m-sr"]
    assert campaign.output().exists()  # nothing is deleted
    assert campaign.run_again() == {"Sr": 1, "Ba": 1}
    after = {run.material_id: run.record for run in read_chunk(campaign.output(), "FEFF8L")}
    assert {m for m in after if after[m] == before[m]} == {"m-ca", "m-mg", "m-la", "m-y"}
    assert outcomes(campaign.output())["m-sr"] == "finished" == outcomes(campaign.output())["m-ba"]


def test_by_reason(campaign):
    assert sites_of(request_retries(campaign.folder, reasons=["killed"])) == ["m-ba", "m-mg"]
    assert campaign.run_again(do={"Mg": "crash"}) == {"Ba": 1, "Mg": 1}
    assert outcomes(campaign.output())["m-mg"] == "engine_failed"


def test_a_second_order_names_what_failed_again_and_nothing_else(campaign):
    assert len(request_retries(campaign.folder)) == 4
    assert len(request_retries(campaign.folder)) == 4  # none was carried out yet
    assert campaign.run_again(do={"Sr": "crash"}) == {"Sr": 1, "Ca": 1, "Ba": 1, "Mg": 1}
    assert campaign.run_again() == {}  # the order is carried out, though Sr failed again
    assert sites_of(request_retries(campaign.folder)) == ["m-sr"]
    assert campaign.run_again() == {"Sr": 1}
    assert request_retries(campaign.folder) == []
    assert set(outcomes(campaign.output()).values()) == {"finished"}


def test_an_order_survives_a_kill_and_what_it_brought_is_not_computed_twice(campaign):
    request_retries(campaign.folder, sites=["m-sr_001", "m-mg_001"])
    with pytest.raises(XanesflowError):
        campaign.run(workers=1, do={"Sr": "disk"})  # Mg comes first
    assert campaign.computed() == {"Mg": 1, "Sr": 1}
    assert [note for note in campaign_status(campaign.folder).subsets[0].notes if "2 failed sites are marked" in note]
    assert campaign.run_again() == {"Sr": 1}
    assert not campaign_status(campaign.folder).subsets[0].notes


def test_an_order_follows_its_sites_to_another_chunk(campaign):
    request_retries(campaign.folder, sites=["m-sr_001"])
    campaign.write("Sr", "Ca", "La", "Y", chunks=3)
    for chunk in range(3):
        campaign.run(chunk)
    assert campaign.computed() == {"Sr": 1}


def test_a_failed_run_that_moves_to_another_chunk_does_not_pass_for_a_newer_good_one(campaign):
    moved = next(partner for partner in ("Sr", "Ca", "Ba", "Mg") if chunk_of(f"m-{partner.lower()}", 2) == 1)
    campaign.write("Sr", "Ca", "Ba", "Mg", "La", "Y", chunks=2)
    time.sleep(1.1)  # run.json counts seconds
    for chunk in (1, 0):  # chunk 0 has the run that failed, and hands it over when chunk 1 is done
        campaign.run(chunk, options={"radius": 5})
    assert moved in campaign.computed()
    shutil.rmtree(campaign.output().parent / "progress")
    status = campaign_status(campaign.folder).subsets[0]
    assert (status.done, status.failed) == (6, {})
    assert request_retries(campaign.folder) == []


def test_the_failures_of_own_runs_are_not_those_of_an_import_in_their_place(campaign):
    write_rejected(campaign.output().parent / "rejected.parquet", [])  # as `import_archive` does
    assert campaign_status(campaign.folder).subsets[0].imported
    assert request_retries(campaign.folder) == []


def test_several_chunks_and_subsets_each_get_their_order(tmp_path):
    for subset in ("Cu_FEFF8L", "Ni_FEFF8L"):
        campaign = WorkingDirectory(tmp_path, subset=subset).write("Sr", "Ca", "Ba", "Mg", "La", "Y", chunks=2)
        for chunk in (0, 1):
            campaign.run(chunk, do={"Sr": "crash", "Ca": "crash", "La": "crash"})
    marked = request_retries(tmp_path, ["Ni_FEFF8L"])
    assert {each.subset for each in marked} == {"Ni_FEFF8L"} and sorted(sites_of(marked)) == ["m-ca", "m-la", "m-sr"]
    assert {each.chunk for each in marked} == {chunk_of(material, 2) for material in ("m-ca", "m-la", "m-sr")}
    for chunk in (0, 1):
        ordered = json.loads(request_path(campaign.output().parent, chunk).read_text())["again"]
        assert sorted(ordered) == sorted(f"{each.site[0]}_001" for each in marked if each.chunk == chunk)
    assert not (tmp_path / "results/simulations/Cu_FEFF8L/retry").exists()


def test_a_failed_site_of_a_chunk_that_is_not_whole_can_be_ordered_too(tmp_path):
    campaign = WorkingDirectory(tmp_path).write("Sr", "Ca", "Ba")
    with pytest.raises(XanesflowError):
        campaign.run(workers=1, do={"Ca": "crash", "Sr": "disk"})
    campaign.computed()
    assert sites_of(request_retries(tmp_path)) == ["m-ca"]
    assert campaign.run_again() == {"Ca": 1, "Sr": 1}


def test_a_damaged_order_is_told_and_orders_nothing(campaign, caplog):
    request_retries(campaign.folder)
    request_path(campaign.output().parent, 0).write_text("{")
    assert campaign.run_again() == {"Ba": 1, "Mg": 1}  # as without an order
    assert "0000.json is damaged" in caplog.text and "call `xanesflow retry` again" in caplog.text


def test_while_a_run_holds_the_directory_or_a_job_is_at_work_nothing_is_marked(campaign):
    with hold_directory(campaign.folder / "results"):
        code, said = retry(campaign)
    assert code == 1 and "is in use by process" in said
    path = progress_path(campaign.output().parent, 0)
    at_work = {"state": "running", "process_start": process_start(os.getpid()), "updated": time.time()}
    path.write_text(json.dumps(json.loads(path.read_text()) | at_work))
    code, said = retry(campaign)
    assert code == 1 and "Chunk 0 of Cu_FEFF8L is still running (process" in said
    assert not request_path(campaign.output().parent, 0).exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--site", "m-la_001"], "m-la_001 of Cu_FEFF8L has not failed, so nothing is to be computed again"),
        (["--site", "m-xx_001"], "m-xx_001 is not a site of Cu_FEFF8L"),
        (["--site", "m-sr"], "'m-sr' is not a site: write <material id>_<site index>"),
        (["--site", "m-sr_001", "--site", "m-xx_001"], "m-xx_001 is not a site of Cu_FEFF8L"),
        (["--reason", "bad_luck"], "'bad_luck' is not a reason why a site fails"),
        (["Ni_FEFF8L"], "Ni_FEFF8L has no site table"),
    ],
)
def test_what_is_unknown_is_told_in_a_sentence_and_nothing_is_marked(campaign, arguments, said):
    code, printed = retry(campaign, *arguments)
    assert code == 1 and said in printed
    assert not request_path(campaign.output().parent, 0).exists()


def test_the_command_says_what_is_marked_and_what_to_call_next(campaign):
    code, said = retry(campaign, "Cu_FEFF8L")
    assert code == 0
    assert "Cu_FEFF8L: marked 4 failed sites in 1 chunk: 2 killed, 1 engine_failed, 1 not_converged." in said
    assert "The next call of snakemake" in said
    code, said = retry(campaign, "--reason", "timed_out")
    assert code == 0 and "No site has failed for such a reason" in said
