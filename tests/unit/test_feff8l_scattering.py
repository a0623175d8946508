"""Multiple scattering of the embedded engine: physics that is known in closed form, and the fast against the plain way.

The t-matrices are those of spherical wells at complex wave numbers, which have a closed form: wells of about 2 hartree
scatter as strongly as the atoms of an oxide.
"""

from itertools import product

import numpy as np
import pytest
from dense_scattering import dense_traces, propagators
from scipy.spatial.transform import Rotation
from scipy.special import spherical_jn, spherical_yn

from xanesflow.codes.feff8l import scattering as module
from xanesflow.codes.feff8l.harmonics import channel_l, real_harmonics
from xanesflow.codes.feff8l.scattering import Scattering
from xanesflow.codes.feff8l.symmetry import TOLERANCE_BOHR, find_sign_group

MOMENTA = np.sqrt(2 * (np.array([0.25, 0.45, 0.7, 1.0, 1.6]) + 0.06j))  # 7 to 44 eV, with core hole and loss
WELLS = ((2.0, 2.3), (1.3, 1.8), (2.2, 2.1))  # depth in hartree, radius in bohr, of each potential


def well_t(momenta, depth, radius, l_max=3):
    """t_l of a spherical well: the logarithmic derivative inside joined to j + i t h outside, (l_max + 1, ne)."""
    inside = np.sqrt(momenta**2 + 2 * depth)
    rows = []
    for n in range(l_max + 1):
        j, dj = (spherical_jn(n, momenta * radius, derivative=d) for d in (False, True))
        y, dy = (spherical_yn(n, momenta * radius, derivative=d) for d in (False, True))
        f, df = (spherical_jn(n, inside * radius, derivative=d) for d in (False, True))
        h, dh = j + 1j * y, dj + 1j * dy
        rows.append(1j * (momenta * dj * f - inside * df * j) / (momenta * dh * f - inside * df * h))
    return np.array(rows)


def t_matrices(momenta=MOMENTA, l_max=3):
    return tuple(well_t(momenta, *well, l_max) for well in WELLS)


def random_rotation(seed):
    return Rotation.random(random_state=np.random.default_rng(seed)).as_matrix()


GENERATORS = {
    "C1": [],
    "Ci": [-np.eye(3)],
    "Cs": [np.diag([1, 1, -1])],
    "C2": [np.diag([-1, -1, 1])],
    "C2v": [np.diag([1, -1, 1]), np.diag([-1, 1, 1])],
    "C2h": [np.diag([-1, -1, 1]), -np.eye(3)],
    "D2": [np.diag([-1, -1, 1]), np.diag([1, -1, -1])],
    "D2h": [np.diag(s) for s in ([-1, 1, 1], [1, -1, 1], [1, 1, -1])],
    "C3": [Rotation.from_euler("z", 120, degrees=True).as_matrix()],
    "C3v": [Rotation.from_euler("z", 120, degrees=True).as_matrix(), np.diag([1, -1, 1])],
    "D3": [Rotation.from_euler("z", 120, degrees=True).as_matrix(), np.diag([1, -1, -1])],
    "D3d": [Rotation.from_euler("z", 120, degrees=True).as_matrix(), np.diag([1, -1, 1]), -np.eye(3)],
    "D3h": [Rotation.from_euler("z", 120, degrees=True).as_matrix(), np.diag([1, -1, 1]), np.diag([1, 1, -1])],
    "S4": [np.array([[0, -1, 0], [1, 0, 0], [0, 0, -1]])],
    "D2d": [np.array([[0, -1, 0], [1, 0, 0], [0, 0, -1]]), np.diag([1, -1, -1])],
    "C4v": [np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]]), np.diag([1, -1, 1])],
    "D4h": [np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]]), np.diag([1, -1, 1]), np.diag([1, 1, -1])],
    "T": [np.eye(3)[[1, 2, 0]], np.diag([-1, -1, 1])],
    "Td": [np.eye(3)[[1, 2, 0]], np.array([[0, -1, 0], [1, 0, 0], [0, 0, -1]])],
    "Th": [np.eye(3)[[1, 2, 0]], np.diag([1, 1, -1])],
    "Oh": [np.eye(3)[[1, 2, 0]], np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]]), -np.eye(3)],
}
# Largest subgroup of E, i, C2(x, y, z) and mirrors at right angles, from the character tables' subgroup lists.
ORDERS = {
    "C1": 1, "Ci": 2, "Cs": 2, "C2": 2, "C2v": 4, "C2h": 4, "D2": 4, "D2h": 8, "C3": 1, "C3v": 2, "D3": 2, "D3d": 4,
    "D3h": 4, "S4": 2, "D2d": 4, "C4v": 4, "D4h": 8, "T": 4, "Td": 4, "Th": 8, "Oh": 8,
}  # fmt: skip


