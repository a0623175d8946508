"""What a campaign will cost: clusters counted as FEFF counts them, hours as real runs took them, sums that are sums."""

import json
import logging
import re
from datetime import datetime
from itertools import product

import made_up_runs
import numpy as np
import pandas as pd
import pytest
from feff_runs import bent_chain, cuprite, perovskite, poscar, rutile, write_files
from pymatgen.core import Lattice, Structure
from pymatgen.io.vasp import Poscar
from shared_data import PROJECT, shared
from site_tables import SiteTables

from xanesflow.codes.archive import read_archive
from xanesflow.codes.feff.core_hours import Cluster, describe_clusters, hours_of_own, seconds_of_pip
from xanesflow.codes.lightshow_tree import place_of
from xanesflow.codes.registry import theories, theory_of
from xanesflow.config.campaign import Campaign
from xanesflow.config.load import load_config
from xanesflow.config.model import Config
from xanesflow.structures.collect_structures import collect_structures
from xanesflow.structures.cost import COST_COLUMNS, cluster_atoms, estimate_cost, expected_costs
from xanesflow.structures.material import describe
from xanesflow.structures.site_table import write_site_table

PAPER = Campaign(Config()).cost_options("Cu_FEFF")
"""What the cost of FEFF depends on, at the paper's settings."""

