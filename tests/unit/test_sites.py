"""The words that name things, and the tables of what was left out."""

import hashlib
import json

import pandas as pd
import pytest

from xanesflow.core.errors import XanesflowError
from xanesflow.core.provenance import provenance
from xanesflow.core.reasons import REASONS, Rejected
from xanesflow.core.sites import Subset, chunk_name, chunk_of, parse_site_id, site_id
from xanesflow.core.tables import (
    count_reasons,
    describe_counts,
    read_columns,
    read_csv,
    read_parquet,
    read_rejected,
    read_structures,
    write_rejected,
)


@pytest.mark.parametrize(
    ("material", "chunks", "expected"),
    # `printf mp-390 | sha256sum | cut -c1-16`, read as a hexadecimal number, modulo the number of chunks
    [("mp-390", 32, 19), ("mp-390", 1000, 915), ("mp-1101124", 32, 18), ("mp-1101124", 1000, 450), ("mvc-1", 32, 25),
     ("mvc-1", 1000, 49), ("mp-1", 1, 0)],
)  # fmt: skip
def test_the_chunk_of_a_material_never_changes(material, chunks, expected):
    assert chunk_of(material, chunks) == expected


def test_the_name_of_a_chunk_has_four_digits():
    assert chunk_name(7) == "0007"


@pytest.mark.parametrize(
    ("text", "site"),
    [("mp-390_000", ("mp-390", 0)), ("mp-1_1234", ("mp-1", 1234)), ("my_own_material_012", ("my_own_material", 12))],
)
def test_a_site_is_its_material_and_an_index_of_three_digits(text, site):
    assert parse_site_id(text) == site
    assert site_id(*site) == text


@pytest.mark.parametrize("text", ["", "mp-390", "_000", "mp-390_", "mp-390_x", "mp-390_-1", "mp-390_1.0", "mp-390_²"])
def test_what_is_no_site_is_told(text):
    with pytest.raises(XanesflowError, match="is not a site: write <material id>_<site index>"):
        parse_site_id(text)


def test_a_subset_is_an_element_and_a_theory():
    assert Subset.parse("Cu_FEFF") == Subset("Cu", "FEFF")
    assert str(Subset("V", "VASP")) == "V_VASP"


@pytest.mark.parametrize("name", ["Cu", "cu_FEFF", "Cu_feff", "Cu_FEFF ", "Cu-FEFF", "Cu_QE", "Cuu_FEFF", "", "_FEFF"])
def test_what_is_no_subset_is_told(name):
    with pytest.raises(XanesflowError, match="is not a subset: write <element>_<theory>"):
        Subset.parse(name)


def test_a_reason_comes_from_the_documented_list():
    with pytest.raises(ValueError, match="list of reasons"):
        Rejected("mp-1", 0, "bad", "…")
    assert all(meaning and not meaning.endswith(".") for meaning in REASONS.values())


LEFT_OUT = [
    Rejected("mp-2", 1, "outside_envelope", "3.1 σ, “far”, out"),
    Rejected("mp-10", 0, "no_output", ""),
    Rejected("mp-10", -1, "no_run", "x"),
    Rejected("mp-2", 0, "outside_envelope", "y"),
]


@pytest.mark.parametrize("rows", [[], LEFT_OUT])
def test_a_rejected_table_comes_back_in_the_order_of_material_and_site_and_can_be_read_by_people(tmp_path, rows):
    write_rejected(tmp_path / "r.parquet", rows)
    assert read_rejected(tmp_path / "r.parquet") == [rows[k] for k in (2, 1, 3, 0)[: len(rows)]]
    write_rejected(tmp_path / "r.csv", rows)
    table = pd.read_csv(tmp_path / "r.csv", keep_default_na=False)
    assert table.columns.tolist() == ["material_id", "site_index", "reason", "detail"]
    assert sorted(table["detail"]) == sorted(r.detail for r in rows)


@pytest.mark.parametrize("left", [0, 6, 0.5])
def test_a_table_cut_short_is_told_in_one_sentence_whoever_reads_it(tmp_path, left):
    """As after a copy of results/ that was interrupted."""
    path = tmp_path / "t.parquet"
    write_rejected(path, LEFT_OUT)
    content = path.read_bytes()
    path.write_bytes(content[: int(left * len(content)) if left < 1 else left])
    for read, again in (
        (lambda: read_structures(path, ["mp-1"]), "run `snakemake structures`"),
        (lambda: read_columns(path, ["reason"]), "run `snakemake structures`"),
        (lambda: read_parquet(path), "run `snakemake structures`"),
        (lambda: read_rejected(path), "run snakemake again"),
    ):
        with pytest.raises(XanesflowError, match=rf"parquet cannot be read \(.*\); delete it and {again}\.") as caught:
            read()
        assert "\n" not in str(caught.value)


def test_a_table_that_lacks_columns_or_is_empty_is_told_in_one_sentence(tmp_path):
    write_rejected(tmp_path / "t.parquet", LEFT_OUT)
    with pytest.raises(XanesflowError, match=r"t\.parquet has no column structure; delete it and run `snakemake"):
        read_structures(tmp_path / "t.parquet", ["mp-1"])
    (tmp_path / "split.csv").write_text("")
    with pytest.raises(XanesflowError, match=r"split\.csv cannot be read \(No columns .*\); delete it and run"):
        read_csv(tmp_path / "split.csv")
    with pytest.raises(XanesflowError, match=r"absent\.parquet does not exist; run `snakemake structures`"):
        read_parquet(tmp_path / "absent.parquet")


def test_reasons_are_counted_in_the_order_of_the_list():
    assert list(count_reasons(LEFT_OUT).items()) == [("no_run", 1), ("no_output", 1), ("outside_envelope", 2)]
    assert describe_counts(7, LEFT_OUT) == "7 spectra kept, 4 left out: 1 no_run, 1 no_output, 2 outside_envelope"
    assert describe_counts(7, []) == "7 spectra kept, none left out"


def test_an_output_records_versions_and_its_inputs_by_name_and_hash(tmp_path):
    (tmp_path / "in.txt").write_text("abc")
    record = provenance([tmp_path / "in.txt"], ["h5py", "no-such-package"], config="{}")
    assert json.loads(record["inputs_sha256"]) == {"in.txt": hashlib.sha256(b"abc").hexdigest()}
    assert {"xanesflow", "python", "numpy", "h5py"} == set(json.loads(record["versions"]))
    assert record["config"] == "{}" and record["created"].endswith("+00:00")
    assert str(tmp_path) not in json.dumps(record)
