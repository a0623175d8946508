"""What a campaign cost, from chunks that the test writes, and how the report tells it."""

import re
from datetime import UTC, datetime

import pandas as pd
import pytest

from xanesflow.codes.lightshow_tree import run_folder
from xanesflow.codes.run_zip import ChunkWriter
from xanesflow.core.sites import chunk_name
from xanesflow.core.templates import environment
from xanesflow.report.campaign_section import MOST_CHUNKS, MOST_FAILURES, campaign_part
from xanesflow.simulations.state.campaign_sites import record_source
from xanesflow.simulations.state.summary import ChunkSummary, SubsetSummary, add_record, summarize_runs


def record(seconds, **changes):
    made = {"code": "engine 3", "host": "node7", "versions": {"numpy": "2.4.6", "xanesflow": "0.1.0"}, "cores": 1}
    made |= {"outcome": "finished", "seconds": seconds, "started": "2026-01-02T10:00:00+00:00", "attempts": 1}
    return made | changes


@pytest.fixture
def campaign(tmp_path):
    """A working directory with chunks of Cu_FEFF8L: a list of records a chunk."""

    def make(chunks, *, subset="Cu_FEFF8L", hours=0.5, imported=False):
        theory = subset.split("_")[1]
        rows = []
        folder = tmp_path / "results/simulations" / subset
        folder.mkdir(parents=True)
        for chunk, records in enumerate(chunks):
            with ChunkWriter([folder / f"{chunk_name(chunk)}.zip"]) as writer:
                for number, content in enumerate(records):
                    material = f"mp-{chunk}{number}"
                    rows.append({"material_id": material, "site_index": 0, "chunk": chunk, "core_hours": hours})
                    place = run_folder("Cu", material, 0, theory)
                    writer.add(0, f"{place}/xmu.dat", b"")
                    writer.add_record(0, place, content)
        (tmp_path / "results/structures").mkdir(exist_ok=True)
        pd.DataFrame(rows).to_parquet(tmp_path / f"results/structures/{subset}_sites.parquet")
        if imported:
            (folder / "rejected.parquet").touch()
        return tmp_path

    return make


def text_of(summaries, tmp_path):
    data = campaign_part(summaries, tmp_path / "benchmarks")
    page = environment("xanesflow.report").get_template("campaign.html").render(campaign=data, simulations=[])
    return page, " ".join(re.sub(r"<[^>]+>", " ", page).split())


def test_core_hours_are_seconds_times_cores_and_add_up(campaign):
    directory = campaign([[record(1800.0, cores=2), record(900.0)], [record(360.0, cores=10)]])
    whole, chunks = summarize_runs(directory, ["Cu_FEFF8L"])["Cu_FEFF8L"]
    assert [each.core_hours for each in chunks] == pytest.approx([1.25, 1.0])
    assert whole.core_hours == pytest.approx(2.25) and whole.expected_hours == pytest.approx(1.5)
    assert (whole.sites, whole.good, whole.chunk, whole.median_seconds) == (3, 3, 2, 900.0)
    assert whole.slowest == (1800.0, "mp-00_000")
    assert whole.last == datetime(2026, 1, 2, 10, 30, tzinfo=UTC) and whole.hosts == {"node7": 3}


def test_failures_attempts_and_corrections_are_told_by_chunk(campaign, tmp_path):
    failed = record(60.0, outcome="failed", reason="timed_out", detail="<b>no end</b>", attempts=[{}, {}, {}])
    corrected = record(30.0, attempts=2, corrections=[{"what": "SCF ca1", "from": "0.2", "to": "0.1"}])
    directory = campaign([[record(10.0), corrected], [failed]])
    (tmp_path / "benchmarks/simulate_chunk").mkdir(parents=True)
    (tmp_path / "benchmarks/simulate_chunk/Cu_FEFF8L_0001.tsv").write_text("s\th:m:s\tmax_rss\n7200\t2:00:00\t321.4\n")
    summaries = summarize_runs(directory, ["Cu_FEFF8L"])
    whole, chunks = summaries["Cu_FEFF8L"]
    assert whole.failed == {"timed_out": 1} and whole.tried_again == 2 and whole.corrected == 1
    assert [failure.attempts for failure in chunks[1].failures] == [3]
    page, text = text_of(summaries, tmp_path)
    assert "Cu_FEFF8L 0001 1 0 1 timed_out 0.0167 0.5 2 321" in text, "with its job's wall hours and memory"
    assert text.index("Cu_FEFF8L 0001") < text.index("Cu_FEFF8L 0000"), "chunks with failures first"
    assert "&lt;b&gt;no end" in page and "1 failed site" in text and "numpy 2.4.6, xanesflow 0.1.0" in text


