"""Measured spectra of known compounds, and the candidates that each is compared with; the studies of matching use it.

A folder DATA holds them as the XAS Data Library has them, `<element>/*.xdi`. Candidates are all examples that hold the
element and the minerals that the standards need.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from xanesflow.core.parallel import cores
from xanesflow.matching.candidates import Candidate, find_candidates
from xanesflow.matching.compute_candidates import DEFAULT_THEORY, compute_missing, make_engine, plan_spectra
from xanesflow.matching.likeness import Curve, Target, target_of
from xanesflow.matching.material_spectrum import NormalisedSpectrum
from xanesflow.matching.ranking import Reference
from xanesflow.matching.references import computed_references, material_spectra
from xanesflow.matching.spectrum_store import SpectrumStore, default_folder
from xanesflow.measured import read_measured

MOST_REPEATS = 3
"""Spectra of one compound that count, so that repeats of a scan do not rule the result."""

STANDARDS = {
    "V": {"V2O3": "v2o3-corundum", "V2O5": "v2o5-shcherbinaite", "VO2": "vo2-monoclinic", "VO": "vo-rocksalt",
          "V_foil": "v-bcc"},
    "Cr": {"cr2o3": "cr2o3-corundum", "cr2s3": "amcsd-0009200", "cro2": "cro2-rutile", "k2cr2o7": "amcsd-0010323",
           "k2cro4": "k2cro4-tarapacaite", "na2cro4": "amcsd-0016962"},
    "Mn": {"Mn2O3": "mn2o3-bixbyite", "Mn3O4": "mn3o4-hausmannite", "MnO2": "mno2-rutile", "MnO": "mno-rocksalt"},
    "Fe": {"Fe2O3": "fe2o3-hematite", "Fe3C": "amcsd-0019112", "Fe3O4": "fe3o4-magnetite", "FeO": "feo-rocksalt",
           "FeS2": "amcsd-0012728", "Fe_": "fe-bcc", "Hansel2001_Fe_foil": "fe-bcc",
           "Hansel2001_goethite": "amcsd-0010471", "Hansel2001_magnetite": "fe3o4-magnetite",
           "Hansel2001_siderite": "feco3-calcite"},
    "Co": {"co_metal": "co-hcp"},
    "Ni": {"NiS": "amcsd-0005097", "Ni_metal": "ni-fcc"},
    "Cu": {"CuO": "cuo-tenorite", "CuS": "amcsd-0010979", "Cu_azurite": "amcsd-0008598", "Cu_Foil": "cu-fcc",
           "cu_metal": "cu-fcc"},
}  # fmt: skip
"""Beginning of a file's name and the id of its structure, by element; the longest beginning counts."""


@dataclass(frozen=True, eq=False)
class Case:
    """A measured standard and its candidates.

    Attributes:
        name: of the file.
        compound: id of the right candidate.
        element: symbol of the absorber.
        target: the part of the spectrum that is compared.
        references: the candidates.
        right: row of the right one.
    """

    name: str
    compound: str
    element: str
    target: Target
    references: Sequence[Reference]
    right: int


def parser_of(about: str | None) -> argparse.ArgumentParser:
    """The command line of a study: where the standards are, and how their candidates get their spectra."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of the standards, <element>/*.xdi")
    parser.add_argument("--theory", default=DEFAULT_THEORY)
    parser.add_argument("--cache", type=Path, default=None, help="folder of kept spectra; default: the user's")
    parser.add_argument("--workers", type=int, default=cores(), help="sites that are computed at a time")
    return parser


def structure_of(element: str, name: str) -> str | None:
    """Id of the structure of a file; None if it is no standard of the list."""
    fits = [each for each in STANDARDS.get(element, {}) if name.startswith(each)]
    return STANDARDS[element][max(fits, key=len)] if fits else None


def read_cases(data: Path, theory: str, cache: Path | None, workers: int | None = None) -> list[Case]:
    """The standards with their candidates, whose missing spectra are computed."""
    cases: list[Case] = []
    for element in STANDARDS:
        references = references_of(candidates_of(element), theory, cache, workers)
        seen: Counter[str] = Counter()
        for path in sorted((data / element).glob("*.xdi")):
            compound = structure_of(element, path.stem)
            rows = [number for number, each in enumerate(references) if each.id == compound]
            if compound is None or not rows or seen[compound] >= MOST_REPEATS:
                continue
            seen[compound] += 1
            spectrum = read_measured(path)[0]
            cases.append(Case(path.stem, compound, element, target_of(spectrum), references, rows[0]))
    return cases


def sources_of(data: Path, element: str) -> dict[str, dict[str, Path]]:
    """The first scan of each source of each compound; repeats of a source have one name up to a number at its end."""
    files: dict[str, dict[str, Path]] = defaultdict(dict)
    for path in sorted((data / element).glob("*.xdi")):
        source = re.sub(r"_\d+$", "", path.stem)
        files[structure_of(element, path.stem) or source].setdefault(source, path)
    return files


def read_measured_cases(data: Path) -> list[Case]:
    """The standards with measured spectra of the element as candidates, one of each compound.

    Of the right compound, a spectrum of another source is a candidate; compounds of which there is none are left out.
    """
    cases: list[Case] = []
    for element in sorted(each.name for each in data.iterdir() if each.is_dir()):
        files = sources_of(data, element)
        read = {path: read_measured(path)[0] for sources in files.values() for path in sources.values()}
        for compound, sources in files.items():
            for source, path in list(sources.items())[:MOST_REPEATS]:
                others = {
                    name: next((each for key, each in group.items() if key != source), None)
                    for name, group in files.items()
                }
                if others[compound] is None:
                    continue
                chosen = [(name, read[each]) for name, each in others.items() if each is not None]
                references = [
                    Reference(name, "", name, Curve(each.energy_ev, each.flattened, each.half_step_ev))
                    for name, each in chosen
                ]
                right = [name for name, _ in chosen].index(compound)
                cases.append(Case(path.stem, compound, element, target_of(read[path]), references, right))
    return cases


def references_of(
    candidates: Sequence[Candidate], theory: str, cache: Path | None, workers: int | None = None
) -> list[Reference]:
    """The candidates with their spectra."""
    found = spectra_of(candidates, theory, cache, workers)
    return computed_references(candidates, found, cache or default_folder())


def candidates_of(element: str) -> list[Candidate]:
    """All examples that hold the element, and the minerals that the standards need."""
    ids = sorted({each for each in STANDARDS[element].values() if each.startswith("amcsd")})
    return find_candidates(["examples", *ids], element)[0]


def spectra_of(
    candidates: Sequence[Candidate], theory: str, cache: Path | None, workers: int | None = None
) -> dict[str, NormalisedSpectrum]:
    """Spectra of the candidates by id; those that are missing are computed."""
    engine, store = make_engine(theory, candidates[0].element), SpectrumStore(theory, cache)
    plan = plan_spectra(candidates, engine, store)
    spectra = compute_missing(plan, engine, store, workers=workers or cores())
    found, failed = material_spectra(candidates, plan, spectra)
    for sentence in failed:
        print(sentence)
    return found
