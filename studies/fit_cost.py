"""Learn what a run of FEFF costs: the constants of `xanesflow.codes.feff.core_hours`.

    python studies/fit_cost.py [ARCHIVE] [--times studies/feff10_times.jsonl]

ARCHIVE, without which only the second model is fitted, is the published archive of finished Cu runs of FEFF 9.9.1; the
feff.out of each run records when it started and ended, on one core, and how many iterations its field took. The times
are those of studies/measure_feff10.py: processor seconds of the FEFF 10 of pip by module, at many settings. Both models
are cross-validated by material.
"""

from __future__ import annotations

import argparse
import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from pymatgen.io.vasp import Poscar
from scipy.optimize import least_squares
from sklearn.model_selection import GroupKFold, LeaveOneGroupOut

from xanesflow.codes.archive import read_archive
from xanesflow.codes.feff import core_hours as cost
from xanesflow.codes.feff.core_hours import Cluster, describe_clusters, hours_of_own, seconds_of_pip
from xanesflow.codes.feff.pip_feff import OWN
from xanesflow.codes.lightshow_tree import place_of
from xanesflow.config.model import Config

CLOCK = re.compile(rb"### feff (starts|ends) at \w{3} (\w{3} +\d+ [\d:]{8}) \w+ (\d{4})")
DRAWS, DRAWN = 2000, 100


def main() -> None:
    """Fit both models, and print the tables of docs/studies/cost.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path, nargs="?")
    parser.add_argument("--times", type=Path, default=Path(__file__).with_name("feff10_times.jsonl"))
    given = parser.parse_args()
    means = (cost.PIP_ITERATIONS, cost.PIP_ITERATIONS_OPEN)
    if given.archive:
        clusters, hours, iterations, materials = read(given.archive)
        of_feff_9(clusters, hours, materials)
        shell = np.array([each.open_shell for each in clusters])
        means = float(iterations[~shell].mean()), float(iterations[shell].mean())
        print(f"\nmean iterations of {len(iterations)} runs: {means[0]:.1f}, with one of Ti..Ni {means[1]:.1f}")
    of_pip([scaled(json.loads(line)) for line in given.times.read_text().splitlines()], means)


def read(archive: Path) -> tuple[list[Cluster], np.ndarray, np.ndarray, np.ndarray]:
    """Cluster, hours, iterations and material of each finished run."""
    inputs = Config().inputs.of("FEFF")
    structures, runs = {}, {}
    for member in read_archive(archive, lambda name: name.endswith(("/POSCAR", "/feff.out"))):
        place = place_of(member.name, "FEFF")
        if place is None:
            continue
        if place.file == "POSCAR":
            structures[place.material_id] = Poscar.from_str(member.content.decode()).structure
        elif hours := run_hours(member.content):
            iterations = member.content.count(b"New Fermi level")
            runs.setdefault(place.material_id, {})[place.site_index] = (hours, iterations)
    materials = sorted(runs.keys() & structures.keys())
    clusters = [each for m in materials for each in describe_clusters(structures[m], sorted(runs[m]), inputs)]
    rows = [(*runs[m][site], m) for m in materials for site in sorted(runs[m])]
    hours, iterations, names = (np.array(column) for column in zip(*rows, strict=True))
    return clusters, hours, iterations, names


def run_hours(feff_out: bytes) -> float | None:
    """Hours between start and end of a run; None unless it started once and ended. Both are in one time zone."""
    clock = CLOCK.findall(feff_out)
    if [word for word, *_ in clock] != [b"starts", b"ends"]:
        return None
    start, end = (datetime.strptime(f"{d.decode()} {y.decode()}", "%b %d %H:%M:%S %Y") for _, d, y in clock)
    return (end - start).total_seconds() / 3600


def of_feff_9(clusters: list[Cluster], hours: np.ndarray, materials: np.ndarray) -> None:
    """A FEFF of the user's own: powers of two sizes, at the paper's settings."""
    work = np.array([sum(float(n) ** 3 for n in each.scf_rows) for each in clusters])
    rows, shell = (np.array([getattr(each, name) for each in clusters], float) for name in ("fms_rows", "open_shell"))
    columns = np.column_stack([np.ones(len(hours)), np.log(rows), np.log(work), shell])
    predicted = np.empty(len(hours))
    for train, test in GroupKFold(5).split(columns, groups=materials):
        predicted[test] = np.exp(columns[test] @ fit(columns[train], hours[train]))
    print(f"FEFF 9: {len(hours)} runs of {len(set(materials))} materials, {hours.sum():,.0f} core hours")
    tell(predicted, hours)
    off = np.quantile(np.abs(totals(predicted, hours, materials) - 1), 0.9)
    print(f"the total of {DRAWN} materials is within {off:.1%} in nine cases of ten")
    weights = fit(columns, hours)
    stored = np.array([hours_of_own(each) for each in clusters])
    print("OWN_CONSTANT, OWN_FMS, OWN_SCF, OWN_OPEN_SHELL =", ", ".join(f"{value:.4f}" for value in weights))
    print(f"those stored in {Path(cost.__file__).name} expect {stored.sum() / hours.sum():.4f} of the measured hours")


def fit(columns: np.ndarray, hours: np.ndarray) -> np.ndarray:
    """Fit the logarithm by least squares, then adjust the constant so that the sum of the hours is right."""
    weights = np.linalg.lstsq(columns, np.log(hours), rcond=None)[0]
    weights[0] += np.log(hours.sum() / np.exp(columns @ weights).sum())
    return weights


def totals(predicted: np.ndarray, hours: np.ndarray, materials: np.ndarray) -> np.ndarray:
    """Ratio of expected to measured total hours, for random campaigns of DRAWN materials."""
    names, number = np.unique(materials, return_inverse=True)
    sums = np.array([np.bincount(number, values) for values in (predicted, hours)])
    rng = np.random.default_rng(0)
    drawn = [sums[:, rng.choice(len(names), DRAWN, replace=False)].sum(1) for _ in range(DRAWS)]
    return np.array([expected / measured for expected, measured in drawn])


def scaled(run: dict[str, Any]) -> dict[str, Any]:
    """A run with its seconds as on a calm machine."""
    return run | {"seconds": {name: seconds / run.get("slower", 1.0) for name, seconds in run["seconds"].items()}}


def of_pip(runs: list[dict[str, Any]], compounds: tuple[float, float]) -> None:
    """The FEFF 10 of pip: sums of what its parts cost, each part a multiple of a size that is known before the run.

    `compounds` has the mean iterations of the field, without and with one of Ti..Ni; that of elements is from `runs`.
    """
    runs = [run for run in runs if run["exit_code"] == 0]
    measured = np.array([sum(run["seconds"].values()) for run in runs])
    materials = np.array([run["material"] for run in runs])
    print(f"\nFEFF 10 of pip: {len(runs)} runs of {len(set(materials))} materials, {measured.sum():,.0f} s")
    predicted = np.empty(len(runs))
    for train, test in LeaveOneGroupOut().split(measured, groups=materials):
        known = [runs[k] for k in train]
        constants, iterations = fit_parts(known), (*compounds, of_elements(known))
        predicted[test] = [sum(constants * sizes(runs[k], iterations)) for k in test]
    tell(predicted, measured)
    for run, expected, took in zip(runs, predicted, measured, strict=True):
        print(f"| {run['run']} | {run['iterations']} | {took:.0f} | {expected:.0f} |")
    print("PIP_FIXED, PIP_FIELD, PIP_FIELD_ROWS, PIP_FMS_ROWS =", ", ".join(f"{each:.3g}" for each in fit_parts(runs)))
    print(f"PIP_ITERATIONS_ELEMENT = {of_elements(runs):.1f}")
    stored = [seconds_of_pip(Cluster(**run["cluster"])) for run in runs]
    print(f"those stored expect {sum(stored) / measured.sum():.2f} of the measured seconds")


def of_elements(runs: list[dict[str, Any]]) -> float:
    """Mean iterations of the field where there is one element."""
    return float(np.mean([run["iterations"] for run in runs if Cluster(**run["cluster"]).one_element]))


def sizes(run: dict[str, Any], iterations: tuple[float, float, float] | None = None) -> np.ndarray:
    """What the four constants multiply; with the run's own iterations, or with the mean ones."""
    cluster = run["cluster"]
    kind = 2 if Cluster(**cluster).one_element else int(cluster["open_shell"])
    number = run["iterations"] if iterations is None else iterations[kind]
    field = number * len(cluster["scf_rows"]), number * sum(n**2 for n in cluster["scf_rows"])
    return np.array([1.0, *field, cluster["energies"] * cluster["fms_rows"] ** 2])


