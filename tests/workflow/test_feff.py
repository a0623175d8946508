"""The FEFF 10 of pip in the workflow, on clusters of a few atoms: from a folder of structures to spectra."""

import json
import sys

from feff_runs import rocksalt
from pymatgen.core import Lattice, Structure
from typer.testing import CliRunner
from workflow import run, write_config
from xraydb import atomic_mass, mu_elam

from xanesflow.cli import app
from xanesflow.codes.feff.read_run import read_run
from xanesflow.codes.run_zip import read_chunk
from xanesflow.spectra.store import read_spectra

CARDS = {"SCF": "3.0 0 100 0.2 3", "FMS": "4.0 0", "EGRID": ["k_grid -1 0 0.04", "k_grid 0 4 0.08"]}
COPPER = Structure.from_spacegroup("Fm-3m", Lattice.cubic(3.61), ["Cu"], [[0, 0, 0]])


def test_from_a_folder_of_structures_to_spectra_by_a_feff_that_is_killed_and_must_be_helped(tmp_path):
    """With three iterations no field converges, so each site is corrected; the first run is killed on its way."""
    (tmp_path / "mine").mkdir()
    lonely = Structure(Lattice.cubic(15), ["Cu"], [[0, 0, 0]])
    for name, structure in {"copper": COPPER, "oxide": rocksalt(), "lonely": lonely}.items():
        structure.to(str(tmp_path / f"mine/{name}.cif"), fmt="cif")
    feff = f"{sys.executable} -m xanesflow.codes.feff.pip_feff --own-scattering"
    killed_once = tmp_path / "feff.sh"
    killed_once.write_text(
        f"if grep -q 'CONTROL 1' feff.inp && mkdir {tmp_path}/killed 2>/dev/null\n"
        f"then timeout -s KILL 1 {feff}; kill -9 $$\nfi\nexec {feff}\n"
    )
    write_config(
        tmp_path,
        subsets=["Cu_FEFF"],
        chunks=1,
        structures={"source": "directory", "directory": "mine"},
        inputs={"feff": {"cards": {**CARDS, "SCF": "3.0 0 3 0.2 3"}, "radius": 3.0}},
        simulations={"source": "run", "feff_command": f"sh {killed_once}", "max_failed": None},
        curation={"envelope": {"FEFF": None}},
    )
    printed = run(tmp_path, "spectra", "--retries", "1", "--set-resources", "simulate_chunk:attempts=2")
    assert "1 of its sites were killed or ran out of memory; the others are kept, and these are tried again" in printed
    assert "Cu_FEFF chunk 0: 3 sites: 1 computed, 1 kept from before, 1 failed (1 isolated_atom)" in printed
    assert "Cu_FEFF: 2 of the spectra come from runs whose inputs were corrected" in printed
    curated = read_spectra(tmp_path / "results/spectra/Cu_FEFF.h5")
    told = dict(zip(curated.material_id, curated.corrections, strict=True))
    assert told == dict.fromkeys(("copper", "oxide"), "SCF iterations 3 -> 100")
    assert [(r.material_id, r.reason) for r in curated.rejected] == [("lonely", "isolated_atom")]
    for kept in read_chunk(tmp_path / "results/simulations/Cu_FEFF/0000.zip", "FEFF"):
        if kept.record["outcome"] == "finished":
            read_run(kept.files, element="Cu")
            assert [each.get("reason", "") for each in kept.record["tried"]] == ["not_converged", ""]
    assert "Nothing to be done" in run(tmp_path, "spectra")
    said = CliRunner().invoke(app, ["status", str(tmp_path), "--json"]).output
    (status,) = json.loads(said)["subsets"]
    assert (status["subset"], status["done"], status["failed"]) == ("Cu_FEFF", 2, {"isolated_atom": 1})


def test_the_feff_10_of_pip_makes_spectra_on_a_machine_without_any_feff(tmp_path):
    """A cluster of thirteen atoms, so that it takes seconds; what it should give is known from tables of X-ray data."""
    (tmp_path / "mine").mkdir()
    COPPER.to(str(tmp_path / "mine/copper.cif"), fmt="cif")
    write_config(
        tmp_path,
        subsets=["Cu_FEFF"],
        chunks=1,
        structures={"source": "directory", "directory": "mine"},
        inputs={"feff": {"cards": CARDS, "radius": 3.0}},
        simulations={"source": "run"},
        curation={"envelope": {"FEFF": None}},
    )
    run(tmp_path, "spectra")
    (finished,) = read_chunk(tmp_path / "results/simulations/Cu_FEFF/0000.zip", "FEFF")
    assert finished.record["command"].startswith("FEFF 10 of pip (feff10-rs ") and finished.record["own_scattering"]
    curated = read_spectra(tmp_path / "results/spectra/Cu_FEFF.h5")
    ((spectrum,), energy) = curated.spectra, curated.energy_ev
    # The K shell's part of the tabulated absorption at the end of the grid: the total less that of the other shells.
    below, above = mu_elam("Cu", 8970.0), mu_elam("Cu", float(energy[-1]))
    of_the_shell = above - below * (8970.0 / float(energy[-1])) ** 3  # cm²/g
    expected = of_the_shell * atomic_mass("Cu") / 6.02214076e23 / 0.529177e-8**2
    assert abs(spectrum[-20:].mean() / expected - 1) < 0.15
    assert spectrum[0] < 0.2 * expected and "Nothing to be done" in run(tmp_path, "spectra")
