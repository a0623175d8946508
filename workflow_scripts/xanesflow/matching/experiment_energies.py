"""Where experiment has a computed spectrum: the shift that spectra of known compounds needed.

Computed energies are absolute, but not those of a beamline: metals lie some 8 eV too high, compounds less, the less
the higher their oxidation state (docs/studies/energies.md). What is known of the embedded engine is part of the
calibration of matches; of other levels of theory it stands in `energies/`.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import numpy as np
from pymatgen.core import Structure

from xanesflow.core.errors import WrongCallError
from xanesflow.core.sites import Subset, parent_of
from xanesflow.core.text import listing
from xanesflow.interpretation.describe_structure import oxidation_states
from xanesflow.matching.choice_model import CALIBRATIONS, MEASURED, Expected, read_match_calibration
from xanesflow.matching.surroundings import is_metallic
from xanesflow.prediction.prediction import Prediction
from xanesflow.structures.material import Material

ENERGIES = Path(__file__).parent / "energies"


def known_theories() -> list[str]:
    """Levels of theory whose energies were compared with experiment."""
    names = {path.stem for folder in (CALIBRATIONS, ENERGIES) for path in folder.glob("*.json")}
    return sorted(names - {MEASURED})


def check_alignable(theory: str) -> None:
    """Raise WrongCallError unless energies of a level of theory were compared with experiment."""
    if theory not in known_theories():
        raise WrongCallError(
            f"Energies of {theory} were never compared with experiment, so they cannot be aligned; use "
            f"{listing(known_theories())}, or leave out --align."
        )


def check_subsets(subsets: Iterable[str]) -> None:
    """As `check_alignable`, for the levels of theory of subsets such as `Cu_FEFF`."""
    for name in subsets:
        check_alignable(Subset.parse(name).theory)


def expected_shift(theory: str, element: str, material: Material, sites: Sequence[tuple[int, int]]) -> Expected:
    """What must be added to computed energies of a material, and how far off that is for one compound in three.

    Args:
        theory: level of theory.
        element: symbol of the absorber.
        material: whose class (metal or compound) and oxidation state decide.
        sites: 0-based index of each absorber, and the number of atoms that it stands for.

    Raises:
        WrongCallError: the level of theory was never compared with experiment.
    """
    check_alignable(theory)
    calibration = read_match_calibration(theory, ENERGIES if (ENERGIES / f"{theory}.json").is_file() else CALIBRATIONS)
    structure = Structure.from_dict(json.loads(material.structure))
    metal, state = is_metallic(structure), None
    if not metal:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            states = oxidation_states(structure)[0]
        if states:
            indices, numbers = zip(*sites, strict=True)
            state = float(np.average([states[index] for index in indices], weights=numbers))
    return calibration.expects(element, metal=metal, oxidation_state=state)


def align_prediction(found: Prediction) -> Prediction:
    """The same spectra at the energies of experiment; each material is moved by its own shift.

    Args:
        found: a prediction that knows its structures.

    Raises:
        WrongCallError: a level of theory was never compared with experiment.
    """
    subsets, errors = {}, set()
    for name, each in found.subsets.items():
        of = Subset.parse(name)
        sites: dict[str, list[tuple[int, int]]] = {}
        for material, index, number in zip(each.material_id, each.site_index, each.multiplicity, strict=True):
            sites.setdefault(material, []).append((int(index), int(number)))
        expected = {
            material: expected_shift(of.theory, of.element, found.materials[material], of_material)
            for material, of_material in sites.items()
        }
        errors |= {f"{shift.sd_ev:.1f}" for shift in expected.values()}

        # The mean of the cells that represent a disordered crystal is moved as they are on average.
        shifts = {material: shift.mean_ev for material, shift in expected.items()}
        cells: dict[str, list[float]] = {}
        for material, shift_ev in shifts.items():
            cells.setdefault(parent_of(material), []).append(shift_ev)
        shifts |= {parent: fmean(of_cells) for parent, of_cells in cells.items()}
        subsets[name] = replace(each, shift_ev=shifts)
    how_sure = listing([f"±{error} eV" for error in sorted(errors, key=float)])
    about = f"moved to experiment, each material by its shift, right to {how_sure} (docs/studies/energies.md)"
    remarks = [*found.remarks, f"Energies are {about}."]
    return replace(found, subsets=subsets, remarks=remarks, made={**found.made, "energies": about})
