"""The section `inputs` of config.yaml: the input files of each simulation code.

FEFF and VASP have the paper's defaults (arXiv 2409.19552), the other codes have Lightshow's.
"""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from xanesflow.codes.feff.read_cards import OTHER_KINDS, first_letters
from xanesflow.codes.registry import theory_of
from xanesflow.config.base import Count, ElementSymbol, Number, Positive, Section, not_bool
from xanesflow.core.text import quoted

Length = Annotated[float, BeforeValidator(not_bool), Field(gt=0, le=60)]
"""In Å; beyond 62 Å Lightshow's rule for k-points would silently take a single one."""

Tag = bool | int | float | str | list[int | float | str] | None

Row = tuple[int, int, int]


def _matrix(given: Any) -> Any:
    """Check a matrix before pydantic tries it as a length, too, whose sentence would hide this one."""
    if not isinstance(given, list | tuple):
        return given
    rows = [list(row) if isinstance(row, list | tuple) else [] for row in given]
    whole = all(isinstance(n, int) and not isinstance(n, bool) for row in rows for n in row)
    if len(rows) != 3 or any(len(row) != 3 for row in rows) or not whole:
        raise ValueError("give a length in Å, or a matrix of three rows of three integers")
    (a, b, c), (d, e, f), (g, h, i) = rows
    if a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g) == 0:
        raise ValueError("the three rows of the matrix span no cell; give rows that are independent")
    return given


Supercell = Annotated[Length | tuple[Row, Row, Row] | None, BeforeValidator(_matrix)]
"""Least length of each edge, or repetitions of a cell: the new vectors in rows."""

Card = str | list[str] | None
"""Words after a card, lines below it, or nothing: the card is left out."""

PAPER_FEFF_CARDS: dict[str, Card] = {
    "S02": "0",
    "COREHOLE": "RPA",
    "CONTROL": "1 1 1 1 1 1",
    "XANES": "4 0.04 0.1",
    "SCF": "7.0 0 100 0.2 3",
    "FMS": "9.0 0",
    "EXCHANGE": "0 0.0 0.0 2",
    "RPATH": "-1",
    "EGRID": ["k_grid -1 0 0.04", "k_grid 0 6 0.04"],
}
"""Cards of the published FEFF runs; the edge is always K."""

CORE_WINDOW_HA = {
    "Ti": (178.2, 180.5), "V": (196.4, 198.7), "Cr": (215.5, 217.8), "Mn": (235.6, 237.9),
    "Fe": (256.5, 258.8), "Co": (278.3, 280.6), "Ni": (301.1, 303.4), "Cu": (324.7, 327.0),
}  # fmt: skip
"""Absolute energies in Hartree that exciting computes; Ti has Lightshow's window.

Like Ti's window, the others begin 0.55 Ha below the 1s level of density functional theory. For Ti and Cu that level is
the paper's (-4864.0 and -8850.2 eV). For the elements between them it is the measured edge minus a shift that grows
linearly with the atomic number.
"""


_NOT_GIVEN = {
    "EDGE": "it is always K", "HOLE": "the edge is always K; S02 sets the amplitude",
    "RECI": "clusters are computed in real space", "ATOM": "it is written for each site",
    "POTE": "it is written for each site", "END": "it is written after the atoms",
    **{card: f"curation refuses {what}" for card, what in OTHER_KINDS.items()},
}  # fmt: skip
"""First letters of cards that the configuration may not hold, and why."""


def _cards(cards: dict[str, Card]) -> dict[str, Card]:
    names: dict[str, str] = {}
    for name, value in cards.items():
        if name.split() != [name]:
            raise ValueError(f"{quoted(name)} is no name of a card, which is one word; correct it")
        card = first_letters(name)
        if card in _NOT_GIVEN:
            raise ValueError(f"the card {name} cannot be given, because {_NOT_GIVEN[card]}; remove it")
        if card in names:
            raise ValueError(f"the cards {names[card]} and {name} are the same; give one of them")
        if card == "SCF" and value is None:
            raise ValueError(f"the card {name} cannot be left out: a run counts only if its field converged; give it")
        if card in ("SCF", "FMS") and value is not None and _radius_of(value) is None:
            leave_out = "; null leaves it out" if card == "FMS" else ""
            raise ValueError(f"the card {name} must begin with a number, its radius in Å{leave_out}")
        names[card] = name
    if not cards.get(names.get("XANE", "")):
        raise ValueError("add the card XANES, which must be among them")
    return {name.upper(): value for name, value in cards.items()}


def _radius_of(card: Card) -> float | None:
    """The first value of a card; None if it is no number."""
    try:
        return float(card.split()[0]) if isinstance(card, str) else None
    except (IndexError, ValueError):
        return None


def _window(window: tuple[float, float]) -> tuple[float, float]:
    if window[0] >= window[1]:
        raise ValueError(f"a window starts below its end, but this one goes from {window[0]:g} to {window[1]:g}")
    return window


def _with_known_windows(given: dict[str, Any]) -> dict[str, Any]:
    return CORE_WINDOW_HA | given


class FeffInputs(Section):
    """feff.inp of FEFF 9 and 10."""

    cards: Annotated[dict[str, Card], AfterValidator(_cards)] = Field(
        PAPER_FEFF_CARDS,
        description=(
            "cards of feff.inp, as published; a list: lines below a card; null leaves one out (not SCF); the edge is K"
        ),
    )
    radius: Positive = Field(9.0, description="radius in Å of the cluster around the absorber, at least that of FMS")

    @model_validator(mode="after")
    def _the_cluster_holds_what_scatters(self) -> Self:
        for card in ("FMS", "SCF"):
            if (needed := _radius_of(self.cards.get(card))) is not None and self.radius < needed:
                raise ValueError(
                    f"the cluster of radius {self.radius:g} Å does not hold all atoms of the card {card}, which are up "
                    f"to {needed:g} Å away; set radius to at least that, or lower {card}"
                )
        return self


