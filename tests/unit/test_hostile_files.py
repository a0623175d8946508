"""Files made to harm, fed to every command that reads such a file: each ends in seconds, and in one sentence.

Some hundred of them, chosen by chance but always the same. XANESFLOW_HOSTILE_FILES=all takes all that the generators
know, which needs some minutes; another SEED damages other places.
"""

import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from dataset_files import write_dataset
from feff_runs import poscar, rocksalt
from hostile_arrays import damaged_bytes, hostile_hdf5, hostile_npz, hostile_safetensors
from hostile_commands import import_libraries, try_all
from hostile_runs import hostile_runs
from hostile_structures import hostile_cifs, hostile_disorder, hostile_poscars, hostile_vaspruns, hostile_xyz
from hostile_texts import (
    bombs,
    damaged_texts,
    hostile_columns,
    hostile_json,
    hostile_projects,
    hostile_yaml,
)
from measured_files import ENERGY, mu, perl_group, project, xdi
from structure_files import as_json, cif
from trained_campaign import campaign

from xanesflow.config.load import read_config_file
from xanesflow.dataset.feature_files import read_feature_file

SEED = 29


@pytest.fixture(scope="module", autouse=True)
def _imported():
    import_libraries()


ALL = os.environ.get("XANESFLOW_HOSTILE_FILES") == "all"


def sample(cases, count):
    """Some of many cases, chosen by chance but always the same; with `ALL` every one."""
    cases = list(cases)
    return cases if ALL else random.Random(SEED).sample(cases, min(count, len(cases)))


def number(few, all_of_them):
    """How many damaged copies are made."""
    return all_of_them if ALL else few


def text_files(folder: Path, name: str, texts, command: Callable[[Path], list]):
    """A case for each text or content, written to a file of this name."""
    folder.mkdir(exist_ok=True)
    for said, text in texts:
        path = folder / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
        yield f"{name}, {said}", path, command(path)


def structure_cases(folder):
    good = as_json(rocksalt())
    damaged = enumerate(damaged_texts(cif("Cu 0 0 0", "O .5 .5 .5"), number(6, 40), SEED))
    for name, texts in {
        "x.cif": [*sample(hostile_cifs(), 18), *damaged],
        "x.vasp": [*sample(hostile_poscars(), 8), *enumerate(damaged_texts(poscar(rocksalt()), number(6, 40), SEED))],
        "x.xyz": sample(hostile_xyz(), 8),
        "x.json": sample(hostile_json(json.loads(good)), 8),
        "vasprun.xml": sample(hostile_vaspruns(), 4),
        "POSCAR.gz": bombs(),
    }.items():
        yield from text_files(folder, name, texts, lambda path: ["xanes", path, "-e", "Cu", "-s", "999999999"])
    for kind in ("random", "ordered"):
        texts = sample(hostile_disorder(), 6)
        yield from text_files(folder, "x.cif", texts, lambda path: ["xanes", path, "-e", "Zr", "--disorder", kind])  # noqa: B023


def measured_cases(folder):
    good = xdi(folder.parent / "good.xdi", "mu", ENERGY, mu(), element="Fe").read_text()
    athena = project(folder.parent / "good.prj", perl_group("abcde", "iron", ENERGY, mu()), packed=False).read_text()
    for name, texts in {
        "x.xdi": [*sample(hostile_columns(good), 12), *enumerate(damaged_texts(good, number(6, 40), SEED))],
        "x.prj": [
            *sample(hostile_projects(athena), 8),
            *enumerate(damaged_texts(athena, number(5, 40), SEED)),
            *bombs(),
        ],
    }.items():
        yield from text_files(folder, name, texts, lambda path: ["measured", path, "-o", "x.csv"])
    for said, path, _ in text_files(folder, "y.xdi", sample(hostile_columns(good), 3), lambda path: []):
        yield said, path, ["mix", path, path, "-e", "Fe"]
        yield said, path, ["match", path, path, "--measured", "-e", "Fe"]
        yield said, path, ["pca", path, path, "-e", "Fe"]


def dataset_cases(folder):
    good = write_dataset(folder.parent, subsets=("Cu_FEFF",), name="good.h5")
    commands = [
        lambda path: ["dataset", "info", path],
        lambda path: ["dataset", "ids", path],
        lambda path: ["dataset", "export", path, "-o", "out", "-f", "csv"],
        lambda path: ["dataset", "diff", good, path, "-o", "d.csv"],
        lambda path: ["dataset", "plot", path, "-o", "a.svg"],
        lambda path: lambda: read_feature_file(path, "Cu_FEFF", ["chgnet"]),
    ]
    folder.mkdir()
    for place, (said, path) in enumerate(hostile_hdf5(good, folder, number(30, 400), SEED)):
        yield said, path, commands[place % len(commands)](path)
        if place % 6 == 0:
            yield said, path, ["dataset", "validate", path]
    damaged = enumerate(damaged_bytes(good.read_bytes(), number(8, 60), SEED))
    yield from text_files(folder, "damaged.h5", damaged, lambda path: ["dataset", "info", path])


def array_cases(folder):
    folder.mkdir()
    good = folder.parent / "Cu_FEFF.npz"
    sites = {"ids": np.array(["mp-1_000", "mp-2_000"]), "spectra": np.ones((2, 141)), "energy": np.arange(141.0)}
    np.savez(good, features=np.ones((2, 3), np.float32), **sites)
    for place, (said, path) in enumerate(hostile_npz(good, folder)):
        if ALL or place % 4 == 0:
            yield said, path, lambda path=path: read_feature_file(path, "Cu_FEFF", ["chgnet"])


def model_cases(folder):
    shutil.copytree(campaign(), folder)
    models, structure = folder / "models/expert_radial_Cu_FEFF", folder / "POSCAR"
    structure.write_text(poscar(rocksalt()))
    (folder / "keep").mkdir()
    good = Path(shutil.copy(models / "seed0.safetensors", folder / "keep"))
    for place, (said, path) in enumerate(hostile_safetensors(good, models)):
        if ALL or place % 18 == 0:
            yield said, path, ["model", "info", path]
            yield said, path, ["predict", structure, "-m", path]
    shutil.copy(good, models)
    for what in ("calibration", "predictions"):
        path = folder / f"evaluation/{what}/expert_radial_Cu_FEFF.h5"
        good = Path(shutil.copy(path, folder / "keep"))
        for said, _ in hostile_hdf5(good, path.parent, number(5, 100), SEED):
            yield said, path, ["model", "export", models, "-o", "out"]
        shutil.copy(good, path)


def run_cases(folder):
    for said, files in sample(hostile_runs(number(4, 40), SEED), 45):
        shutil.rmtree(folder, ignore_errors=True)
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", errors="surrogatepass")
        yield said, folder, ["check", folder]


def config_cases(folder):
    for said, path, _ in text_files(folder, "config.yaml", sample(hostile_yaml(), 60), lambda path: []):
        yield said, path, lambda path=path: read_config_file(path)


@pytest.mark.parametrize(
    "cases",
    [array_cases, config_cases, structure_cases, measured_cases, dataset_cases, model_cases, run_cases],
    ids=lambda cases: cases.__name__,
)
def test_every_hostile_file_ends_in_a_sentence(tmp_path, cases):
    bad = try_all(cases(tmp_path / "in"), tmp_path)
    assert not bad, "\n".join(f"{name}: {end.output}" for name, end in bad.items())
