"""What a chunk's job asks for follows from the site table."""

import math

import pandas as pd
import pytest

from xanesflow.simulations.job_resources import chunk_memory, chunk_minutes, expected_seconds


def write(path, chunks, hours):
    sites = {"material_id": [f"m{k}" for k in range(len(chunks))], "site_index": 0, "chunk": chunks}
    pd.DataFrame(sites | {"core_hours": hours}).to_parquet(path)
    return path


def minutes(table, chunk, **changes):
    return chunk_minutes(table, chunk, **{"cores": 4, "attempt": 1, "longest": 24.0, **changes})


def test_a_job_gets_the_time_that_its_sites_are_expected_to_take_with_a_margin(tmp_path):
    table = write(tmp_path / "sites.parquet", [0, 0, 0, 1], [4.0, 2.0, 2.0, 0.001])
    assert minutes(table, 0) == 1.5 * 60 * (8 / 4 + 4)  # shared by four cores, one long site at the end
    assert minutes(table, 0, cores=1) == 1.5 * 60 * 8
    assert minutes(table, 0, attempt=2) == 2 * minutes(table, 0)
    assert minutes(table, 0, attempt=9) == 24 * 60 and minutes(table, 0, longest=2.5) == 150
    assert minutes(table, 1) == 30 and minutes(table, 7) == 30  # never less; nor for a chunk without sites


@pytest.mark.parametrize("hours", [math.nan, None])
def test_a_job_gets_half_a_day_where_no_cost_is_known(tmp_path, hours):
    assert minutes(tmp_path / "not_there.parquet", 0) == 720
    assert minutes(write(tmp_path / "sites.parquet", [0], [hours]), 0) == 720
    (tmp_path / "damaged.parquet").write_text("no table")
    assert minutes(tmp_path / "damaged.parquet", 0) == 720
    pd.DataFrame({"chunk": [0]}).to_parquet(tmp_path / "old.parquet")
    assert minutes(tmp_path / "old.parquet", 0) == 720


def test_a_job_gets_time_for_the_planned_sites_alone(tmp_path):
    table, plan = write(tmp_path / "sites.parquet", [0, 0, 1], [4.0, 2.0, 2.0]), tmp_path / "plan.csv"
    plan.write_text("material_id,site_index\nm1,0\n")
    assert minutes(table, 0, cores=1, only=plan) == 1.5 * 60 * 2 and minutes(table, 1, only=plan) == 30
    plan.write_text("material_id,site_index\nm0,0\nm1,0\n")
    assert minutes(table, 0, cores=1, only=plan) == minutes(table, 0, cores=1)
    assert minutes(table, 0, only=tmp_path / "not_there.csv") == 720


def test_a_table_that_was_made_anew_is_read_anew(tmp_path):
    table = write(tmp_path / "sites.parquet", [0], [4.0])
    first = minutes(table, 0)
    write(table, [0], [1.0])
    assert minutes(table, 0) < first


def test_sites_without_a_cost_are_expected_to_take_the_same(tmp_path):
    table = pd.read_parquet(write(tmp_path / "sites.parquet", [0, 0], [math.nan, 2.0]))
    assert expected_seconds(table) == {("m0", 0): 1.0, ("m1", 0): 7200.0}
    assert set(expected_seconds(table.drop(columns="core_hours")).values()) == {1.0}


def test_memory_grows_with_the_cores_and_with_each_attempt():
    assert chunk_memory("FEFF8L", cores=4, attempt=1) == 4000
    assert chunk_memory("FEFF", cores=2, attempt=3) == 12000