def test_of_imported_runs_what_is_not_known_is_said(campaign, tmp_path):
    directory = campaign([[{"code": "imported"}] * 2], subset="Cu_FEFF", hours=None, imported=True)
    summaries = summarize_runs(directory, ["Cu_FEFF"])
    whole, (chunk,) = summaries["Cu_FEFF"]
    assert (whole.imported, whole.untimed, whole.median_seconds, whole.expected_hours) == (True, 2, None, None)
    assert chunk.core_hours == 0
    _, text = text_of(summaries, tmp_path)
    assert "imported from an archive" in text and "nan" not in text and "Cu_FEFF 0000 2 2 – – – –" in text


def test_damaged_and_missing_chunks_are_named_not_raised(campaign, tmp_path):
    directory = campaign([[record(10.0)], [record(10.0)], [record(10.0)]])
    (directory / "results/simulations/Cu_FEFF8L/0000.zip").write_bytes(b"PK")
    (directory / "results/simulations/Cu_FEFF8L/0001.zip").unlink()
    summaries = summarize_runs(directory, ["Cu_FEFF8L", "Ti_FEFF8L"])
    assert summaries.keys() == {"Cu_FEFF8L"}, "the other has no site table"
    notes = [each.note for each in summaries["Cu_FEFF8L"][1]]
    assert "is not a whole chunk" in notes[0] and notes[1:] == ["not finished", ""]
    assert "not finished" in text_of(summaries, tmp_path)[1]


def test_only_planned_sites_are_expected(campaign, tmp_path):
    directory = campaign([[record(1800.0)], [record(900.0)]])
    (tmp_path / "plan.csv").write_text("material_id,site_index\nmp-00,0\n")
    record_source(directory / "results/simulations/Cu_FEFF8L", tmp_path / "plan.csv")
    whole, chunks = summarize_runs(directory, ["Cu_FEFF8L"])["Cu_FEFF8L"]
    assert (whole.sites, whole.good, whole.expected_hours, len(chunks)) == (1, 1, 0.5, 1)


def test_odd_records_count_as_runs():
    summary = ChunkSummary("Cu_FEFF", 0, 3)
    for odd in ({}, {"seconds": "?", "versions": 3}, {"seconds": 5, "started": "yesterday", "attempts": None}):
        add_record(summary, "mp-1", 0, odd)
    assert (summary.good, summary.untimed, summary.first, summary.tried_again) == (3, 2, None, 0)
    assert summary.codes == {"not recorded": 3}


def test_without_simulations_the_part_is_empty(tmp_path):
    page, text = text_of({}, tmp_path)
    assert not text and "<h2" not in page


def test_long_lists_are_cut_and_say_so(tmp_path):
    whole, chunk = (kind("Cu_FEFF8L", 1, 200) for kind in (SubsetSummary, ChunkSummary))
    for number in range(MOST_FAILURES + 7):
        add_record(whole, f"mp-{number}", 0, record(1.0, outcome="failed", reason="killed", detail=""))
    chunks = [ChunkSummary("Cu_FEFF8L", number, 2) for number in range(MOST_CHUNKS + 3)]
    _, text = text_of({"Cu_FEFF8L": (whole, [*chunks, chunk])}, tmp_path)
    assert "57 failed sites" in text and "7 more are listed in" in text and "4 more chunks are not listed" in text
