"""Read the sites of measured and computed spectra with a trained interpreter."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from xanesflow.core.array_types import Floats
from xanesflow.core.energy_grid import MAX_FLAT_START_EV, onto_grid
from xanesflow.core.errors import GridNotCoveredError, XanesflowError
from xanesflow.core.tables import write_rows
from xanesflow.core.text import listing, plural
from xanesflow.interpretation.computed_file import FileSpectrum, read_computed
from xanesflow.interpretation.domain import LEVEL
from xanesflow.interpretation.interpreter import Interpreter
from xanesflow.interpretation.site_descriptors import DESCRIPTORS
from xanesflow.interpretation.views import half_step, see, see_measured
from xanesflow.measured import MeasuredSpectrum, Normalisation, Reading, read_measured
from xanesflow.measured.edges import ABOVE_EV, BELOW_EV, identify, read_edge, tabulated_ev

OUTPUT_COLUMNS = (
    "file", "descriptor", "value", "low_90", "high_90", "prior_low_90", "prior_high_90", "foreign",
)  # fmt: skip
"""Columns of `--output`."""

NEAREST = 5
_PLATEAU_EV = 15.0


@dataclass(frozen=True)
class DescriptorValue:
    """One descriptor of one spectrum."""

    descriptor: str  # its name
    value: float  # what was read
    low: float  # lower end of the 90 % bar
    high: float  # its upper end
    prior_low: float  # 5 % quantile of the sites that the interpreter learned from
    prior_high: float  # their 95 % quantile
    classes: tuple[tuple[int, float], ...] = ()  # the likeliest classes with their probabilities; empty if it has none

    @property
    def no_more_than_prior(self) -> bool:
        """Whether the bar is as wide as what one knows without the spectrum."""
        return self.high - self.low >= self.prior_high - self.prior_low

    @property
    def cells(self) -> tuple[str, str, str, str, str]:
        """Title, value, bar, prior and what the classes say, for a table."""
        descriptor = DESCRIPTORS[self.descriptor]
        unit = "" if descriptor.unit == "1" else f" {descriptor.unit}"
        places = 2 if descriptor.unit != "Å" else 3
        said = "no more than the prior" if self.no_more_than_prior else ""
        if self.classes and not said:
            said = ", ".join(f"{value}: {share:.0%}" for value, share in self.classes if share >= 0.05)
        return (
            descriptor.title,
            f"{self.value:.{places}f}{unit}",
            f"{self.low:.{places}f} to {self.high:.{places}f}",
            f"{self.prior_low:.{places}f} to {self.prior_high:.{places}f}",
            said,
        )


@dataclass(frozen=True)
class Interpretation:
    """What one spectrum says about its site."""

    source: str  # the file's name; its path, if several files have that name
    p_value: float  # how often a simulated spectrum is as unusual as this one
    values: tuple[DescriptorValue, ...]  # of each descriptor
    # id and formula of the nearest simulated sites, and their root mean square distance in plateaus
    nearest: tuple[tuple[str, str, float], ...]
    remarks: tuple[str, ...] = ()  # sentences for the user

    @property
    def foreign(self) -> bool:
        """Whether the spectrum is unlike all that was simulated, so that nothing can be said about its site."""
        return self.p_value < LEVEL

    @property
    def warning(self) -> str:
        """A sentence for a foreign spectrum; empty for others."""
        if not self.foreign:
            return ""
        return (
            f"{self.source} is unlike all spectra that were simulated (p = {self.p_value:.3f}): the values above say "
            "nothing about it. Its site may be of a kind that the interpreter never saw, such as a metal or sulfide "
            "for one that learned from oxides."
        )

    @property
    def nearest_sites(self) -> str:
        """The nearest simulated sites, in a sentence."""
        near = "; ".join(f"{site} ({formula}, {distance:.3f})" for site, formula, distance in self.nearest)
        return f"Nearest simulated sites (root mean square distance): {near}"


def interpret_files(
    files: Sequence[Path],
    interpreter: Interpreter,
    reading: Reading | None = None,
    normalisation: Normalisation | None = None,
    *,
    leave_out: Callable[[str], object] | None = None,
) -> list[Interpretation]:
    """Read the sites of all spectra of some files.

    Measured files are read and normalised as `xanesflow measured` does it; files of `xanesflow xanes` and xmu.dat are
    recognised, and cut to the grid that the interpreter learned from. Every spectrum is aligned at half its step and
    never shifted to fit. Files of one name in several folders are told apart by their paths.

    Args:
        files: measured or computed spectra.
        interpreter: a trained one.
        reading: how measured files are read.
        normalisation: how they are normalised.
        leave_out: gets a sentence for each of several files that cannot be used; None: such a file is an error.

    Raises:
        XanesflowError: a file cannot be read, has another absorber or edge, does not cover the window or the grid, or
            is a computed one with options for measured ones; with `leave_out`, none of the files can be used.
    """
    reading, normalisation = reading or Reading(), normalisation or Normalisation()
    names = Counter(path.name for path in files)
    found: list[Interpretation] = []
    for path in files:
        try:
            read = _of_file(path, interpreter, reading, normalisation)
        except XanesflowError as error:
            if leave_out is None or len(files) == 1:
                raise
            leave_out(f"{path}: {error}" if names[path.name] > 1 else str(error))
            continue
        if names[path.name] > 1:
            read = [replace(each, source=str(path.parent / each.source)) for each in read]
        found += read
    if not found:
        raise XanesflowError(f"None of the {plural(len(files), 'file')} can be used, for the reasons above.")
    return found


def _of_file(
    path: Path, interpreter: Interpreter, reading: Reading, normalisation: Normalisation
) -> list[Interpretation]:
    computed = read_computed(path)
    if computed is None:
        return [_of_measured(each, interpreter) for each in read_measured(path, reading, normalisation)]
    options = {
        "--columns": reading.columns, "--mode": reading.mode, "--energy-unit": reading.energy_unit,
        "--d-spacing": reading.d_spacing, "--decimal": reading.decimal, "--group": reading.groups,
        "--exclude": reading.exclude, "--e0": normalisation.e0_ev, "--pre": normalisation.pre,
        "--post": normalisation.post, "--order": normalisation.order,
    }  # fmt: skip
    if given := [name for name, value in options.items() if value not in (None, ())]:
        raise XanesflowError(
            f"{computed[0].source} is a computed spectrum, and {listing(given)} cannot be used with one; leave out one "
            "or the other."
        )
    element, edge = read_edge(normalisation.element, normalisation.edge, computed[0].source)
    return [_of_computed(each, interpreter, element, edge) for each in computed]


def _of_measured(spectrum: MeasuredSpectrum, interpreter: Interpreter) -> Interpretation:
    _check_edge(spectrum.source, spectrum.element, spectrum.edge, interpreter.card.elements)
    half = spectrum.half_step_ev
    seen = see_measured(spectrum.energy_ev, spectrum.normalised, half, spectrum.source)
    return interpret(seen, interpreter, spectrum.source, spectrum.remarks)


def _check_edge(source: str, element: str, edge: str, elements: Sequence[str]) -> None:
    if element not in elements or edge != "K":
        raise XanesflowError(
            f"{source} is the {edge} edge of {element}, and this interpreter reads the K edge of "
            f"{', '.join(elements)}; choose another with --model."
        )


def _of_computed(
    spectrum: FileSpectrum, interpreter: Interpreter, element: str | None, edge: str | None
) -> Interpretation:
    energy, mu = spectrum.energy_ev, spectrum.cross_section
    last = energy > energy[-1] - _PLATEAU_EV
    plateau = float(mu[last].mean())
    if not plateau > 0:
        raise XanesflowError(f"{spectrum.source} is not positive over its last 15 eV; give a whole spectrum.")
    half = half_step(energy, mu / plateau)
    elements = interpreter.card.elements
    near = [each for each in elements if -BELOW_EV <= half - (tabulated_ev(each, "K") or 0.0) <= ABOVE_EV]
    if element or edge:
        symbol, level, _ = identify(half, element, edge, spectrum.source)
        _check_edge(spectrum.source, symbol, level, elements)
    elif near:
        symbol = near[0]
    else:
        raise XanesflowError(
            f"{spectrum.source} has its edge at {half:.0f} eV, and this interpreter reads the K edge of "
            f"{', '.join(elements)}; choose another with --model."
        )

    # What it learned from was cut to this grid, whose end is the plateau.
    start_ev = interpreter.card.starts_ev[symbol]
    try:
        on_grid = onto_grid(energy, mu, start_ev=start_ev, max_flat_start_ev=MAX_FLAT_START_EV)
    except GridNotCoveredError as error:
        raise XanesflowError(
            f"{spectrum.source} does not cover the energies that the interpreter learned from: {error}; give a "
            "spectrum that covers that, at the energies that the code gives."
        ) from None
    return interpret(see(on_grid[None], "aligned"), interpreter, spectrum.source)


def interpret(seen: Floats, interpreter: Interpreter, source: str, remarks: Sequence[str] = ()) -> Interpretation:
    """Read one spectrum.

    Args:
        seen: (1, 97) the spectrum in the view `aligned`.
        interpreter: a trained one.
        source: what to call the spectrum.
        remarks: on the spectrum, for the user.
    """
    targets = interpreter.targets
    read = interpreter.readers["aligned"].values(seen, targets)
    values = []
    for column, name in enumerate(targets.names):
        value, low, high, prior_low, prior_high = (
            float(each[column]) for each in (read.values[0], read.low[0], read.high[0], *targets.prior)
        )
        shares = read.probabilities.get(name)
        classes: tuple[tuple[int, float], ...] = ()
        if shares is not None:
            order = np.argsort(-shares[0], kind="stable")[:3]
            classes = tuple((targets.classes[name][k], float(shares[0, k])) for k in order)
        values.append(DescriptorValue(name, value, low, high, prior_low, prior_high, classes))
    rows, distances = interpreter.nearest(seen, NEAREST)
    near = zip(rows.tolist(), distances.tolist(), strict=True)
    return Interpretation(
        source,
        float(interpreter.domain.p_values(seen)[0]),
        tuple(values),
        tuple((interpreter.ids[row], interpreter.formulas[row], distance) for row, distance in near),
        tuple(remarks),
    )


def write_values(path: Path, found: Sequence[Interpretation]) -> None:
    """Write a row for each spectrum and descriptor, with `OUTPUT_COLUMNS`; `foreign` is True or False."""
    rows = []
    for each in found:
        for read in each.values:
            numbers = (read.value, read.low, read.high, read.prior_low, read.prior_high)
            rows.append([each.source, read.descriptor, *(f"{number:.6g}" for number in numbers), each.foreign])
    write_rows(path, OUTPUT_COLUMNS, rows)
