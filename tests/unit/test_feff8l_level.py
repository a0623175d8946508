"""The learned Fermi level: its features, its arithmetic, and where it keeps silent."""

import numpy as np
import pytest
from published_runs import files_of_materials
from pymatgen.core import Lattice, Structure
from pymatgen.io.vasp import Poscar

from xanesflow.codes.feff8l import EngineSettings, compute_xanes
from xanesflow.codes.feff8l.cluster import cut_cluster
from xanesflow.codes.feff8l.convergence import Convergence
from xanesflow.codes.feff8l.fermi_level import (
    BELIEVED,
    NOT_BELIEVED,
    LevelModel,
    describe,
    learned_level,
    load_model,
    traits_of,
)
from xanesflow.codes.feff8l.field import Field
from xanesflow.codes.feff8l.options import Rung
from xanesflow.codes.feff8l.read_outputs import HARTREE_EV
from xanesflow.codes.feff8l.write_inputs import Feff8lCluster
from xanesflow.structures.examples import load_examples

RUNG = Rung(2.6, 2, 0.2)

# Test sites of studies/study_engine.py, which the model was not fitted to.
UNSEEN = {
    "mp-558557": 5,
    "mp-754020": 5,
    "mp-554812": 0,
    "mp-552488": 2,
    "mp-1199380": 2,
    "mp-1197716": 8,
    "mp-997054": 0,
    "mp-1221984": 11,
}


def copper():
    return Structure.from_spacegroup("Fm-3m", Lattice.cubic(3.615), ["Cu"], [[0, 0, 0]])


def _field():
    """A field such as pot finds in a copper oxide."""
    convergence = Convergence(4, (-4.232, -9.916, -9.175, -9.047), 0.128, False, True)
    header = (2.354, -9.047 / HARTREE_EV, -0.649, 0.633, 330.0, 0.94, 2.4, 0.793, -1.47, 1.68, 1.142, 1e4, 0.0)
    return Field(header, convergence, -1.25, (0.652, -0.21, 0.65), 1.334)


def test_only_copper_has_a_model():
    assert load_model("Cu") is not None
    assert load_model("Ni") is None
    nickel = Structure.from_spacegroup("Fm-3m", Lattice.cubic(3.52), ["Ni"], [[0, 0, 0]])
    assert traits_of(nickel, 0) is None
    assert cut_cluster(nickel, 0).traits is None
    assert learned_level("Ni", traits_of(copper(), 0), _field(), RUNG) is None


@pytest.mark.parametrize("rung", [Rung(3.0, 2, 0.2), Rung(2.6, 8, 0.2), Rung(1.5, 6, 0.05), Rung(None, 0, 0.0)])
def test_of_other_fields_than_those_it_learned_from_the_model_says_nothing(rung):
    traits = traits_of(copper(), 0)
    assert learned_level("Cu", traits, _field(), RUNG) is not None
    assert learned_level("Cu", traits, _field(), rung) is None


def test_features_of_copper_metal():
    features = describe(copper(), [0, 1])
    assert features.shape == (2, 44 + 94)
    assert np.array_equal(features[0], features[1])
    mean, spread, low, high = features[0][:36].reshape(4, 9)
    assert np.array_equal(mean, low) and np.array_equal(mean, high) and not spread.any()
    assert mean[:4] == pytest.approx([1.90, 29, 4, 11])  # Pauling's electronegativity, Z, row, 3d10 4s1
    volume = 3.615**3 / 4
    assert features[0][36:40] == pytest.approx([volume, volume ** (1 / 3), 11 / volume, 1])
    assert features[0][40:44] == pytest.approx(3.615 / np.sqrt(2))  # twelve neighbours at one distance
    assert np.flatnonzero(features[0][44:]).tolist() == [28] and features[0][44 + 28] == 1


def test_few_neighbours_count_as_far_ones():
    molecule = Structure(Lattice.cubic(20), ["Cu", "O"], [[0, 0, 0], [0, 0, 0.1]])
    assert describe(molecule, [0])[0][40:44] == pytest.approx([2.0, 3.5, 22 / 6, 3.75])


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
    # exp(-0.625) = 0.54 is above BELIEVED, and so is a site of the training itself.
    assert weights == pytest.approx([1.0, 1.0, 1.0, 0.0])
    between = -np.log((NOT_BELIEVED + BELIEVED) / 2) / 0.5
    assert model.predict(np.array([[between, 0.0]]))[1] == pytest.approx([0.5])


def test_an_unlike_material_is_not_believed():
    strange = Structure(Lattice.cubic(8), ["Cu", "Xe", "Rn"], [[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5]])
    assert learned_level("Cu", traits_of(strange, 0), _field(), RUNG).weight < 0.1


def test_the_cluster_keeps_the_traits():
    cluster = cut_cluster(copper(), 0)
    assert cluster.traits == traits_of(copper(), 0)
    assert cluster.traits == pytest.approx(describe(copper(), [0])[0], abs=1e-6)
    assert Feff8lCluster.from_dict(cluster.as_dict()).traits == cluster.traits


def published_runs():
    """(structure, site, level in eV) of finished runs at the unseen sites."""
    structures, levels = {}, {}
    for name, content in files_of_materials(UNSEEN).items():
        _, material, *_, file = name.split("/")
        if file == "POSCAR":
            structures[material] = Poscar.from_str(content.decode()).structure
        elif f"/{UNSEEN[material]:03d}_Cu/xmu.dat" in name:
            levels[material] = float(content.split(b"Mu=")[1].split(b"eV")[0])
    return [(structures[material], UNSEEN[material], levels[material]) for material in UNSEEN]


def test_levels_of_published_runs_it_has_not_seen():
    runs = published_runs()
    small = EngineSettings(fms_radius=2.0, single_radius=2.0, energy_step=1.0)  # of the spectrum nothing is wanted
    field, learned = [], []
    for structure, site, level in runs:
        record = compute_xanes(structure, site, small).record
        if record["fermi_learned"]:  # else the field came from a rung that the model does not know
            field.append(record["fermi_ev"] - record["fermi_offset_ev"] - level)
            learned.append(field[-1] + record["fermi_learned"]["added_ev"])
    assert len(learned) >= len(UNSEEN) - 1
    assert np.median(np.abs(learned)) < 0.3
    assert np.median(np.abs(learned)) < np.median(np.abs(field)) / 1.5
