"""Inputs of OCEAN, exciting, XSpectra and FDMNES by Lightshow's parameters."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pymatgen.core import Element, Structure

from xanesflow.codes.lightshow_bridge import import_lightshow, without_local_folders
from xanesflow.codes.supercell import make_supercell
from xanesflow.codes.vasp.write_inputs import kpoints_rule
from xanesflow.core.errors import NoInputError, XanesflowError


class Ocean:
    """Writes `OCEAN/<element>/{ocean.in,photon1,photon2,photon3}`, one for all sites of a material."""

    def __init__(self, options: Mapping[str, Any], element: str) -> None:
        with without_local_folders():
            self._parameters: Any = import_lightshow("parameters.ocean").OCEANParameters(
                cards={card: value for card, value in options["cards"].items() if value is not None},
                kpoints=kpoints_rule(float(options["kpoint_length"])),
                nbands=_bands(options),
                edge="K",
            )

    def write(self, folder: Path, structure: Structure, sites: list[int]) -> dict[int, NoInputError]:
        """Write ocean.in, whose `edges` names the sites."""
        with without_local_folders():
            self._parameters.write(folder / self._parameters.name, structure_uc=structure, sites=sites)
        return {}


class Exciting:
    """Writes `EXCITING/<site>_<element>/input.xml`."""

    def __init__(self, options: Mapping[str, Any], element: str) -> None:
        window = options["energy_window"].get(element)
        if window is None:
            raise XanesflowError(
                f"inputs.exciting.energy_window has no entry for {element}; add its window in Hartree."
            )
        lightshow: Any = import_lightshow("parameters.exciting")
        cards = copy.deepcopy(lightshow.EXCITING_DEFAULT_CARDS)  # Lightshow writes into them
        cards["xs"]["energywindow"]["intv"] = f"{window[0]:g} {window[1]:g}"
        self._element = element
        with without_local_folders():
            self._parameters = lightshow.EXCITINGParameters(
                cards=cards,
                species_directory="./",
                kpoints=kpoints_rule(float(options["kpoint_length"])),
                nbands=_bands(options),
                gqmax=float(options["gqmax"]),
                edge="K",
            )

    def write(self, folder: Path, structure: Structure, sites: list[int]) -> dict[int, NoInputError]:
        """Write input.xml of each site."""
        name = self._parameters.name
        with without_local_folders():
            self._parameters.write(folder / name, structure_uc=structure, sites=sites)
        alike = structure.indices_from_symbol(self._element)
        for site in sites:
            path = folder / name / f"{site:03}_{self._element}" / "input.xml"
            # exciting counts atoms within a species; Lightshow writes the index into the whole structure.
            text, number = re.subn(
                r'xasatom="\d+"', f'xasatom="{alike.index(site) + 1}"', path.read_text(encoding="utf-8")
            )
            if number != 1:
                raise XanesflowError(f"{path.name} of exciting names {number} absorbers; this Lightshow is not known.")
            path.write_text(text, encoding="utf-8")
        return {}


class Xspectra:
    """Writes `XSpectra/GS/gs.in`, and of each site `XSpectra/<site>_<element>/{es.in,dipole<n>/xanes.in}`."""

    def __init__(self, options: Mapping[str, Any], element: str) -> None:
        lightshow: Any = import_lightshow("parameters.xspectra")
        cards = copy.deepcopy(lightshow.XSPECTRA_DEFAULT_CARDS)
        cards["QE"]["system"] |= {"ecutwfc": options["ecutwfc"], "ecutrho": options["ecutrho"]}
        first, last = options["energies"]
        cards["XS"]["plot"] |= {"xemin": first, "xemax": last, "xnepoint": options["points"]}
        self._length = float(options["supercell"])
        with without_local_folders():
            self._parameters = lightshow.XSpectraParameters(
                cards=cards, kpoints=kpoints_rule(float(options["kpoint_length"])), edge="K"
            )

    def write(self, folder: Path, structure: Structure, sites: list[int]) -> dict[int, NoInputError]:
        """Write ground state, excited state and spectrum; the absorber is a species of its own, such as `Ti+`."""
        supercell, places = make_supercell(structure, sites, self._length)
        with without_local_folders():
            self._parameters.write(
                folder / self._parameters.name, structure_sc=supercell, sites=sites, index_mapping=places
            )
        return {}


class Fdmnes:
    """Writes `FDMNES/<element>_in.txt`, one for all sites of a material."""

    def __init__(self, options: Mapping[str, Any], element: str) -> None:
        lightshow: Any = import_lightshow("parameters.fdmnes")
        self._element = element
        with without_local_folders():
            self._parameters = lightshow.FDMNESParameters(
                e_range=options["energies"], radius=float(options["radius"]), edge="K"
            )

    def write(self, folder: Path, structure: Structure, sites: list[int]) -> dict[int, NoInputError]:
        """Write the input; FDMNES itself finds the inequivalent sites of the absorber."""
        with without_local_folders():
            self._parameters.write(
                folder / self._parameters.name, structure=structure, Z_absorber=Element(self._element).Z
            )
        path = folder / self._parameters.name / f"{self._element}_in.txt"
        # Lightshow rounds angles to 0.1 degrees and positions to four digits, which moves atoms by 0.01 Å.
        lattice = structure.lattice
        crystal = "".join(f" {value:.6f}" for value in (*lattice.abc, *lattice.angles)).strip()
        atoms = "".join(f"  {site.specie.Z} {site.a:.8f} {site.b:.8f} {site.c:.8f}\n" for site in structure)
        text, number = re.subn(
            r"Crystal \n.*?\n(?=\nZ_Absorber)",
            f"Crystal \n{crystal}\n{atoms}",
            path.read_text(encoding="utf-8"),
            flags=re.DOTALL,
        )
        if number != 1:
            raise XanesflowError(f"{path.name} of FDMNES has {number} crystals; this Lightshow is not known.")
        path.write_text(text, encoding="utf-8")
        return {}


def _bands(options: Mapping[str, Any]) -> Any:
    """Lightshow's rule for the number of bands."""
    return import_lightshow("common.nbands").UnitCellVolumeEstimate(e_range=float(options["e_range"]))
