"""`snakemake inputs`: the inputs of a folder of structures, the same bytes whenever they are made."""

import hashlib
import re
import zipfile

import yaml
from compare_feff_inp import parse_feff_input
from input_structures import anatase_backwards, rutile
from workflow import run, write_run_config

from xanesflow.core.tables import read_rejected
from xanesflow.inputs.unpack import unpack

CODES = ["FEFF", "VASP", "OCEAN"]  # all six: test_materials_project
IMPOSSIBLE = "This version cannot run OCEAN: write the inputs with `snakemake inputs` and run them yourself"
NO_FEFF = "There is no program 'no-such-feff' (looked for on the PATH) to run FEFF with: set simulations.feff_command"


def configure(directory, *subsets, **values):
    mine = directory / "mine"
    mine.mkdir(parents=True)
    rutile().to(str(mine / "rutile.cif"), fmt="cif")
    anatase_backwards().to(str(mine / "anatase.json"), fmt="json")
    (mine / "alone.vasp").write_text("alone\n1.0\n15 0 0\n0 15 0\n0 0 15\nTi\n1\nDirect\n0 0 0\n")
    (mine / "zinc.vasp").write_text("zinc\n1.0\n4 0 0\n0 4 0\n0 0 4\nZn\n1\nDirect\n0 0 0\n")
    write_run_config(directory, *subsets, **values)


def hashes(directory):
    zips = sorted((directory / "results/inputs").rglob("0000*"))
    return {str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest() for path in zips}


def test_inputs_come_from_a_folder_twice_the_same(tmp_path):
    configure(tmp_path, *(f"Ti_{code}" for code in CODES), "Ti_FEFF8L")
    printed = run(tmp_path, "inputs")
    assert "No library of POTCARs is configured" in printed
    first = hashes(tmp_path)
    assert len(first) == 2 * len(CODES) and not (tmp_path / "results/inputs/Ti_FEFF8L").exists()
    names = {}
    for code in CODES:
        with zipfile.ZipFile(tmp_path / f"results/inputs/Ti_{code}/0000.zip") as packed:
            names[code] = {name.removeprefix("Ti/") for name in packed.namelist()}
            if code == "FEFF":
                parse_feff_input(packed.read("Ti/anatase/FEFF-XANES/008_Ti/feff.inp").decode())
        assert {"rutile/POSCAR", "anatase/POSCAR", f"manifests/Ti_{code}_0000.json"} <= names[code]
    assert {"rutile/VASP/SCF/INCAR", "rutile/VASP/000_Ti/POTCAR.spec", "anatase/VASP/008_Ti/KPOINTS"} <= names["VASP"]
    assert "anatase/OCEAN/Ti/ocean.in" in names["OCEAN"]
    left_out = read_rejected(tmp_path / "results/inputs/Ti_FEFF/0000_rejected.parquet")
    assert [(each.material_id, each.reason) for each in left_out] == [("alone", "isolated_atom")]
    no_titanium = read_rejected(tmp_path / "results/structures/Ti_FEFF_rejected.parquet")
    assert [(each.material_id, each.reason) for each in no_titanium] == [("zinc", "no_absorber")]
    laid_out, there = unpack(sorted((tmp_path / "results/inputs").glob("*/0000.zip")), tmp_path / "runs")
    assert laid_out == len({name for some in names.values() for name in some}) and there == 0
    assert (tmp_path / "runs/Ti/rutile/VASP/000_Ti/INCAR").is_file()
    assert "Nothing to be done" in run(tmp_path, "inputs")
    for code in ("FEFF", "VASP"):
        (tmp_path / f"results/inputs/Ti_{code}/0000.zip").unlink()
    run(tmp_path, "inputs")
    assert hashes(tmp_path) == first
    changed = yaml.safe_load((tmp_path / "campaign.yaml").read_text()) | {"inputs": {"feff": {"radius": 10.0}}}
    (tmp_path / "campaign.yaml").write_text(yaml.safe_dump(changed))
    printed = run(tmp_path, "inputs", "--dry-run")
    assert set(re.findall(r"inputs of chunk 0000 of (\w+)", printed)) == {"Ti_FEFF"}, "that code's inputs and no others"


def test_what_only_has_inputs_stops_in_a_sentence_and_holds_up_no_other_subset(tmp_path):
    configure(tmp_path, "Ti_OCEAN", "Ti_FEFF", "Ti_FEFF8L", simulations={"feff_command": "no-such-feff"})
    warned = "Ti_OCEAN: this version makes structures and inputs of these (`snakemake inputs`), but runs "
    printed = run(tmp_path, "results/spectra/Ti_FEFF8L.h5", "--dry-run")
    assert warned in printed and "simulate_chunk" in printed
    assert f"Ti_FEFF: {NO_FEFF}" in printed and "embedded engine (subsets such as Cu_FEFF8L)" in printed
    zips = [f"results/simulations/{subset}/0000.zip" for subset in ("Ti_OCEAN", "Ti_FEFF")]
    printed = run(tmp_path, *zips, "--keep-going", good=False)
    assert IMPOSSIBLE in printed and printed.count(NO_FEFF) > 1 and "Traceback" not in printed


def test_inputs_of_the_embedded_engine_are_told_to_be_its_own(tmp_path):
    configure(tmp_path, "Ti_FEFF8L")
    printed = run(tmp_path, "results/inputs/Ti_FEFF8L/0000.zip", good=False)
    assert "No inputs are written for FEFF8L, because its engine writes its own" in printed
