"""How `xanesflow xanes` computes and describes the spectra of a level of theory.

`QuickLook` does it for every theory that has an engine and a reader. A theory whose runs have more to say (which stage
is at work, how the field converged) names a subclass in its record.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pymatgen.core import Structure

from xanesflow.codes.registry import function_of, load, theory_of
from xanesflow.codes.run_engine import SiteSpectrum, read_folder
from xanesflow.codes.single_sites import single_site_theories
from xanesflow.codes.theory import Theory
from xanesflow.core.errors import WrongCallError
from xanesflow.core.text import listing, quoted

_TAIL = 4096  # bytes at the end of a log, which hold its last line


class QuickLook:
    """Computes single sites with the engine of a theory.

    Args:
        theory: record of the theory.
        options: of its engine, as `Campaign.engine_options` returns them.
        given: options of the command that the user set, by name.

    Attributes:
        engine: computes a site.
        packages: whose versions the table names.
        not_aligned: values of options at which no energies were compared with experiment, by the option's name, each
            with what it is in words.
    """

    packages: tuple[str, ...] = ("pymatgen-core",)
    not_aligned: Mapping[str, Mapping[str, str]] = {}

    def __init__(self, theory: Theory, options: Mapping[str, Any], given: Mapping[str, Any]) -> None:
        self.theory = theory
        self.options = self.changed(options, given)
        self.engine = load(theory.engine)(load(theory.options)(**self.options))

    @property
    def basis(self) -> str:
        """Code and method in a phrase."""
        return self.theory.title

    def changed(self, options: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
        """The engine's options with what the user set.

        Raises:
            WrongCallError: a value is not valid.
        """
        return {**options, **given}

    def notes(self, element: str) -> list[str]:
        """What the user should know about an absorber at this theory, one sentence each."""
        return []

    def expected_seconds(self, structure: Structure, sites: Sequence[int]) -> list[float]:
        """Seconds that each site is expected to take on one core; empty: not known."""
        if cost := function_of(self.theory.cost):
            return [3600 * float(hours) for hours in cost(structure, sites, self.options)[1]]
        hours = self.theory.core_hours
        return [] if hours is None else [3600 * hours] * len(sites)

    def message(self, folder: Path) -> str:
        """What the run in a folder is doing; by default the last line of its log, empty without one."""
        try:
            with (folder / self.engine.log_name).open("rb") as log:
                log.seek(max(log.seek(0, 2) - _TAIL, 0))
                lines = log.read().decode("utf-8", errors="replace").splitlines(keepends=True)
        except OSError:
            return ""
        whole = [line.strip() for line in lines if line.endswith("\n") and line.strip()]
        return whole[-1] if whole else ""

    def read(self, folder: Path, structure: Structure, site_index: int) -> SiteSpectrum:
        """Read and check the spectrum of a finished run.

        Raises:
            BadRunError: the run cannot be used.
        """
        return read_folder(self.engine, folder, structure, site_index)

    def edge_ev(self, spectrum: SiteSpectrum) -> float | None:
        """Energy of the edge; None: not known."""
        return None

    def columns(self, record: Mapping[str, Any]) -> dict[str, str]:
        """Further columns of the closing table, by their names; the same names for every record."""
        return {}

    def describe(self, spectrum: SiteSpectrum) -> str:
        """How the spectrum came about, one line for the head of the table."""
        edge = self.edge_ev(spectrum)
        return "computed" if edge is None else f"edge {edge:.3f} eV"

    def remarks(self, name: str, record: Mapping[str, Any]) -> list[str]:
        """What is doubtful about a site's spectrum, one sentence each."""
        return []


def quick_look_of(name: str, options: Mapping[str, Any], given: Mapping[str, Any]) -> QuickLook:
    """Make the quick look of a theory.

    Args:
        name: of a theory for which `check_quick_look` passed.
        options: of its engine, as `Campaign.engine_options` returns them.
        given: options of the command that the user set, by name.
    """
    return _class_of(name)(theory_of(name), options, given)


def packages_of(name: str) -> tuple[str, ...]:
    """Name the packages whose versions belong to spectra of a theory."""
    return _class_of(name).packages


def check_quick_look(name: str, given: Mapping[str, Any], *, align: bool = False) -> None:
    """Check that single sites can be computed with a theory, and that it has the options of the command.

    Args:
        name: as the user wrote it.
        given: options that the user set, by name.
        align: whether energies are to be moved to experiment.

    Raises:
        WrongCallError: they cannot, or it has not; or its energies with these options were never compared with
            experiment.
    """
    able = single_site_theories()
    theory = next((each for each in able if each.name == name), None)
    if theory is None:
        raise WrongCallError(
            f"--theory {quoted(name)} is not one that computes single sites; use {listing(_names(able))}."
        )
    for option in given:
        if option not in theory.look_options:
            owners = _names([each for each in able if option in each.look_options])
            raise WrongCallError(
                f"--{option.replace('_', '-')} is an option of {listing(owners)}, not of {name}; leave it out, or "
                f"choose --theory {owners[0]}."
            )
        if align and (what := _class_of(name).not_aligned.get(option, {}).get(given[option])):
            raise WrongCallError(f"--align experiment knows no energies with {what}; leave out one of both.")


def _class_of(name: str) -> type[QuickLook]:
    record = theory_of(name)
    found: type[QuickLook] = load(record.quick_look) if record.quick_look else QuickLook
    return found


def _names(records: Sequence[Theory]) -> list[str]:
    return [each.name for each in records]
