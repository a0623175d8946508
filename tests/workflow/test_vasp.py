"""VASP in the workflow, by the stand-in: from structures to spectra, killed half-way; from an archive to a dataset."""

import json
import zipfile

import numpy as np
from input_structures import rutile
from processes import is_alive, until
from test_kill_moments import kill_at
from vasp_archive import POINTS, write_runs
from vasp_runs import MARK, SMALL, command, go_wrong, make_library, starts, strontium_titanate, two_titania
from workflow import arrays, run, write_config, write_run_config

from xanesflow.spectra.store import read_spectra

OUTPUT = "results/simulations/Ti_VASP/0000.zip"


def test_a_killed_chunk_of_vasp_goes_on_where_it_was_and_leaves_no_potcar(tmp_path, monkeypatch):
    marks, scratch = tmp_path / "marks", tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    monkeypatch.setenv("PMG_VASP_PSP_DIR", str(make_library(tmp_path / "library")))
    go_wrong(marks, hole=["wait600"])
    (tmp_path / "mine").mkdir()
    rutile().to(str(tmp_path / "mine/rutile.cif"), fmt="cif")
    small = {"vasp": SMALL | {"core_hole": {"CH_NEDOS": POINTS}}}
    write_run_config(tmp_path, "Ti_VASP", inputs=small, simulations={"vasp_command": command(marks)})
    hole = marks / "O2Ti hole 0"
    # Nothing is forked, as pymatgen reads where the POTCARs are when it is imported.
    kill_at(
        tmp_path, lambda: hole.exists() and hole.stat().st_size, tmp_path / OUTPUT, "simulations", fork_scripts=False
    )
    until(lambda: not is_alive(json.loads(hole.read_text())["pid"]), "the end of the stand-in", 20)
    assert list(scratch.rglob("POTCAR")) and starts(marks) == {"O2Ti SCF": 1, "O2Ti hole": 1}

    go_wrong(marks)
    printed = run(tmp_path, "spectra", fork_scripts=False)  # simulates first
    assert starts(marks) == {"O2Ti hole": 1}
    assert "chunk 0: 1 site: 1 computed, 0 kept from before, 0 failed" in printed
    spectra = read_spectra(tmp_path / "results/spectra/Ti_VASP.h5")
    assert (spectra.material_id, spectra.site_index.tolist(), spectra.multiplicity.tolist()) == (["rutile"], [0], [2])
    assert 1e-3 < spectra.spectra.max() < 1e-2 and spectra.rejected == []
    assert not list(scratch.rglob("POTCAR"))
    with zipfile.ZipFile(tmp_path / OUTPUT) as packed:
        names = packed.namelist()
        assert {"Ti/rutile/VASP/SCF/OSZICAR", "Ti/rutile/VASP/000_Ti/OUTCAR", "Ti/rutile/POSCAR"} <= set(names)
        assert json.loads(packed.read("Ti/rutile/VASP/000_Ti/run.json"))["delta_scf_ev"] < -146
    for path in (tmp_path / "results").rglob("*"):
        if path.is_file():
            whole = path.read_bytes()
            if zipfile.is_zipfile(path):
                with zipfile.ZipFile(path) as packed:
                    whole = b"".join(map(packed.read, packed.namelist()))
            assert MARK.encode() not in whole, path


def test_an_archive_of_vasp_becomes_a_dataset_and_an_element_without_constants_is_told_at_once(tmp_path):
    for k in range(4):
        structure = strontium_titanate()
        structure.apply_strain(0.01 * k)
        write_runs(tmp_path / "runs", f"m-{k}", structure, [1])
    write_runs(tmp_path / "runs", "m-9", two_titania(), [0, 1])
    values = {"simulations": {"archive": "runs"}, "features": {"models": ["chgnet"]}, "chunks": 2}
    write_config(tmp_path, subsets=["Ti_VASP", "V_VASP"], **values)
    printed = run(tmp_path, "dataset", "--dry-run")
    assert "The spectra of V_VASP need an entry for V in curation.vasp.core_level and" in printed
    (tmp_path / "splits").mkdir()
    for part, sites in {
        "train": "m-0_001\nm-1_001\nm-9_000\nm-9_001\n",
        "val": "m-2_001\n",
        "test": "m-3_001\n",
    }.items():
        (tmp_path / f"splits/Ti_VASP_{part}.txt").write_text(sites)
    write_config(tmp_path, subsets=["Ti_VASP"], splits={"files": "splits"}, **values)
    run(tmp_path, "dataset")
    found = {
        name.removeprefix("Ti_VASP/"): value for name, value in arrays(tmp_path / "results/dataset/test.h5").items()
    }
    sites = [f"{m.decode()}_{i}" for m, i in zip(found["material_id"], found["site_index"], strict=True)]
    assert sites == ["m-0_1", "m-1_1", "m-2_1", "m-3_1", "m-9_0", "m-9_1"]
    assert found["spectra"].shape == (6, 141) and found["features/chgnet"].shape == (6, 65)
    # The structure is the material's cell, in which the sites are numbered, not VASP's supercell.
    assert len(json.loads(found["structures/m-9"])["sites"]) == 6
    assert not np.array_equal(found["features/chgnet"][4], found["features/chgnet"][5])
