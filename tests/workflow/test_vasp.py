"""VASP in the workflow, by the stand-in: from a folder of structures to packed runs, killed half-way and resumed."""

import json
import time
import zipfile
from pathlib import Path

from input_structures import rutile
from test_kill_moments import kill_at
from vasp_runs import MARK, SMALL, command, go_wrong, make_library, starts
from workflow import run, write_config

OUTPUT = "results/simulations/Ti_VASP/0000.zip"


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_a_killed_chunk_of_vasp_goes_on_where_it_was_and_leaves_no_potcar(tmp_path, monkeypatch):
    marks, scratch = tmp_path / "marks", tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    monkeypatch.setenv("PMG_VASP_PSP_DIR", str(make_library(tmp_path / "library")))
    go_wrong(marks, hole=["wait600"])
    (tmp_path / "mine").mkdir()
    rutile().to(str(tmp_path / "mine/rutile.cif"), fmt="cif")
    write_config(
        tmp_path,
        subsets=["Ti_VASP"],
        chunks=1,
        structures={"source": "directory", "directory": "mine"},
        inputs={"vasp": SMALL},
        simulations={"source": "run", "vasp_command": command(marks)},
    )
    hole = marks / "O2Ti hole 0"
    kill_at(tmp_path, lambda: hole.exists() and hole.stat().st_size, tmp_path / OUTPUT, "simulations")
    deadline = time.monotonic() + 20
    while alive(json.loads(hole.read_text())["pid"]):
        assert time.monotonic() < deadline, "the stand-in outlived its chunk"
        time.sleep(0.05)
    assert list(scratch.rglob("POTCAR")) and starts(marks) == {"O2Ti SCF": 1, "O2Ti hole": 1}

    go_wrong(marks)
    printed = run(tmp_path, "spectra", good=False)  # simulates first
    assert starts(marks) == {"O2Ti hole": 1}
    assert "chunk 0: 1 sites: 1 computed, 0 kept from before, 0 failed" in printed
    assert "This version cannot read VASP runs" in printed and "Traceback" not in printed
    assert "this version runs VASP (`snakemake simulations`), but cannot read its spectra" in printed
    assert not list(scratch.rglob("POTCAR"))
    with zipfile.ZipFile(tmp_path / OUTPUT) as packed:
        names = packed.namelist()
        assert {"Ti/rutile/VASP/SCF/OSZICAR", "Ti/rutile/VASP/000_Ti/OUTCAR", "Ti/rutile/POSCAR"} <= set(names)
        assert json.loads(packed.read("Ti/rutile/VASP/000_Ti/run.json"))["delta_scf_ev"] > 17
    for path in (tmp_path / "results").rglob("*"):
        if path.is_file():
            whole = path.read_bytes()
            if zipfile.is_zipfile(path):
                with zipfile.ZipFile(path) as packed:
                    whole = b"".join(map(packed.read, packed.namelist()))
            assert MARK.encode() not in whole, path