class VaspInputs(Section):
    """INCAR, KPOINTS, POSCAR and POTCAR.spec of both steps, always non-spin-polarised."""

    supercell: Length = Field(9.0, description="least length in Å of each edge of the supercell")
    kpoint_length: Length = Field(
        24.0, description="effective size of the crystal in Å: supercell length times number of k-points"
    )
    e_range: dict[ElementSymbol, Positive] = Field(
        {"Ti": 30.0, "Cu": 20.0}, description="eV above the Fermi level that the bands must cover, by absorber"
    )
    max_bands: Count = Field(
        2200, description="materials whose supercell needs more bands are left out, as in the published data"
    )
    scf: dict[str, Tag] = Field(
        {}, description="INCAR tags of the ground state that differ from Lightshow's; null leaves a tag out"
    )
    core_hole: dict[str, Tag] = Field(
        {}, description="INCAR tags of the core-hole step that differ from Lightshow's; null leaves a tag out"
    )
    potcars: dict[ElementSymbol, str] = Field(
        {}, description="POTCARs that differ from Lightshow's for GW, or that it lacks: {Nd: Nd_3}"
    )
    potcar_functional: str = Field(
        "PBE_54", description="pymatgen's name of the set of POTCARs in your library (PMG_VASP_PSP_DIR)"
    )


class OceanInputs(Section):
    """ocean.in, one for all sites of a material."""

    cards: dict[str, str | None] = Field(
        {"dft": "qe", "ecut": "-1", "opf.program": "hamann", "para_prefix": "mpirun -np 24"},
        description="entries of ocean.in, such as diemac (dielectric constant); null leaves one out",
    )
    kpoint_length: Length = Field(8.467, description="as for VASP, but with the unit cell; Lightshow's 16 Bohr")
    e_range: Positive = Field(30.0, description="eV above the Fermi level that the bands must cover")


class ExcitingInputs(Section):
    """input.xml of exciting."""

    energy_window: Annotated[
        dict[ElementSymbol, Annotated[tuple[Positive, Positive], AfterValidator(_window)]],
        AfterValidator(_with_known_windows),
    ] = Field(
        CORE_WINDOW_HA,
        description=(
            "first and last absolute energy in Hartree by absorber, around the 1s level of density functional\n"
            "theory; Ti is Lightshow's, the others are estimated from it"
        ),
    )
    kpoint_length: Length = Field(8.467, description="as for OCEAN")
    e_range: Positive = Field(30.0, description="eV above the Fermi level that the bands must cover")
    gqmax: Positive = Field(4.0, description="largest |G+q| in 1/Bohr")


class XspectraInputs(Section):
    """gs.in and es.in of Quantum ESPRESSO, xanes.in of XSpectra."""

    supercell: Supercell = Field(
        None,
        description=(
            "least length in Å of each edge, or a matrix of repetitions such as [[1, 1, 0], [-1, 1, 0], [0, 0, 1]];\n"
            "null: 9 Å for inputs, and for own runs the smallest cell with simulations.xspectra.hole_distance"
        ),
    )
    kpoint_length: Length = Field(8.467, description="as for OCEAN, but with the supercell")
    ecutwfc: Positive = Field(40.0, description="cutoff of wave functions in Ry")
    ecutrho: Positive = Field(320.0, description="cutoff of the charge density in Ry")
    energies: tuple[Number, Number] = Field(
        (-15.0, 70.0), description="first and last energy in eV, relative to the Fermi level"
    )
    points: Count = Field(400, description="number of energies")


class FdmnesInputs(Section):
    """<element>_in.txt of FDMNES, one for all sites of a material."""

    energies: str = Field("-5. 0.5 60.", description="first energy, step and last energy in eV, as FDMNES reads them")
    radius: Positive = Field(7.0, description="radius in Å of the cluster around the absorber")


class InputsSection(Section):
    """The input files of each code."""

    feff: FeffInputs = Field(FeffInputs(), description="FEFF 9 and 10 (subsets of FEFF)")
    vasp: VaspInputs = Field(
        VaspInputs(),
        description=(
            "VASP (subsets of VASP): ground state and core hole in one supercell; needs no POTCARs, but\n"
            "`xanesflow unpack --potcar` assembles them if PMG_VASP_PSP_DIR names a library of POTCARs"
        ),
    )
    ocean: OceanInputs = Field(OceanInputs(), description="OCEAN (subsets of OCEAN)")
    exciting: ExcitingInputs = Field(ExcitingInputs(), description="exciting (subsets of EXCITING)")
    xspectra: XspectraInputs = Field(XspectraInputs(), description="XSpectra of Quantum ESPRESSO (subsets of XSPECTRA)")
    fdmnes: FdmnesInputs = Field(FdmnesInputs(), description="FDMNES (subsets of FDMNES)")

    def of(self, theory: str) -> dict[str, Any]:
        """The options of a level of theory as plain values; empty if no inputs are written for it."""
        section = getattr(self, theory_of(theory).inputs_section or " ", None)
        return section.model_dump(mode="json") if isinstance(section, Section) else {}

    def missing(self, element: str, theory: str) -> str | None:
        """The key without an entry for `element` that the inputs need; None if nothing is missing."""
        record = theory_of(theory)
        if record.element_key and element not in self.of(theory)[record.element_key]:
            return f"inputs.{record.inputs_section}.{record.element_key}"
        return None