def orbit(point, generators):
    points = [np.asarray(point, dtype=float)]
    for known in points:
        for image in (g @ known for g in generators):
            if min(np.linalg.norm(image - other) for other in points) > 1e-6:
                points.append(image)
    return np.array(points)


def cluster(group, seed=0, *, shortest=3.3):
    """A cluster of a point group about its absorber: orbits of random points that do not come too near one another."""
    rng = np.random.default_rng(seed)
    positions, kinds, radius = np.zeros((1, 3)), [0], 6.0
    while len(kinds) < 12 or 2 not in kinds:
        point = rng.normal(size=3)
        new = orbit(point, GENERATORS[group])
        if len(new) > 12:  # of a large group: move the point onto a mirror or an axis
            x, y, z = point
            point = {"Td": [x, x, z], "Th": [0, y, z], "D4h": [x, 0, z], "D3d": [x, 0, z]}.get(group, [x, 0, 0])
            new = orbit(point, GENERATORS[group])
        new *= rng.uniform(shortest, radius) / max(np.linalg.norm(point), 1e-3)
        both = np.concatenate([positions, new])
        gaps = np.linalg.norm(both[:, None] - both[None], axis=2) + 99 * np.eye(len(both))
        if gaps.min() >= shortest:
            positions, kinds = both, [*kinds, *[2 if kinds[-1] == 1 else 1] * len(new)]
        radius += 0.05
    order = np.argsort(np.linalg.norm(positions, axis=1), kind="stable")
    return positions[order], np.array(kinds)[order]


def relative_error(found, expected):
    return np.abs(found - expected).max() / np.abs(expected).max()


def test_the_wells_of_these_tests_conserve_current_and_scatter_strongly():
    t = t_matrices(np.array([0.7, 1.2]) + 0j)
    np.testing.assert_allclose(np.abs(1 + 2j * np.array(t)), 1, atol=1e-12)
    assert all(np.abs(one[:3]).max() > 0.5 for one in t)


@pytest.mark.parametrize("angular", [0, 1, 2, 3])
def test_propagators_carry_an_outgoing_wave_to_another_centre(angular):
    """i h_l(p|R + r|) Y_L(R + r) = Σ_L' G[L', L] j_l'(pr) Y_L'(r): its error falls with l_max."""
    p, bond = 0.9 + 0.08j, np.array([2.1, -3.0, 3.4])
    r = np.array([[0.3, 0.2, -0.4], [-0.5, 0.1, 0.2]])
    there, here = np.linalg.norm(bond + r, axis=1), np.linalg.norm(r, axis=1)
    h = spherical_jn(angular, p * there) + 1j * spherical_yn(angular, p * there)
    block = slice(angular**2, (angular + 1) ** 2)
    wave = 1j * h[:, None] * real_harmonics(bond + r, 7)[:, block]
    errors = []
    for l_max in (3, 5, 7):
        order = channel_l(l_max)
        regular = np.array([spherical_jn(order, p * one) for one in here]) * real_harmonics(r, l_max)
        errors.append(relative_error(regular @ propagators(p, bond[None], l_max)[0][:, block], wave))
    assert errors[0] < 2e-3
    assert errors[1] < errors[0] / 20
    assert errors[2] < errors[1] / 20


