"""The learned Fermi level: against published runs that it has not seen, its features, and where it keeps silent."""

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure
from pymatgen.io.vasp import Poscar
from shared import shared

from xanesflow.simulations.archive import read_archive
from xanesflow.simulations.feff8l.cluster import cut_cluster
from xanesflow.simulations.feff8l.inputs import Cluster
from xanesflow.simulations.feff8l.level import LevelModel, describe, learned_level, load_model
from xanesflow.simulations.layout import place_of
from xanesflow.structures.examples import load_examples

# Test materials of benchmarks/study_engine.py, which the model was not fitted to.
UNSEEN = (
    "mp-27383", "mp-504264", "mp-546449", "mp-759711", "mp-760251", "mp-775167",
    "mp-15742", "mp-1204931", "mp-1147580", "mp-973068", "mp-6189", "mp-1225359",
    "mp-753552", "mp-26851", "mp-1197335", "mp-662543", "mp-1252148", "mp-772548",
    "mp-17170", "mp-1283607", "mp-1202152", "mp-849652", "mp-614981", "mp-18713",
)  # fmt: skip


def copper():
    return Structure.from_spacegroup("Fm-3m", Lattice.cubic(3.615), ["Cu"], [[0, 0, 0]])


def published_runs():
    """(structure, site, level in eV) of finished runs at the unseen materials."""
    structures, levels = {}, []

    def wanted(name):
        place = place_of(name)
        return place is not None and place.material_id in UNSEEN and place.file in ("POSCAR", "xmu.dat")

    for member in read_archive(shared("feff9-cu.tar.xz"), wanted):
        place = place_of(member.name)
        if place.file == "POSCAR":
            structures[place.material_id] = Poscar.from_str(member.content.decode()).structure
        else:
            level = float(member.content.split(b"Mu=")[1].split(b"eV")[0])
            levels.append((place.material_id, place.site_index, level))
    return [(structures[material], site, level) for material, site, level in levels]


def test_levels_of_published_runs_it_has_not_seen():
    runs = published_runs()
    assert len(runs) >= len(UNSEEN)
    levels = np.array([level for _, _, level in runs])
    learned = [learned_level(structure, site) for structure, site, _ in runs]
    error = np.abs(np.array([one.fermi_ev for one in learned]) - levels)
    assert np.median(error) < 0.4
    assert np.median(error) < np.median(np.abs(levels - np.median(levels))) / 2
    assert np.median([one.weight for one in learned]) > 0.7


def test_only_copper_has_a_model():
    assert load_model("Cu") is not None
    assert load_model("Ni") is None
    nickel = Structure.from_spacegroup("Fm-3m", Lattice.cubic(3.52), ["Ni"], [[0, 0, 0]])
    assert learned_level(nickel, 0) is None
    assert cut_cluster(nickel, 0).level is None


def test_features_of_copper_metal():
    features = describe(copper(), [0, 1])
    assert features.shape == (2, 44)
    assert np.array_equal(features[0], features[1])
    mean, spread, low, high = features[0][:36].reshape(4, 9)
    assert np.array_equal(mean, low) and np.array_equal(mean, high) and not spread.any()
    assert mean[:4] == pytest.approx([1.90, 29, 4, 11])  # Pauling's electronegativity, Z, row, 3d10 4s1
    volume = 3.615**3 / 4
    assert features[0][36:40] == pytest.approx([volume, volume ** (1 / 3), 11 / volume, 1])
    assert features[0][40:] == pytest.approx(3.615 / np.sqrt(2))  # twelve neighbours at one distance


def test_few_neighbours_count_as_far_ones():
    molecule = Structure(Lattice.cubic(20), ["Cu", "O"], [[0, 0, 0], [0, 0, 0.1]])
    assert describe(molecule, [0])[0][40:] == pytest.approx([2.0, 3.5, 22 / 6, 3.75])


def test_the_features_are_the_same_for_any_cell_of_a_crystal():
    example = next(one for one in load_examples() if one.id == "cuo-tenorite")
    structure = example.structure()
    site = next(k for k, one in enumerate(structure) if one.specie.symbol == "Cu")
    primitive = structure.get_primitive_structure()
    other = next(k for k, one in enumerate(primitive) if one.specie.symbol == "Cu")
    assert np.allclose(describe(structure, [site]), describe(primitive, [other]), atol=1e-6)


def test_a_kernel_regression_by_hand():
    model = LevelModel(
        mean=np.zeros(2), scale=np.array([1.0, 2.0]), points=np.array([[0.0, 0.0], [50.0, 0.0]]),
        weights=np.array([1.0, -2.0]), level=-8.0, gamma=0.5,
    )  # fmt: skip
    levels, weights = model.predict(np.array([[0.0, 0.0], [50.0, 0.0], [1.0, 0.5], [-1e4, 0.0]]))
    assert levels == pytest.approx([-7.0, -10.0, -8.0 + np.exp(-0.625), -8.0])
    assert weights == pytest.approx([1.0, 1.0, 0.0, 0.0], abs=1e-5)


def test_an_unlike_material_is_not_believed():
    strange = Structure(Lattice.cubic(8), ["Cu", "Xe", "Rn"], [[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5]])
    assert learned_level(strange, 0).weight < 0.1


def test_the_cluster_keeps_what_the_model_says():
    cluster = cut_cluster(copper(), 0)
    assert cluster.level == learned_level(copper(), 0)
    assert Cluster.from_dict(cluster.as_dict()).level == cluster.level
