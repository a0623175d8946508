"""Archives made to harm: each ends within seconds, in a sentence or with what can be read of it."""

import pytest
from feff_runs import rocksalt
from hostile_archives import (
    HOSTILE_NAMES,
    damaged_copies,
    folders_that_link_to_each_other,
    hostile_tars,
    zip_of_names,
)
from pack_archives import PACKED, pack
from test_simulations_archive import FILES, read
from test_simulations_import import Imported, files_of

from xanesflow.core.errors import XanesflowError


def test_tars_whose_headers_lie_are_read_or_called_damaged(tmp_path):
    ends = {}
    for name, path in hostile_tars(tmp_path):
        try:
            ends[name] = [problem or content for _, content, problem in read(path)]
        except XanesflowError as error:
            ends[name] = "damaged" if f"{path} is damaged or incomplete" in str(error) else str(error)
    refused = {name for name, end in ends.items() if end == "damaged"}
    assert {"names that announce names", "headers that announce headers", "a size that is negative"} <= refused
    assert ends.pop("a sparse size that is negative") == ["its size in the archive is -5 bytes"]
    assert all(end in ("damaged", [b"good"]) for end in ends.values()), ends


@pytest.mark.parametrize("form", PACKED)
def test_changed_bytes_end_in_a_sentence_or_in_the_members_that_are_whole(tmp_path, form):
    path = pack(form, tmp_path / f"runs.{form}", FILES)
    refused = 0
    for copy in damaged_copies(path, 60, seed=7):
        try:
            assert len(read(copy)) < 100
        except XanesflowError as error:
            refused += 1
            assert str(path) in str(error) and "\n" not in str(error)
    assert refused > 5


def test_folders_that_link_to_each_other_are_read_once(tmp_path):
    """Twelve of them are on more than 10^8 paths."""
    folders_that_link_to_each_other(tmp_path / "runs", 12)
    contents = [content for _, content, problem in read(tmp_path / "runs") if not problem]
    assert sorted(contents, key=int) == [b"%d" % number for number in range(12)]


def test_names_that_cannot_name_a_material_are_listed_and_harm_no_table(tmp_path):
    good = files_of("mp-1", rocksalt(), 0)
    files = dict(good)
    for name in HOSTILE_NAMES:
        files |= {path.replace("/mp-1/", f"/{name}/"): content for path, content in good.items()}
    pack("tar", tmp_path / "runs.tar", files)
    imported = Imported(tmp_path / "runs.tar", tmp_path / "out")
    assert imported.ids == [("mp-1", 0)]
    assert [r.reason for r in imported.rejected] == ["bad_id"] * len(HOSTILE_NAMES)
    assert all(r.material_id.isprintable() and len(r.material_id) <= 80 for r in imported.rejected)


def test_a_zip_of_twenty_thousand_names_is_read(tmp_path):
    zip_of_names(tmp_path / "runs.zip", [f"Cu/mp-{number}/POSCAR" for number in range(20_000)])
    assert len(read(tmp_path / "runs.zip")) == 20_000