@pytest.mark.parametrize("way", ["dense", "fast"])
def test_a_far_dimer_scatters_back_as_a_plane_wave(way):
    """Tr/3 -> -f(π) exp(2ipR)/(pR²), with f(π) = (1/p) Σ (2l + 1) (-1)^l t_l; what is missing falls as 1/R."""
    p = np.array([0.9 + 0j])
    t = (np.zeros((4, 1), dtype=complex), well_t(p, *WELLS[0]))
    f = (t[1][:, 0] * (2 * np.arange(4) + 1) * (-1.0) ** np.arange(4)).sum() / p[0]
    direction = np.array([0.36, 0.48, 0.8])
    misses = []
    for length in (50.0, 200.0, 800.0):
        positions, kinds = np.array([np.zeros(3), length * direction]), np.array([0, 1])
        if way == "dense":
            trace = dense_traces(p, t, positions, kinds, 3)[0]
        else:
            trace = Scattering(positions, kinds, negligible_t=-1).traces(p, t)[0]
        expected = -f * np.exp(2j * p[0] * length) / (p[0] * length**2)
        misses.append(abs(trace / 3 / expected - 1))
    assert misses[0] < 0.5
    assert misses[1] == pytest.approx(misses[0] / 4, rel=0.15)
    assert misses[2] == pytest.approx(misses[1] / 4, rel=0.15)


def test_two_scatterers_and_the_absorber_sum_all_paths():
    """At weak scattering the trace is the sum of the paths of one and two scatterings, the next order smaller."""
    positions, kinds = cluster("C1", 5)
    t = tuple(one * 0.02 for one in t_matrices())
    g = np.zeros((len(kinds), len(kinds), 16, 16), dtype=complex)
    for j, i in product(range(len(kinds)), repeat=2):
        if i != j:
            g[j, i] = propagators(MOMENTA[0], positions[None, j] - positions[i], 3)[0]
    matrix = g.transpose(0, 2, 1, 3).reshape(16 * len(kinds), -1)
    scatter = np.concatenate([t[k][channel_l(3), 0] for k in kinds])
    once = matrix[1:4] * scatter @ matrix[:, 1:4]
    twice = (matrix[1:4] * scatter) @ (matrix * scatter) @ matrix[:, 1:4]
    found = dense_traces(MOMENTA[:1], tuple(one[:, :1] for one in t), positions, kinds, 3)[0]
    assert abs(found - np.trace(once + twice)) < 0.1 * abs(np.trace(twice))


def test_the_trace_does_not_change_when_a_cluster_is_turned():
    positions, kinds = cluster("C1", 1)
    t = t_matrices()
    expected = dense_traces(MOMENTA, t, positions, kinds, 3)
    for seed in range(2):
        turned = positions @ random_rotation(seed).T
        assert relative_error(dense_traces(MOMENTA, t, turned, kinds, 3), expected) < 1e-12
        assert relative_error(Scattering(turned, kinds, negligible_t=-1).traces(MOMENTA, t), expected) < 1e-4
    mirrored = positions * [1, 1, -1]
    assert relative_error(dense_traces(MOMENTA, t, mirrored, kinds, 3), expected) < 1e-12


def test_the_trace_does_not_depend_on_where_a_cluster_lies_nor_on_the_order_of_its_atoms():
    positions, kinds = cluster("C2v", 2)
    t = t_matrices()
    expected = Scattering(positions, kinds).traces(MOMENTA, t)
    moved = Scattering(positions + np.array([3.0, -7.0, 0.4]), kinds).traces(MOMENTA, t)
    assert relative_error(moved, expected) < 1e-4
    distance = np.round(np.linalg.norm(positions, axis=1), 6)
    order = np.lexsort((np.random.default_rng(0).random(len(kinds)), distance))
    shuffled = Scattering(positions[order], kinds[order]).traces(MOMENTA, t)
    assert relative_error(shuffled, expected) < 1e-4


