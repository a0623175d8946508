"""Quick FEFF: radii that depend on the site, a real run through the workflow, and what delta models take from it."""

import json
from pathlib import Path

import numpy as np
import pytest
from feff_runs import GRID_START_EV
from pymatgen.core import Lattice, Structure
from scipy.stats import spearmanr

from xanesflow.codes.feff.core_hours import feff_costs
from xanesflow.codes.feff.write_inputs import clusters_of
from xanesflow.codes.feffq.core_hours import feffq_costs
from xanesflow.codes.feffq.options import SETTINGS, QuickSettings
from xanesflow.codes.feffq.quick_look import FeffqLook
from xanesflow.codes.feffq.read_field import FIELD
from xanesflow.codes.feffq.write_inputs import scf_radius, write_feff_inp
from xanesflow.codes.registry import engine_of, load, theory_of
from xanesflow.codes.run_zip import read_chunk
from xanesflow.config.campaign import Campaign as Planned
from xanesflow.config.inputs import InputsSection
from xanesflow.config.load import load_config
from xanesflow.core.energy_grid import onto_grid
from xanesflow.core.errors import FailedRunError, WrongCallError, XanesflowError
from xanesflow.features.cheap_runs.columns import FRAME_POINTS, NUMBERS, blocks_of, columns_of
from xanesflow.features.cheap_runs.engine_runs import EngineRuns
from xanesflow.simulations.check_runs import check_folders
from xanesflow.simulations.run_chunk import simulate_chunk
from xanesflow.spectra.curate import curate_spectra
from xanesflow.spectra.store import read_spectra
from xanesflow.structures.material import describe
from xanesflow.structures.site_table import write_site_table, write_structures

REFERENCE = Path(__file__).parents[2] / "studies/quick_feff/reference.npz"
"""Spectra of FEFF 10 at the paper's settings."""

HALITE = Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.2), ["Ni", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])
"""Each atom has 6 neighbours at 2.1 Å, then 12 at 2.97 Å, then 8 at 3.64 Å."""


def quick(atoms, least=0.5, most=9.0):
    return QuickSettings(atoms, (least, most), (0.001, 0.01, 0.002), 4.0, 0.0, 0.08)


@pytest.mark.parametrize(
    ("atoms", "shell"), [(2, 2.1), (7, 2.1), (8, 4.2 / 2**0.5), (19, 4.2 / 2**0.5), (20, 2.1 * 3**0.5)]
)
def test_the_field_reaches_the_shell_that_makes_its_atoms_enough(atoms, shell):
    cluster = clusters_of(HALITE, [0], 9.0)[0]
    assert scf_radius(cluster, quick(atoms)) == pytest.approx(shell + 0.1, abs=1e-6)
    assert scf_radius(cluster, quick(atoms, least=3.5)) == pytest.approx(max(shell + 0.1, 3.5))
    assert scf_radius(cluster, quick(atoms, most=2.5)) == pytest.approx(min(shell + 0.1, 2.5))


def test_the_sphere_of_each_element_counts_and_not_the_absorbers_alone():
    # Cs2CrO4-like: the absorber's own shell is near, caesium's first neighbours are far.
    loose = Structure(
        Lattice.cubic(12), ["Cr", "O", "O", "O", "O", "Cs", "Cs"],
        [[0, 0, 0], *np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) * 0.077, [0.3, 0, 0], [0, 0.3, 0]],
    )  # fmt: skip
    cluster = clusters_of(loose, [0], 9.0)[0]
    positions, symbols = cluster.positions_a, np.array(cluster.symbols)
    needed = []
    for centre in (0, *(int(np.flatnonzero(symbols == one)[0]) for one in ("O", "Cs"))):
        needed.append(np.sort(np.linalg.norm(positions - positions[centre], axis=1))[3])
    if "Cr" in cluster.symbols[1:]:
        centre = int(np.flatnonzero(symbols[1:] == "Cr")[0]) + 1
        needed.append(np.sort(np.linalg.norm(positions - positions[centre], axis=1))[3])
    assert scf_radius(cluster, quick(4)) == pytest.approx(max(needed) + 0.1)
    assert np.argmax(needed) != 0


def test_an_absorber_without_a_neighbour_has_its_reason():
    with pytest.raises(FailedRunError) as told:
        write_feff_inp(Structure(Lattice.cubic(15), ["Cu"], [[0, 0, 0]]), 0, SETTINGS["fast"])
    assert told.value.reason == "isolated_atom"


@pytest.fixture(scope="module")
def titanium(tmp_path_factory):
    """A chunk with one site of hcp titanium, computed for real."""
    folder = tmp_path_factory.mktemp("titanium")
    structure = Structure(Lattice.hexagonal(2.95, 4.686), ["Ti", "Ti"], [[1 / 3, 2 / 3, 0.25], [2 / 3, 1 / 3, 0.75]])
    material = describe("ti-hcp", structure, symprec=0.01)
    write_structures(folder / "structures.parquet", [material])
    write_site_table(folder / "sites.parquet", [(material, 0)], chunks=1)
    config = load_config(
        {"subsets": ["Ti_FEFFQ"], "structures": {"source": "examples"}, "simulations": {"source": "run"}}
    )
    options = json.loads(json.dumps(Planned(config).engine_options("Ti_FEFFQ")))
    simulate_chunk(
        folder / "structures.parquet", folder / "sites.parquet", folder / "0000.zip", folder / "kept",
        subset="Ti_FEFFQ", chunk=0, workers=1, scratch=folder, engine=engine_of("FEFFQ", options),
    )  # fmt: skip
    return folder


