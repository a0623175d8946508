"""What changes outside the configuration is seen as well: the folder of runs, the split files."""

import os
import re
import time

from feff_runs import write_archive
from workflow import run, write_import_config


def planned(printed: str) -> set[str]:
    """Rules in the table of jobs of a dry run."""
    return set(re.findall(r"^(\w+) +\d+$", printed, re.MULTILINE)) - {"total"}


def test_a_folder_of_runs_that_grew_and_split_files_that_changed_are_seen(tmp_path):
    sites = write_archive(tmp_path / "runs", materials=12)
    (tmp_path / "splits").mkdir()
    for part, some in (("train", sites[:12]), ("val", sites[-3:]), ("test", [])):
        (tmp_path / f"splits/Cu_FEFF_{part}.txt").write_text("\n".join(some))
    write_import_config(tmp_path, "runs", envelope=None, splits={"files": "splits"})
    target = "results/dataset/splits/Cu_FEFF.csv"
    run(tmp_path, target)
    assert "Nothing to be done" in run(tmp_path, target)

    time.sleep(1.1)  # file systems count seconds
    (tmp_path / "splits/Cu_FEFF_train.txt").write_text("\n".join(sites[:11]))
    assert planned(run(tmp_path, target, "--dry-run")) == {"split_sites"}
    run(tmp_path, target)

    spectrum = next((tmp_path / "runs").rglob("xmu.dat"))
    os.utime(spectrum)
    assert planned(run(tmp_path, target, "--dry-run")) == {"import_archive_Cu_FEFF", "curate_spectra", "split_sites"}