@pytest.mark.parametrize(
    "group", ["C1", "Ci", "Cs", "C2", "C2v", "D2", "D2h", "C3v", "D3d", "D2d", "D4h", "Td", "Th", "Oh"]
)
def test_the_fast_way_agrees_with_the_plain_one_for_each_point_group(group):
    positions, kinds = cluster(group, 7)
    positions = positions @ random_rotation(11).T
    t = t_matrices()
    expected = dense_traces(MOMENTA, t, positions, kinds, 3)
    whole = Scattering(positions, kinds, negligible_t=-1)
    assert len(whole.group.signs) == ORDERS[group], "the symmetry that the test is about is used"
    assert relative_error(whole.traces(MOMENTA, t), expected) < 1e-5
    assert relative_error(Scattering(positions, kinds).traces(MOMENTA, t), expected) < 1e-2


@pytest.mark.parametrize("l_max", [1, 2, 4])
def test_the_fast_way_agrees_with_the_plain_one_for_other_l_max(l_max):
    positions, kinds = cluster("C2v", 8)
    t = t_matrices(MOMENTA[:2], l_max=4)
    expected = dense_traces(MOMENTA[:2], t, positions, kinds, l_max)
    found = Scattering(positions, kinds, l_max=l_max, negligible_t=-1).traces(MOMENTA[:2], t)
    assert relative_error(found, expected) < 1e-5


def test_the_fast_way_stays_within_one_percent_in_a_real_size_of_cluster():
    """Rocksalt to 4 Å, all distances as in NiO; the d resonance of the metal, the weak f channels of both."""
    grid = np.array([v for v in product(range(-3, 4), repeat=3) if 0 <= sum(x * x for x in v) <= 4])
    order = np.argsort((grid**2).sum(axis=1), kind="stable")
    grid = grid[order]
    kinds = np.where(grid.sum(axis=1) % 2, 1, 2)
    kinds[0] = 0
    positions = grid * 3.94
    t = t_matrices()
    scattering = Scattering(positions, kinds)
    assert len(scattering.representations) == 3
    assert relative_error(scattering.traces(MOMENTA, t), dense_traces(MOMENTA, t, positions, kinds, 3)) < 1e-2


def test_only_negligible_channels_are_left_out():
    positions, kinds = cluster("Cs", 3)
    t = t_matrices()
    expected = dense_traces(MOMENTA, t, positions, kinds, 3)
    errors = [
        relative_error(Scattering(positions, kinds, negligible_t=x).traces(MOMENTA, t), expected) for x in (0.3, 0.03)
    ]
    assert errors[1] < max(errors[0], 1e-4)