def fit_parts(runs: list[dict[str, Any]]) -> np.ndarray:
    """Fit the seconds of field, scattering and the rest, with the runs' own iterations; each run counts the same."""
    each = np.array([sizes(run) for run in runs])
    field, scattering = (np.array([run["seconds"][name] for run in runs]) for name in ("pot", OWN))
    rest = np.array([sum(run["seconds"].values()) for run in runs]) - field - scattering

    def off(logarithms: np.ndarray) -> np.ndarray:
        return np.log(each[:, 1:3] @ np.exp(logarithms) / field)

    # Robust, as a busy machine is noisy.
    of_field = np.exp(least_squares(off, np.log([0.05, 1e-5]), loss="soft_l1", f_scale=0.1).x)
    return np.array([rest.mean(), *of_field, (scattering / each[:, 3]).mean()])


def tell(predicted: np.ndarray, measured: np.ndarray) -> None:
    """Print how far predictions are off."""
    off = np.exp(np.abs(np.log(predicted / measured)))
    middle, most, worst = np.quantile(off, (0.5, 0.9, 1))
    ratio = predicted.sum() / measured.sum()
    print(f"half within a factor of {middle:.2f}, 90 % within {most:.2f}, worst {worst:.1f}; {np.mean(off < 1.3):.0%} "
          f"within 1.3; expected / measured {ratio:.2f}")  # fmt: skip


if __name__ == "__main__":
    main()
