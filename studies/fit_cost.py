"""Learn the cost of FEFF 9 from the times of finished runs: the constants of `xanesflow.codes.feff.core_hours`.

    python studies/fit_cost.py ARCHIVE

ARCHIVE is the published archive of finished Cu runs; the feff.out of each run records when it started and ended, on one
core. The candidates are cross-validated by material, then the chosen one is fitted to all runs. The constant is set so
that the sum of the expected hours equals that of the measured ones.
"""

from __future__ import annotations

import argparse
import re
from datetime import datetime
from pathlib import Path

import numpy as np
from pymatgen.io.vasp import Poscar
from sklearn.model_selection import GroupKFold

from xanesflow.codes.archive import read_archive
from xanesflow.codes.feff import core_hours as cost
from xanesflow.codes.feff.core_hours import Clusters, describe_clusters, feff_core_hours
from xanesflow.codes.lightshow_tree import place_of

CLOCK = re.compile(rb"### feff (starts|ends) at \w{3} (\w{3} +\d+ [\d:]{8}) \w+ (\d{4})")
FMS = re.compile(rb"xprep done\s+FMS for a cluster of +(\d+) atoms")
DRAWS, DRAWN = 2000, 100


def run_hours(feff_out: bytes) -> float | None:
    """Hours between start and end of a run; None unless it started once and ended. Both are in one time zone."""
    clock = CLOCK.findall(feff_out)
    if [word for word, *_ in clock] != [b"starts", b"ends"]:
        return None
    start, end = (datetime.strptime(f"{d.decode()} {y.decode()}", "%b %d %H:%M:%S %Y") for _, d, y in clock)
    return (end - start).total_seconds() / 3600


def read(archive: Path) -> tuple[Clusters, np.ndarray, np.ndarray, np.ndarray]:
    """Clusters, hours, material, and number of atoms by FEFF's own log, for each finished run."""
    structures, runs = {}, {}
    for member in read_archive(archive, lambda name: name.endswith(("/POSCAR", "/feff.out"))):
        place = place_of(member.name, "FEFF")
        if place is None:
            continue
        if place.file == "POSCAR":
            structures[place.material_id] = Poscar.from_str(member.content.decode()).structure
        elif (hours := run_hours(member.content)) and (atoms := FMS.findall(member.content)):
            runs.setdefault(place.material_id, {})[place.site_index] = (hours, int(atoms[-1]))
    materials = sorted(runs.keys() & structures.keys())
    clusters = [describe_clusters(structures[m], sorted(runs[m])) for m in materials]
    rows = [(*runs[m][site], m) for m in materials for site in sorted(runs[m])]
    hours, atoms, names = (np.array(column) for column in zip(*rows, strict=True))
    return Clusters(*(np.concatenate(column) for column in zip(*clusters, strict=True))), hours, names, atoms


def fit(columns: np.ndarray, hours: np.ndarray) -> np.ndarray:
    """Fit the logarithm by least squares, then adjust the constant so that the sum of the hours is right."""
    weights = np.linalg.lstsq(columns, np.log(hours), rcond=None)[0]
    weights[0] += np.log(hours.sum() / np.exp(columns @ weights).sum())
    return weights


def cross_validate(columns: np.ndarray, hours: np.ndarray, materials: np.ndarray) -> np.ndarray:
    """Hours of each run, predicted by a fit to other materials."""
    predicted = np.empty(len(hours))
    for train, test in GroupKFold(5).split(columns, groups=materials):
        predicted[test] = np.exp(columns[test] @ fit(columns[train], hours[train]))
    return predicted


def totals(predicted: np.ndarray, hours: np.ndarray, materials: np.ndarray) -> np.ndarray:
    """Ratio of expected to measured total hours, for random campaigns of DRAWN materials."""
    names, number = np.unique(materials, return_inverse=True)
    sums = np.array([np.bincount(number, values) for values in (predicted, hours)])
    rng = np.random.default_rng(0)
    drawn = [sums[:, rng.choice(len(names), DRAWN, replace=False)].sum(1) for _ in range(DRAWS)]
    return np.array([expected / measured for expected, measured in drawn])


def tell(name: str, columns: np.ndarray, predicted: np.ndarray, hours: np.ndarray, materials: np.ndarray) -> None:
    """Print one row of the table."""
    off = np.abs(np.log(predicted / hours))
    middle, most, worst = np.exp(np.quantile(off, (0.5, 0.9, 1)))
    of_totals = np.quantile(np.abs(totals(predicted, hours, materials) - 1), 0.9)
    print(
        f"| {name} | {columns.shape[1]} | {middle:.3f} | {most:.3f} | {worst:.1f} "
        f"| {predicted.sum() / hours.sum():.3f} | {of_totals:.1%} |"
    )


def main() -> None:
    """Compare the candidates, fit the chosen one, and print the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path)
    clusters, hours, materials, atoms = read(parser.parse_args().archive)
    same = int((clusters.atoms == atoms).sum())
    print(
        f"{len(hours)} runs of {len(set(materials))} materials, {atoms.min()} to {atoms.max()} atoms within 9 Å; "
        f"{hours.sum():,.0f} core hours: mean {hours.mean():.2f}, median {np.median(hours):.2f}, "
        f"90 % {np.quantile(hours, 0.9):.2f}, longest {hours.max():.2f}"
    )
    print(f"{same} clusters have as many atoms as FEFF's own log tells\n")
    one = np.ones(len(hours))
    n, f, s = (np.log(values) for values in (clusters.atoms, clusters.fms_rows, clusters.scf_work))
    shell = clusters.open_shell.astype(float)
    candidates = {
        "a constant": [],
        "atoms": [n],
        "F": [f],
        "S": [s],
        "atoms, S": [n, s],
        "F, S": [f, s],
        "F, S, open 3d shell": [f, s, shell],
    }
    print("| known of a run | parameters | median ratio | 90 % | worst | all: expected / measured "
          f"| totals of {DRAWN} materials: 90 % within |")  # fmt: skip
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name, chosen in candidates.items():
        columns = np.column_stack([one, *chosen])
        predicted = cross_validate(columns, hours, materials)
        tell(name, columns, predicted, hours, materials)
    print("\nThe last one, by what the structure holds beside Cu (held-out predictions):\n")
    print("| | runs | median ratio | expected / measured |\n| --- | --- | --- | --- |")
    for name, those in {"one of Ti..Ni": shell > 0, "none": shell == 0}.items():
        ratio = np.exp(np.median(np.abs(np.log(predicted[those] / hours[those]))))
        print(f"| {name} | {those.sum()} | {ratio:.3f} | {predicted[those].sum() / hours[those].sum():.3f} |")
    weights = fit(columns, hours)
    stored = feff_core_hours(clusters)
    print("\nFEFF_CONSTANT, FEFF_FMS, FEFF_SCF, FEFF_OPEN_SHELL =", ", ".join(f"{value:.4f}" for value in weights))
    print(f"those stored in {Path(cost.__file__).name} expect {stored.sum() / hours.sum():.4f} of the measured hours")


if __name__ == "__main__":
    main()
