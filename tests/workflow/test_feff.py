"""FEFF in the workflow, with a stand-in (tests/support/stand_in_feff.py): from a folder of structures to spectra."""

import json
import shlex
import sys

import stand_in_feff
from feff_runs import perovskite, rocksalt
from pymatgen.core import Lattice, Structure
from workflow import run, write_config
from xraydb import atomic_mass, mu_elam

from xanesflow.codes.feff.read_run import read_run
from xanesflow.codes.run_zip import read_chunk
from xanesflow.spectra.store import read_spectra


def test_from_a_folder_of_structures_to_spectra_by_a_feff_that_is_killed_and_must_be_helped(tmp_path):
    control = tmp_path / "control"
    control.mkdir()
    orders = {"Sr": {"converges": {"ca1": 0.1}, "folp": {"2": 1.15}}, "Ca": {"converges": {"radius": 6}}}
    (control / "control.json").write_text(json.dumps(orders))
    (tmp_path / "mine").mkdir()
    structures = {"plain": rocksalt(), "helped": perovskite("Cu", "Sr"), "hopeless": perovskite("Cu", "Ca")}
    for name, structure in structures.items():
        structure.to(str(tmp_path / f"mine/{name}.cif"), fmt="cif")
    stand_in = shlex.join([sys.executable, "-I", "-S", stand_in_feff.__file__, str(control)])
    killed_once = tmp_path / "feff.sh"
    killed_once.write_text(f"grep -q Sr feff.inp && mkdir {control}/killed 2>&1 && kill -9 $$\nexec {stand_in}\n")
    write_config(
        tmp_path,
        subsets=["Cu_FEFF"],
        chunks=1,
        structures={"source": "directory", "directory": "mine"},
        simulations={
            "source": "run",
            "feff_command": f"sh {killed_once}",
            "feff": {"max_corrections": 3},
        },
        curation={"envelope": {"FEFF": None}},
    )
    printed = run(tmp_path, "spectra", "--retries", "1", "--set-resources", "simulate_chunk:attempts=2")
    assert "1 of its sites were killed or ran out of memory; the others are kept, and these are tried again" in printed
    assert "Cu_FEFF chunk 0: 3 sites: 1 computed, 1 kept from before, 1 failed (1 not_converged)" in printed
    assert "Cu_FEFF: 1 of the spectra come from runs whose inputs were corrected" in printed
    curated = read_spectra(tmp_path / "results/spectra/Cu_FEFF.h5")
    told = dict(zip(curated.material_id, curated.corrections, strict=True))
    assert told == {"helped": "SCF ca1 0.2 -> 0.1", "plain": ""}
    assert [(r.material_id, r.reason) for r in curated.rejected] == [("hopeless", "not_converged")]
    for kept in read_chunk(tmp_path / "results/simulations/Cu_FEFF/0000.zip", "FEFF"):
        if kept.record["outcome"] == "finished":
            read_run(kept.files, element="Cu")
    assert "Nothing to be done" in run(tmp_path, "spectra")


def test_the_feff_10_of_pip_makes_spectra_on_a_machine_without_any_feff(tmp_path):
    """A cluster of thirteen atoms, so that it takes seconds; what it should give is known from tables of X-ray data."""
    (tmp_path / "mine").mkdir()
    Structure.from_spacegroup("Fm-3m", Lattice.cubic(3.61), ["Cu"], [[0, 0, 0]]).to(
        str(tmp_path / "mine/copper.cif"), fmt="cif"
    )
    cards = {"SCF": "3.0 0 100 0.2 3", "FMS": "4.0 0", "EGRID": ["k_grid -1 0 0.04", "k_grid 0 4 0.08"]}
    write_config(
        tmp_path,
        subsets=["Cu_FEFF"],
        chunks=1,
        structures={"source": "directory", "directory": "mine"},
        inputs={"feff": {"cards": cards, "radius": 3.0}},
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