FCC_A = 3.615
FCC = Structure(Lattice.cubic(FCC_A), ["Cu"] * 4, [[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
SKEWED = Structure(Lattice.from_parameters(3.1, 4.2, 7.9, 52, 71, 118), ["Cu", "H", "O", "Fe"],
                   [[-0.3, 1.2, 0.1], [0.5, 0.1, 0.4], [0.9, 0.6, 0.7], [0.2, 0.2, 2.3]])  # fmt: skip


def supercell(structure, site, radius):
    """Atomic numbers and positions around a site, by brute force over cells well beyond the radius; nearest first."""
    shifts = np.array(list(product(range(-9, 10), repeat=3))) @ structure.lattice.matrix
    positions = (structure.cart_coords - structure[site].coords + shifts[:, None]).reshape(-1, 3)
    numbers = np.tile([each.specie.Z for each in structure], len(shifts))
    distance = np.linalg.norm(positions, axis=1)
    order = [k for k in np.argsort(distance, kind="stable") if distance[k] <= radius]
    return numbers[order], positions[order]


def test_fcc_has_as_many_atoms_within_9_angstrom_as_its_lattice_sum():
    """Sums h² + k² + l² of integers with an even sum count the atoms of fcc at a/2 times their root."""
    within = [hkl for hkl in product(range(-6, 7), repeat=3) if sum(hkl) % 2 == 0]
    number = sum(sum(i * i for i in hkl) * FCC_A**2 / 4 <= 81 for hkl in within)
    assert number == 249 == 1 + 12 + 6 + 24 + 12 + 24 + 8 + 48 + 6 + 36 + 24 + 24 + 24  # the twelve shells of fcc
    assert cluster_atoms(FCC, [0, 1, 2, 3]).tolist() == [number] * 4
    assert cluster_atoms(FCC, [2], radius=2.6).tolist() == [13]
    assert cluster_atoms(FCC, [2], radius=2.5).tolist() == [1]


@pytest.mark.parametrize("structure", [cuprite(), perovskite(), bent_chain(), SKEWED], ids=lambda s: s.formula)
def test_a_cluster_is_what_a_supercell_shows(structure):
    """Rows, spheres and potentials by brute force, for all sites at once and each alone."""
    together = describe_clusters(structure, range(len(structure)), PAPER["inputs"])
    for site in range(len(structure)):
        z, xyz = supercell(structure, site, 9.0)
        nearest = [0] + [1 + int(np.argmax(z[1:] == element)) for element in np.unique(z[1:])]
        spheres = [z[np.linalg.norm(xyz - xyz[k], axis=1) <= 7.0] for k in nearest]
        found = together[site]
        assert found.atoms == found.fms_atoms == len(z) == cluster_atoms(structure, [site])[0]
        assert found.fms_rows == sum(9 if number < 6 else 16 for number in z)
        rows = [sum(4 if number < 6 else 9 for number in sphere) for sphere in spheres]
        assert describe_clusters(structure, [site], PAPER["inputs"]) == [found]
        # Of an element's equidistant atoms FEFF takes one; their spheres may differ by an atom or two.
        assert found.scf_rows == pytest.approx(rows, rel=0.05)
        assert found.open_shell == (structure is SKEWED)


def test_radii_and_energies_are_those_of_the_cards():
    """Of fcc: 13 atoms within the first shell, 43 within the third (12 + 6 + 24); FEFF 9's log names 194 energies."""
    cards = {"SCF": "2.6 0 30", "FMS": "4.5 0", "XANES": "4 0.04 0.1", "EGRID": ["k_grid -1 0 0.04", "k_grid 0 6 0.04"]}
    (cluster,) = describe_clusters(FCC, [0], {"cards": cards, "radius": 9.0})
    assert (cluster.atoms, cluster.fms_atoms, cluster.fms_rows) == (249, 43, 43 * 16)
    assert cluster.scf_rows == (13 * 9, 13 * 9) and cluster.energies == 194
    none = describe_clusters(FCC, [0], {"cards": {**cards, "SCF": None, "FMS": None}, "radius": 9.0})[0]
    assert (none.scf_rows, none.fms_rows) == ((), 0) and 0 < seconds_of_pip(none) < seconds_of_pip(cluster)
    assert np.isnan(hours_of_own(none))


def test_an_absorber_without_neighbours_has_a_cluster_of_one_and_a_cost():
    alone = Structure(Lattice.cubic(15), ["Cu"], [[0, 0, 0]])
    (cost,) = expected_costs(alone, [0], "FEFF", PAPER)
    assert cost.cluster_atoms == 1 and 0 < cost.core_hours < 0.01


def test_a_denser_cluster_costs_more_and_so_does_an_open_3d_shell():
    (sparse,), (dense,) = (expected_costs(rutile().scale_lattice(v), [0], "FEFF", PAPER) for v in (70, 60))
    assert dense.cluster_atoms > sparse.cluster_atoms and dense.core_hours > sparse.core_hours
    (copper,), (iron,) = (expected_costs(rutile(metal), [0], "FEFF", PAPER) for metal in ("Cu", "Fe"))
    assert iron.cluster_atoms == copper.cluster_atoms and iron.core_hours > copper.core_hours


@pytest.fixture(scope="module")
def real_runs():
    """(structure, site, hours, atoms that FEFF names) of some runs of the archive."""
    structures, runs = {}, {}
    wanted = lambda name: name.endswith(("/POSCAR", "/feff.out"))  # noqa: E731
    for member in read_archive(shared("feff9-cu.tar.xz"), wanted):
        place, text = place_of(member.name, "FEFF"), member.content.decode()
        if place.file == "POSCAR":
            structures[place.material_id] = Poscar.from_str(text).structure
            if len(structures) == 120:
                break
        else:
            clock = re.findall(r"### feff \w+ at (.*) E[DS]T (\d{4})", text)
            start, end = (datetime.strptime(" ".join(each), "%a %b %d %H:%M:%S %Y") for each in clock)
            atoms = int(re.findall(r"xprep done\s+FMS for a cluster of +(\d+) atoms", text)[0])
            # The spheres of the potentials are named in the first iteration.
            scf = [int(n) for n in re.findall(r"cluster of +(\d+) atoms around atom", text.split("NUMBER")[1])]
            hours = (end - start).total_seconds() / 3600
            runs.setdefault(place.material_id, []).append((place.site_index, hours, atoms, scf))
    return [(structures[m], *run) for m in sorted(structures.keys() & runs.keys()) for run in runs[m]]


def test_clusters_of_real_runs_are_those_of_feffs_own_log(real_runs):
    assert len(real_runs) > 150
    same = 0
    for structure, site, _, atoms, scf in real_runs:
        (cluster,) = describe_clusters(structure, [site], PAPER["inputs"])
        assert cluster.atoms == atoms
        light = any(each.specie.Z < 6 for each in structure)
        same += light or sorted(cluster.scf_rows) == sorted(9 * n for n in scf)
    assert same > 0.9 * len(real_runs)  # but for potentials whose nearest atoms are several, and inequivalent


def test_core_hours_are_those_that_real_runs_took(real_runs):
    hours = np.array([run[2] for run in real_runs])
    expected = np.array([hours_of_own(describe_clusters(run[0], [run[1]], PAPER["inputs"])[0]) for run in real_runs])
    off = np.exp(np.abs(np.log(expected / hours)))
    assert np.median(off) < 1.12 and np.quantile(off, 0.9) < 1.3
    assert expected.sum() == pytest.approx(hours.sum(), rel=0.05)


def test_hours_of_the_feff_of_pip_are_those_that_it_took_at_several_settings():
    """The rows of studies/measure_feff10.py; docs/studies/cost.md tells how predictions of other materials are off.

    One field, of a chloride of titanium, took 84 iterations, four times as many as usual.
    """
    rows = [json.loads(line) for line in (PROJECT / "studies/feff10_times.jsonl").read_text().splitlines()]
    took = np.array([sum(row["seconds"].values()) / row.get("slower", 1.0) for row in rows])
    expected = np.array([seconds_of_pip(Cluster(**row["cluster"])) for row in rows])
    off = np.exp(np.abs(np.log(expected / took)))
    usual = np.array([row["iterations"] <= 50 for row in rows])
    assert np.median(off) < 1.3 and off[usual].max() < 2 and took.max() > 20 * took.min() and (~usual).sum() == 1


def collected(folder, subset):
    """Collect two structures with Cu and give the site table's path."""
    files = {"in/a.vasp": poscar(cuprite()), "in/b.vasp": poscar(bent_chain())}
    write_files(folder, files)
    paths = SiteTables(folder / subset).paths
    collect_structures(source="directory", directory=folder / "in", subset=subset, chunks=2,
                       cost_options=Campaign(Config()).cost_options(subset), **paths)  # fmt: skip
    return paths["site_table"]


def test_the_site_table_tells_atoms_and_core_hours_of_each_site(tmp_path):
    table = pd.read_parquet(collected(tmp_path, "Cu_FEFF"))
    assert table.columns.tolist()[-3:] == ["cluster_atoms", "core_hours", "parent"]
    assert table["cluster_atoms"].dtype == "Int64" and table["core_hours"].dtype == "float64"
    structures = {"a": cuprite(), "b": bent_chain()}
    for row in table.itertuples():
        assert row.cluster_atoms == len(supercell(structures[row.material_id], row.site_index, 9.0)[0])
        (cost,) = expected_costs(structures[row.material_id], [row.site_index], "FEFF", PAPER)
        assert row.core_hours == pytest.approx(cost.core_hours, rel=1e-9)
    assert len(table) == 4


def test_where_no_run_times_are_known_the_core_hours_are_null_and_the_atoms_are_not(tmp_path):
    table = pd.read_parquet(collected(tmp_path, "Cu_VASP"))
    assert table["core_hours"].isna().all() and table["cluster_atoms"].notna().all()
    engine = pd.read_parquet(collected(tmp_path, "Cu_FEFF8L"))
    assert (engine["core_hours"] * 3600).between(4.8, 8.8).all()  # median and 90 % of docs/studies/engine.md


def test_finished_runs_have_no_cost(tmp_path):
    material = describe("a", cuprite(), symprec=0.01)
    write_site_table(tmp_path / "t.parquet", [(material, 0)], chunks=1)
    table = pd.read_parquet(tmp_path / "t.parquet")
    assert table["cluster_atoms"].isna().all() and table["core_hours"].isna().all()
    assert table["cluster_atoms"].dtype == "Int64" and table["core_hours"].dtype == "float64"


def test_totals_are_the_sums_of_the_sites_and_leave_out_what_is_unknown(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    tables = {subset: collected(tmp_path, subset) for subset in ("Cu_FEFF", "Cu_VASP", "Cu_FEFF8L")}
    caplog.clear()
    estimate_cost(tables, tmp_path / "cost.csv")
    written = pd.read_csv(tmp_path / "cost.csv").set_index("subset")
    assert [written.index.name, *written.columns] == COST_COLUMNS
    assert written.index.tolist() == list(tables)
    for subset, path in tables.items():
        sites, row = pd.read_parquet(path), written.loc[subset]
        assert (row["sites"], row["materials"]) == (4, 2)
        assert row["cluster_atoms_median"] == sites["cluster_atoms"].median()
        assert row["basis"] == theory_of(subset.split("_")[1]).cost_basis
        if subset == "Cu_VASP":
            assert row[["core_hours", "core_hours_90", "core_hours_longest"]].isna().all()
        else:
            assert row["core_hours"] == pytest.approx(sum(sites["core_hours"]), rel=1e-5)
            assert row["core_hours_90"] == pytest.approx(sites["core_hours"].quantile(0.9), rel=1e-5)
            assert row["core_hours_longest"] == pytest.approx(max(sites["core_hours"]), rel=1e-5)
    *rows, total = [record.message for record in caplog.records]
    assert len(rows) == 3 and "Cu_VASP: 4 sites" in rows[1] and "unknown: no run times known" in rows[1]
    assert re.fullmatch(r"Together: 8 sites, expected cost [\d.]+ (h|min) on one core, without Cu_VASP", total)


def test_a_collection_says_what_its_sites_will_cost(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    hours = pd.read_parquet(collected(tmp_path, "Cu_FEFF"))["core_hours"].sum()
    assert any(f"expected cost {hours:.1f} h on one core (90 % of sites under " in r.message for r in caplog.records)


@pytest.mark.parametrize("theory", [each.name for each in theories() if each.engine])
def test_the_cost_of_every_theory_that_can_be_run_takes_the_options_of_its_campaign(theory):
    run = {"structures": {"source": "examples"}, "simulations": {"source": "run"}}
    campaign = Campaign(load_config({"subsets": [f"Ti_{theory}"], **run}))
    rutile = made_up_runs.rutile()
    found = expected_costs(rutile, [0, 1], theory, campaign.cost_options(f"Ti_{theory}"))
    assert len(found) == 2 and all(each.cluster_atoms > 0 for each in found)
    assert found[0].core_hours == pytest.approx(found[1].core_hours, nan_ok=theory == "VASP")


def test_the_cost_of_xspectra_follows_its_options():
    """Beside 10 s for each of the two fields, the time goes with the cutoff to the power of 1.5."""
    options = {"inputs": {"supercell": None}, "hole_distance": 5.3, "field_length": 8.5, "spectrum_length": 20.0}
    (usual,), (fine,), (large,) = (
        expected_costs(made_up_runs.rutile(), [0], "XSPECTRA", options | changed)
        for changed in ({"ecutwfc": 30.0}, {"ecutwfc": 120.0}, {"ecutwfc": 30.0, "hole_distance": 8.0})
    )
    assert usual.cluster_atoms == 12 and large.cluster_atoms > 12 and large.core_hours > usual.core_hours
    assert 3600 * fine.core_hours - 20 == pytest.approx(8 * (3600 * usual.core_hours - 20))
