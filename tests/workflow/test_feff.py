"""The FEFF 10 of pip in the workflow, on clusters of a few atoms: from structures or an archive to the report."""

import json
import re
import shutil
import sys
import zipfile
from functools import partial

import numpy as np
import pytest
from command_line import answer
from feff_runs import cuprite, perovskite, rocksalt
from pack_archives import pack
from pymatgen.core import Lattice, Structure
from test_kill_moments import kill_at, logged
from workflow import run, write_config, write_run_config
from xraydb import atomic_mass, mu_elam

from xanesflow.codes.feff.read_run import read_run
from xanesflow.codes.run_zip import read_chunk
from xanesflow.spectra.store import read_spectra

CARDS = {"SCF": "3.0 0 100 0.2 3", "FMS": "3.0 0", "EGRID": ["k_grid -1 0 0.04", "k_grid 0 4 0.08"]}
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
    write_run_config(
        tmp_path,
        "Cu_FEFF",
        inputs={"feff": {"cards": {**CARDS, "SCF": "3.0 0 3 0.2 3"}, "radius": 3.0}},
        simulations={"feff_command": f"sh {killed_once}", "max_failed": None},
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
    _, said = answer("status", tmp_path, "--json")
    (status,) = json.loads(said)["subsets"]
    assert (status["subset"], status["done"], status["failed"]) == ("Cu_FEFF", 2, {"isolated_atom": 1})


STRUCTURES = {"copper": COPPER, "oxide": rocksalt(), "cuprite": cuprite(), "perovskite": perovskite()}
OF_PIP = {"structures": {"source": "directory", "directory": "mine"}, "simulations": {"source": "run"}}
RUNS, SPECTRA = "results/simulations/Cu_FEFF/0000.zip", "results/spectra/Cu_FEFF.h5"


def configure(directory, **sections):
    """A campaign of four sites; there are too few for a balanced split."""
    write_config(
        directory,
        subsets=["Cu_FEFF"],
        chunks=1,
        inputs={"feff": {"cards": CARDS, "radius": 3.0}},
        curation={"envelope": {"FEFF": None}},
        features={"models": ["radial"]},
        **sections,
    )


@pytest.fixture(scope="module")
def campaign(tmp_path_factory):
    """A campaign of the FEFF of pip that was killed after its first site and then ran to its spectra.

    Directory, which no test may change; runs that were finished when it was killed; what the second call printed.
    """
    directory = tmp_path_factory.mktemp("feff")
    (directory / "mine").mkdir()
    for name, structure in STRUCTURES.items():
        structure.to(str(directory / f"mine/{name}.cif"), fmt="cif")
    configure(directory, **OF_PIP)
    log = directory / "results/logs/simulate_chunk/Cu_FEFF_0000.log"
    moment = partial(logged, log, "chunk 0: 1/4")
    kill_at(directory, moment, directory / RUNS, "spectra", "--cores", "1", seconds=1200)
    kept = (directory / RUNS).parent / "kept/0000"
    before = [each for path in sorted(kept.glob("[!.]*.zip")) for each in read_chunk(path, "FEFF")]
    return directory, before, run(directory, "spectra")


def test_a_killed_campaign_goes_on_without_computing_a_finished_site_again(campaign):
    directory, before, printed = campaign
    assert 1 <= len(before) < len(STRUCTURES)
    counts = f"{len(STRUCTURES) - len(before)} computed, {len(before)} kept from before, 0 failed"
    assert f"Cu_FEFF chunk 0: 4 sites: {counts}" in printed
    after = {each.site: each for each in read_chunk(directory / RUNS, "FEFF")}
    assert len(after) == len(STRUCTURES)
    for each in before:
        assert after[each.site].record == each.record and dict(after[each.site].files) == dict(each.files)
    assert sorted(read_spectra(directory / SPECTRA).material_id) == sorted(STRUCTURES)
    assert "Nothing to be done" in run(directory, "spectra")


def test_the_spectra_of_the_feff_10_of_pip_have_the_tabulated_absorption(campaign):
    """What copper, a cluster of thirteen atoms, should give far above the edge is known from tables of X-ray data."""
    directory = campaign[0]
    for each in read_chunk(directory / RUNS, "FEFF"):
        assert each.record["command"].startswith("FEFF 10 of pip (feff10-rs ") and each.record["own_scattering"]
    curated = read_spectra(directory / SPECTRA)
    energy = curated.energy_ev
    spectrum = curated.spectra[list(curated.material_id).index("copper")]
    # The K shell's part of the tabulated absorption at the end of the grid: the total less that of the other shells.
    below, above = mu_elam("Cu", 8970.0), mu_elam("Cu", float(energy[-1]))
    of_the_shell = above - below * (8970.0 / float(energy[-1])) ** 3  # cm²/g
    expected = of_the_shell * atomic_mass("Cu") / 6.02214076e23 / 0.529177e-8**2
    assert abs(spectrum[-20:].mean() / expected - 1) < 0.15
    assert spectrum[0] < 0.2 * expected


@pytest.mark.parametrize("form", ["folder", "tar.xz"])
def test_an_archive_of_runs_of_the_real_feff_gives_the_same_spectra(tmp_path, campaign, form):
    """In Lightshow's tree, with no record of ours."""
    directory = campaign[0]
    with zipfile.ZipFile(directory / RUNS) as packed:
        files = {name: packed.read(name) for name in packed.namelist() if not name.endswith("run.json")}
    assert {name.rpartition("/")[2] for name in files} == {"POSCAR", "feff.inp", "feff.out", "xmu.dat"}
    pack(form, tmp_path / "runs", files)
    configure(tmp_path, simulations={"source": "archive", "archive": "runs"})
    run(tmp_path, "spectra")
    ours, theirs = (read_spectra(folder / SPECTRA) for folder in (tmp_path, directory))
    np.testing.assert_array_equal(ours.material_id, theirs.material_id)
    np.testing.assert_array_equal(ours.spectra, theirs.spectra)
    assert ours.rejected == [] and not any(ours.corrections)


def test_the_report_of_a_campaign_of_the_real_feff(tmp_path, campaign):
    """In a copy of the campaign, where no site is computed again; two of them train, which teaches a model nothing."""
    directory = tmp_path / "campaign"
    shutil.copytree(campaign[0], directory)
    (directory / "splits").mkdir()
    curated = read_spectra(directory / SPECTRA)
    ids = [f"{m}_{i:03d}\n" for m, i in zip(curated.material_id, curated.site_index, strict=True)]
    for part, lines in {"train": ids[:2], "val": ids[2:3], "test": ids[3:]}.items():
        (directory / f"splits/Cu_FEFF_{part}.txt").write_text("".join(lines))
    configure(directory, **OF_PIP, splits={"files": "splits"})
    printed = run(directory)
    assert not re.search(r"^simulate_chunk ", printed, re.MULTILINE)
    page = (directory / "results/report/report.html").read_text()
    assert "Cu_FEFF" in page and "FEFF 10.0.0" in page
    _, said = answer("dataset", "info", directory / "results/dataset/test.h5")
    assert "SCF 3 0" in said and "FMS 3 0" in said
