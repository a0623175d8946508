"""Where the features' tests find weights and published data; they skip, saying so, where these are absent."""

from __future__ import annotations

import tarfile
from functools import cache
from pathlib import Path

import numpy as np
from made_once import made_once
from pymatgen.core import Lattice, Structure
from shared_data import shared


def m3gnet_folder() -> Path:
    return shared("m3gnet/M3GNet-MP-2021.2.8-PES")


@cache
def published() -> tuple[list[tuple[str, int]], np.ndarray]:
    """(material, site) and features (416, 64) of the published validation part of Cu_FEFF."""
    with np.load(shared("3dtm_xanes_ml2024/Cu_FEFF_val.npz")) as stored:
        ids = [str(each).rsplit("_", 1) for each in stored["ids"]]
        return [(material, int(site)) for material, site in ids], stored["features"]


@cache
def published_structures() -> dict[str, Structure]:
    """The structures of the published validation part, from the archive of FEFF runs."""
    source, wanted = shared("feff9-cu.tar.xz"), {f"Cu/{material}/POSCAR" for material, _ in published()[0]}

    def extract(folder: Path) -> None:
        with tarfile.open(source) as archive:
            for member in archive:
                if member.name.removeprefix("./") in wanted:
                    opened = archive.extractfile(member)
                    assert opened is not None
                    (folder / Path(member.name).parent.name).write_bytes(opened.read())

    files = sorted(made_once("poscars", extract).iterdir())
    return {path.name: Structure.from_str(path.read_text(), fmt="poscar") for path in files}


def some_structures(number: int = 12) -> list[Structure]:
    """Small and larger published structures, every few of them."""
    structures = sorted(published_structures().values(), key=len)
    return structures[:: max(1, len(structures) // number)][:number]


def rutile() -> Structure:
    return Structure.from_spacegroup(
        "P4_2/mnm", Lattice.tetragonal(4.594, 2.959), ["Ti", "O"], [[0, 0, 0], [0.305, 0.305, 0]]
    )


def copper() -> Structure:
    """One atom, whose every bond goes to an image of itself."""
    half = 3.615 / 2
    return Structure([[0, half, half], [half, 0, half], [half, half, 0]], ["Cu"], [[0, 0, 0]])


def polonium() -> Structure:
    return Structure(Lattice.cubic(3.36), ["Po"], [[0, 0, 0]])


def pair_and_one_apart() -> Structure:
    """Two oxygen atoms, and far from them atom 1, copper."""
    return Structure(Lattice.cubic(20), ["O", "Cu", "O"], [[0, 0, 0], [0.5, 0.5, 0.5], [0.06, 0, 0]])


def lonely_atom() -> Structure:
    return Structure(Lattice.cubic(30), ["Cu"], [[0, 0, 0]])
