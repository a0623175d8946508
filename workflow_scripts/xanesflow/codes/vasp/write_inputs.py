"""Write inputs of VASP for two steps, ground state and core hole in one supercell, with Lightshow's parameters.

POTCARs are licensed, so this module writes POTCAR.spec instead: their titles in the order of POSCAR. `potcar` does the
rest.

The number of bands is Lightshow's estimate, and a material that needs more than `max_bands` is left out. The published
sets confirm this rule (9 Å, 20 eV). Of the 1,150 materials of Cu_VASP whose structures are at hand, 1,142 need at most
2,200 bands, and none holds an element without a POTCAR for GW. Of the 1,153 other materials, 905 need more.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pymatgen.core import Structure

from xanesflow.codes.kpoints import kpoints_rule
from xanesflow.codes.lightshow_bridge import import_lightshow, without_local_folders
from xanesflow.codes.supercell import distance_of_images, make_supercell
from xanesflow.codes.vasp.potcar import SPEC, valence_electrons
from xanesflow.core.errors import NoInputError, XanesflowError
from xanesflow.core.text import plural

log = logging.getLogger(__name__)

_CLOSE = 0.9
"""Core holes nearer to each other than this share of `inputs.vasp.supercell` are worth a warning."""


class Vasp:
    """Writes `VASP/SCF` and `VASP/<site>_<element>`, each with INCAR, KPOINTS, POSCAR and POTCAR.spec."""

    def __init__(self, options: Mapping[str, Any], element: str) -> None:
        self._length = float(options["supercell"])
        self._max_bands = int(options["max_bands"])
        self._warned: set[str] = set()
        e_range = options["e_range"].get(element)
        if e_range is None:
            raise XanesflowError(f"inputs.vasp.e_range has no entry for {element}; add how many eV its bands cover.")
        lightshow: Any = import_lightshow("parameters.vasp")
        self.titles = lightshow.VASP_POTCAR_DEFAULT_ELEMENT_MAPPING | options["potcars"]
        # Lightshow's own numbers of electrons set the number of bands, as in the published data, although those of Ga
        # to Br belong to larger POTCARs than the ones it names. A POTCAR that the user names counts with its own.
        self._valence = lightshow.VASP_VALENCE_MAPPING | {
            symbol: valence_electrons(title, options["potcar_functional"])
            for symbol, title in options["potcars"].items()
        }
        incar = lightshow.Incar
        steps = {"scf": incar.from_default(neutral=True), "core_hole": incar.from_default(neutral=False)}
        bands = import_lightshow("common.nbands").UnitCellVolumeEstimate(e_range=float(e_range))
        self._steps = []
        for step in ("core_hole", "scf"):  # the core hole first, as it may need too many bands
            tags = {k: v for k, v in (dict(steps[step]) | options[step]).items() if v is not None}
            with without_local_folders():
                parameters = _parameters_class()(
                    incar=incar(tags),
                    kpoints=kpoints_rule(float(options["kpoint_length"])),
                    nbands=bands,
                    max_bands=self._max_bands,
                    force_spin_unpolarized=True,
                    name="VASP",
                )
            parameters.use(self.titles, self._valence)
            self._steps.append(parameters)

    def write(self, folder: Path, structure: Structure, sites: list[int]) -> dict[int, NoInputError]:
        """Write both steps.

        Raises:
            NoInputError: the material needs too many bands or lacks a POTCAR, so all its sites are left out.
        """
        unknown = sorted(
            {s.specie.symbol for s in structure if s.specie.symbol not in self._valence.keys() & self.titles}
        )
        if unknown:
            raise NoInputError(
                "no_potential",
                f"there is no POTCAR for GW of {', '.join(unknown)}; name one in inputs.vasp.potcars to include it",
            )
        supercell, places = make_supercell(structure, sites, self._length)
        for parameters in self._steps:
            (folder / parameters.name).mkdir(parents=True, exist_ok=True)
            with without_local_folders():
                status = parameters.write(
                    folder / parameters.name, structure_sc=supercell, sites=sites, index_mapping=places
                )
            if not status["pass"]:
                bands = status["errors"]["n_bands"]
                raise NoInputError(
                    "too_many_bands",
                    f"the core hole in a supercell of {plural(len(supercell), 'atom')} needs {bands} bands, more than "
                    f"inputs.vasp.max_bands, {self._max_bands}",
                )
        if (apart := distance_of_images(supercell.lattice.matrix)) < _CLOSE * self._length:
            said = (
                f"The core holes of {structure.composition.reduced_formula} are {apart:.1f} Å apart, less than "
                f"inputs.vasp.supercell ({self._length:g} Å), because its cell is skewed; give its conventional cell "
                "to keep them farther apart."
            )
            if said not in self._warned:  # once for all sites of a material
                log.warning(said)
                self._warned.add(said)
        return {}


def _parameters_class() -> Any:
    """Make Lightshow's VASP parameters, which here write POTCAR.spec and count the electrons of any POTCAR."""
    lightshow: Any = import_lightshow("parameters.vasp")

    class Titles(lightshow.PotcarConstructor):
        def write(self, target_directory: Path, elements: list[str]) -> None:
            text = "".join(f"{self._element_mapping[element]}\n" for element in elements)
            Path(target_directory, SPEC).write_text(text, encoding="ascii")

    class Parameters(lightshow.VASPParameters):
        def use(self, titles: Mapping[str, str], valence: Mapping[str, int]) -> None:
            self._potcar_constructor = Titles(None, dict(titles))
            self._valence = valence

        def _vbands(self, structure: Structure) -> int:
            return sum(self._valence[site.specie.symbol] for site in structure)

    return Parameters