@pytest.mark.parametrize("group", ["C1", "C2v", "D3d", "Oh"])
def test_far_atoms_scatter_once_with_all_orders_among_the_near_ones(group):
    """The first order in the far atoms' t: what they add is right but for a share that goes as that t."""
    positions, kinds = cluster(group, 5)
    distance = np.linalg.norm(positions, axis=1)
    n_near = int((distance < distance[len(distance) // 2] + 1e-6).sum())
    assert 1 < n_near < len(positions)
    kinds = np.where(np.arange(len(kinds)) < n_near, kinds, 3)
    near = kinds < 3
    t = t_matrices()
    without = dense_traces(MOMENTA, t, positions[near], kinds[near], 3)
    missed = []
    for weak in (0.1, 0.01):
        scatterers = (*t[:3], weak * t[1])
        expected = dense_traces(MOMENTA, scatterers, positions, kinds, 3)
        found = Scattering(positions, kinds, negligible_t=-1, n_near=n_near).traces(MOMENTA, scatterers)
        missed.append(np.abs(found - expected).max() / np.abs(expected - without).max())
    assert missed[0] < 0.5 and missed[1] < 0.05
    assert missed[1] < missed[0] / 3


@pytest.mark.parametrize("order_of_magnitude", [0.2, 5.0])
def test_a_potential_without_an_atom_in_the_sphere_changes_nothing(order_of_magnitude):
    """An element may lie between the sphere of multiple scattering and the cluster's end; its t is there still."""
    positions, kinds = cluster("C1", 4)
    kinds = np.minimum(kinds, 1)
    t = t_matrices()
    more = (*t[:2], t[2] * order_of_magnitude, t[0])
    expected = Scattering(positions, kinds).traces(MOMENTA, t[:2])
    np.testing.assert_array_equal(Scattering(positions, kinds).traces(MOMENTA, more), expected)
    gap = np.where(kinds == 1, 2, 0)  # potential 1 has no atom, 2 has
    np.testing.assert_array_equal(Scattering(positions, gap).traces(MOMENTA, (t[0], t[2], t[1])), expected)


@pytest.mark.filterwarnings("error")
def test_an_absorber_alone_in_the_sphere_has_no_fine_structure():
    alone = Scattering(np.zeros((1, 3)), np.array([0]))
    np.testing.assert_array_equal(alone.traces(MOMENTA, t_matrices()[:1]), 0)


@pytest.mark.parametrize("group", sorted(ORDERS))
def test_the_largest_group_of_signs_is_found_however_a_cluster_is_turned(group):
    for seed in range(3):
        positions, kinds = cluster(group, seed)
        for turn in (np.eye(3), random_rotation(seed)):
            found = find_sign_group(positions @ turn.T, kinds)
            assert len(found.signs) == ORDERS[group], (seed, "turned" if turn[0, 1] else "upright")


@pytest.mark.parametrize("group", ["Cs", "D2h", "D3d", "Td"])
def test_operations_take_each_atom_onto_one_of_its_kind(group):
    positions, kinds = cluster(group, 6)
    found = find_sign_group(positions @ random_rotation(2).T, kinds)
    np.testing.assert_allclose(found.frame @ found.frame.T, np.eye(3), atol=1e-12)
    np.testing.assert_array_equal(found.signs[0], 1)
    np.testing.assert_array_equal(found.images[0], np.arange(len(kinds)))
    inside = positions @ random_rotation(2).T @ found.frame.T
    for sign, image in zip(found.signs, found.images, strict=True):
        np.testing.assert_allclose(inside * sign, inside[image], atol=TOLERANCE_BOHR)
        np.testing.assert_array_equal(kinds, kinds[image])
        assert sorted(image) == list(range(len(kinds)))
        assert image[0] == 0


def test_an_atom_of_another_kind_or_out_of_place_breaks_the_symmetry():
    positions, kinds = cluster("Cs", 6)
    other = kinds.copy()
    off_plane = int(np.flatnonzero(np.abs(positions[:, 2]) > 1)[0])
    other[off_plane] = 3 - other[off_plane]
    assert len(find_sign_group(positions, other).signs) == 1
    moved = positions.copy()
    moved[off_plane] += [0.0, 0.02, 0.0]
    assert len(find_sign_group(moved, kinds).signs) == 1
    moved = positions.copy()
    moved[off_plane] += [0.0, 1e-5, 0.0]
    assert len(find_sign_group(moved, kinds).signs) == 2, "rounding of a structure's coordinates does not"


def test_atoms_that_are_just_about_symmetric_cost_no_accuracy():
    positions, kinds = cluster("D2h", 9)
    positions = positions + np.random.default_rng(1).uniform(-0.4, 0.4, positions.shape) * TOLERANCE_BOHR
    positions -= positions[0]
    t = t_matrices()
    expected = dense_traces(MOMENTA, t, positions, kinds, 3)
    assert relative_error(Scattering(positions, kinds, negligible_t=-1).traces(MOMENTA, t), expected) < 2e-3


@pytest.mark.parametrize("direction", [[0, 0, 1.0], [1.0, 1.0, 1.0], [0.3, -0.5, 0.8]])
def test_atoms_all_on_one_line_are_no_special_case(direction):
    line = np.array(direction) / np.linalg.norm(direction)
    positions = np.array([0, 3.5, -3.7, 7.2, -7.6])[:, None] * line
    kinds = np.array([0, 1, 1, 2, 2])
    t = t_matrices()
    scattering = Scattering(positions, kinds, negligible_t=-1)
    assert len(scattering.group.signs) >= 2
    assert relative_error(scattering.traces(MOMENTA, t), dense_traces(MOMENTA, t, positions, kinds, 3)) < 1e-5


def test_the_dipole_channels_go_as_x_y_and_z():
    sides = real_harmonics(np.eye(3), 1)
    np.testing.assert_array_equal(np.abs(sides[:, 1:]).argmax(axis=1) + 1, module._P)
