"""Keeps computed spectra of sites, so that the next match against the same structures costs nothing.

A spectrum is found by its structure, site, settings and the version of its code. It is looked for in the user's cache
folder, then in the library that comes with the package. Each is a file of its own that appears whole, so several
processes may use one folder at once, and one that is killed loses only the sites that it was computing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xanesflow.core.array_types import Floats
from xanesflow.core.files import atomic_path, sha256_text, user_cache
from xanesflow.core.npz import open_npz

SHIPPED = Path(__file__).parent / "library"
"""Folder of the libraries that come with the package, one file for each level of theory."""

_COLUMNS = ("energy_ev", "cross_section", "background")

_DECIMALS = 4
"""Of lattice vectors in Å and fractional coordinates; two structures that agree so far have the same spectrum."""


@dataclass(frozen=True, eq=False)
class StoredSpectrum:
    """The computed spectrum of a site, or why it has none."""

    energy_ev: Floats  # (n,) absolute photon energies
    cross_section: Floats  # (n,) absorption cross section in bohr²
    background: Floats  # (n,) the same without scattering by the neighbours
    failure: str = ""  # why there is no spectrum; empty if there is one
    record: Mapping[str, Any] | None = None  # what the engine says about the run; None: it was not kept

    def usable(self) -> bool:
        """Whether the arrays are a spectrum: of one length, finite, with rising energies; or there is a failure."""
        curves = np.array([self.energy_ev, self.cross_section, self.background]) if self._of_one_length() else None
        if curves is None or not curves.size:
            return bool(self.failure) and curves is not None
        return not self.failure and bool(np.isfinite(curves).all() and (np.diff(curves[0]) > 0).all())

    def _of_one_length(self) -> bool:
        return self.energy_ev.ndim == 1 and self.energy_ev.shape == self.cross_section.shape == self.background.shape

    @classmethod
    def failed(cls, why: str) -> StoredSpectrum:
        """A site without a spectrum."""
        nothing = np.zeros(0)
        return cls(nothing, nothing, nothing, why)


def default_folder() -> Path:
    """The folder in the user's cache where computed spectra are kept."""
    return user_cache() / "spectra"


def structure_hash(structure: str) -> str:
    """SHA-256 of a structure's cell and atoms, in their order.

    Args:
        structure: pymatgen's JSON, as `Material.structure`.
    """
    given = json.loads(structure)
    cell = np.round(np.array(given["lattice"]["matrix"], dtype=np.float64), _DECIMALS) + 0.0
    atoms = []
    for site in given["sites"]:
        places = np.round(np.mod(np.array(site["abc"], dtype=np.float64), 1.0), _DECIMALS) % 1.0 + 0.0
        atoms.append([site["species"][0]["element"], *places.tolist()])
    return sha256_text(json.dumps([cell.tolist(), atoms]))


def spectrum_key(structure: str, site_index: int, settings: Mapping[str, Any]) -> str:
    """Name of a spectrum: 32 hexadecimal digits.

    Args:
        structure: hash of it, as `structure_hash` returns it.
        site_index: 0-based index of the absorber.
        settings: of the engine, with its version. The hash of its `programs` is left out, as it differs between
            operating systems.
    """
    known = {name: value for name, value in settings.items() if name != "programs"}
    text = json.dumps([structure, site_index, known], sort_keys=True)
    return sha256_text(text)[:32]


class SpectrumStore:
    """Spectra of one level of theory.

    Args:
        theory: its name.
        folder: the user's; made when the first spectrum is put.
        shipped: folder of the package's libraries.
    """

    def __init__(self, theory: str, folder: Path | None = None, shipped: Path = SHIPPED) -> None:
        self._folder = (folder or default_folder()) / theory
        self._library = shipped / f"{theory}.npz"

    def get(self, key: str) -> StoredSpectrum | None:
        """The spectrum of a key; None if there is none, or its file is damaged."""
        try:
            with open_npz(self._path(key)) as file:
                energy, spectrum, background = (file[name].astype(np.float64) for name in _COLUMNS)
                record = json.loads(str(file["record"])) if "record" in file else None
                found = StoredSpectrum(energy, spectrum, background, str(file["failure"])[:1000], record)
        except Exception:  # not there, or damaged: NumPy raises all kinds of errors
            return read_library(self._library).get(key)
        return found if found.usable() else None

    def put(self, key: str, spectrum: StoredSpectrum) -> None:
        """Keep a spectrum."""
        with atomic_path(self._path(key)) as temporary:
            np.savez(
                temporary,
                energy_ev=spectrum.energy_ev,
                cross_section=spectrum.cross_section.astype(np.float32),
                background=spectrum.background.astype(np.float32),
                failure=np.array(spectrum.failure, dtype=np.str_),
                record=np.array(json.dumps(spectrum.record), dtype=np.str_),
            )

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key}.npz"


@cache
def read_library(path: Path) -> dict[str, StoredSpectrum]:
    """Spectra of a library by key; empty if there is no such file."""
    if not path.is_file():
        return {}
    with np.load(path, allow_pickle=False) as file:
        keys, start, step = file["keys"].tolist(), file["start_ev"], float(file["step_ev"])
        spectra = file["cross_section"].astype(np.float64) * file["scale"][:, None]
        backgrounds = file["background"].astype(np.float64) * file["scale"][:, None]
    energies = start[:, None] + step * np.arange(spectra.shape[1])
    return {
        key: StoredSpectrum(energy, spectrum, background)
        for key, energy, spectrum, background in zip(keys, energies, spectra, backgrounds, strict=True)
    }


def write_library(path: Path, spectra: Mapping[str, StoredSpectrum], *, step_ev: float) -> None:
    """Write spectra as a library: float16, in units of each spectrum's largest background.

    Args:
        path: .npz to write.
        spectra: by key, all of the same length in eV.
        step_ev: of the library's energies.
    """
    keys = sorted(spectra)
    span = min(np.ptp(spectra[key].energy_ev) for key in keys)
    steps = step_ev * np.arange(int(span / step_ev) + 1)
    start = np.array([spectra[key].energy_ev[0] for key in keys])
    scale = np.array([spectra[key].background.max() for key in keys])
    rows = [spectra[key] for key in keys]

    def on_steps(values: list[Floats]) -> NDArray[np.float16]:
        each = zip(rows, values, start, scale, strict=True)
        return np.array(
            [np.interp(first + steps, row.energy_ev, one) / most for row, one, first, most in each], dtype=np.float16
        )

    with atomic_path(path) as temporary:
        np.savez_compressed(
            temporary,
            keys=np.array(keys, dtype=np.str_),
            start_ev=start,
            step_ev=np.float64(step_ev),
            scale=scale,
            cross_section=on_steps([row.cross_section for row in rows]),
            background=on_steps([row.background for row in rows]),
        )