def test_titanium_agrees_with_feff_at_the_papers_settings(titanium):
    curate_spectra(
        [titanium / "0000.zip"], subset="Ti_FEFFQ", structures=titanium / "structures.parquet",
        site_table=titanium / "sites.parquet", rejected=[], output=titanium / "s.h5", rejected_csv=titanium / "r.csv",
        energy_start_ev=GRID_START_EV["Ti"], envelope_sigma=None,
    )  # fmt: skip
    (spectrum,) = read_spectra(titanium / "s.h5").spectra
    stored = np.load(REFERENCE)
    at = [str(name) for name in stored["material"]].index("amcsd-11195")
    expected = onto_grid(stored["energy"][at], stored["mu"][at], start_ev=GRID_START_EV["Ti"], max_flat_start_ev=10.0)
    assert np.sqrt(np.mean((spectrum - expected) ** 2)) < 0.06 * expected.mean()
    assert spearmanr(spectrum, expected).statistic > 0.98


def test_a_run_says_how_it_was_made_and_gives_delta_models_its_field(titanium):
    (run,) = read_chunk(titanium / "0000.zip", "FEFFQ")
    assert run.record["theory"] == "FEFFQ" and run.record["settings"]["settings"] == "fast"
    assert run.record["own_scattering"] and run.record["scf_iterations"] < 30
    field = run.record["field"]
    assert field.keys() == set(FIELD)
    # Titanium has 3p⁶ 3d² 4s²; in a metal of one element no charge moves far.
    assert sum(field[name] for name in ("n_s", "n_p", "n_d")) == pytest.approx(10, abs=0.3)
    assert max(map(abs, (field["charge"], field["least_charge"], field["most_charge"]))) < 0.3
    read = theory_of("FEFFQ").reader
    spectrum = load(read)(run, None, element="Ti", structure=None)
    row = columns_of("feffq", spectrum.energy_ev, spectrum.cross_section, run.record, GRID_START_EV["Ti"])
    np.testing.assert_allclose(row[FRAME_POINTS:], [field[name] for name in FIELD], rtol=1e-6)
    (block,) = blocks_of(np.tile(row[FRAME_POINTS:], (2, 1)).astype(float))
    assert block.shape == (2, NUMBERS["feffq"])


def test_its_runs_tell_the_absorbers_charge_and_are_checked_in_a_tree(titanium, tmp_path):
    (run,) = read_chunk(titanium / "0000.zip", "FEFFQ")
    charge = load(theory_of("FEFFQ").absorber_charge)(run)
    assert charge == pytest.approx(run.record["field"]["charge"])
    folder = tmp_path / "ti-hcp" / "FEFFQ-XANES" / "000_Ti"
    folder.mkdir(parents=True)
    for name, content in run.files.items():
        (folder / name).write_bytes(content)
    assert [verdict.reason for verdict in check_folders([tmp_path])] == [""]
    (folder / "feff.out").write_text("Launching FEFF version FEFF 10\n")
    (verdict,) = check_folders([tmp_path])
    assert verdict.folder == folder and verdict.reason


def test_a_prediction_repeats_the_runs_of_a_models_training_and_refuses_others():
    settings = engine_of("FEFFQ", {"settings": "near"}).settings()
    made = EngineRuns("feffq", json.dumps(settings), GRID_START_EV["Ti"])
    assert made.packages == ("feff10-rs", "pymatgen-core")
    assert made.dimension == FRAME_POINTS + len(FIELD) and made.meaning.startswith("the spectrum of a FEFFQ run")
    assert made.weights_hash != EngineRuns("feffq", json.dumps(engine_of("FEFFQ", {}).settings()), 0.0).weights_hash
    older = json.dumps(settings | {"code": "quick 0, FEFF 10 of feff10-rs 0.2.4"})
    with pytest.raises(XanesflowError, match=r"with code 'quick 0, .*train it again"):
        EngineRuns("feffq", older, GRID_START_EV["Ti"])


def test_delta_models_have_it_below_their_subsets():
    config = {"subsets": ["Ti_FEFF"], "structures": {"source": "examples"}, "simulations": {"source": "run"}}
    models = {"kinds": ["delta"], "delta_from": "FEFFQ"}
    planned = Planned(load_config({**config, "features": {"models": ["radial"]}, "models": models}))
    assert planned.cheap_subsets == {"Ti_FEFF": "Ti_FEFFQ"} and planned.cheap_features == "feffq"
    assert planned.engine_options("Ti_FEFFQ") == {"settings": "fast", "time_limit": 3600.0, "max_corrections": 3}


def test_a_forecast_knows_both_settings_and_the_site():
    _, (fast, *_) = feffq_costs(HALITE, [0], {"settings": "fast"})
    atoms, (near, *_) = feffq_costs(HALITE, [0], {"settings": "near"})
    assert atoms[0] == 1 + sum(len(shell) for shell in [HALITE.get_neighbors(HALITE[0], 9.0)])
    assert 0 < fast < near < feff_costs(HALITE, [0], {"command": None, "inputs": InputsSection().of("FEFF")})[1][0]


def test_settings_that_are_not_known_are_refused_by_the_command():
    record, options = theory_of("FEFFQ"), {"settings": "fast", "time_limit": 60.0, "max_corrections": 0}
    assert FeffqLook(record, options, {"settings": "near"}).options["settings"] == "near"
    with pytest.raises(WrongCallError, match="--settings 'slow' is not known; use fast and near"):
        FeffqLook(record, options, {"settings": "slow"})
