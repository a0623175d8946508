"""Writes the table and the plot of `xanesflow xanes`, and says what to expect of it and what is doubtful."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes

from xanesflow.codes.quick_look import QuickLook
from xanesflow.core.array_types import Floats
from xanesflow.core.energy_grid import even_energies
from xanesflow.core.errors import XanesflowError
from xanesflow.core.figures import COLOURS, ENERGY, MOVED_ENERGY, TRUTH, figure
from xanesflow.core.files import sha256_text, write_text
from xanesflow.core.provenance import versions
from xanesflow.core.tables import write_table
from xanesflow.core.text import about_time, plural, subscripts
from xanesflow.measured.write_athena import athena_text
from xanesflow.spectra.compute_sites import SiteResult
from xanesflow.structures.choose_site import Absorber, Request

STEP_EV = 0.1
"""Step of the common grid of several sites' spectra."""

_NAMED = 12  # most sites that the legend names; more are all drawn grey


@dataclass(frozen=True)
class Spectra:
    """Spectra on a common energy grid."""

    energy_ev: Floats  # (n,) absolute photon energies
    sites: tuple[tuple[Absorber, Floats], ...]  # each atom with its (n,) cross section in bohr²
    average: Floats | None  # (n,) weighted with the multiplicities; None if a site of the element is missing


def expected_time(request: Request, look: QuickLook, workers: int) -> str:
    """One sentence on how long the sites should take; empty if nothing is known.

    Args:
        request: structure, element and atoms.
        look: level of theory.
        workers: sites at a time.
    """
    expected: list[float] = []
    for cell, structure in request.structures.items():
        if indices := [site.index for site in request.sites if site.cell == cell]:
            expected += look.expected_seconds(structure, indices)
    if not expected:
        return ""
    altogether = max(sum(expected) / workers, *expected)
    longest = f", the longest site {about_time(max(expected))}" if len(expected) > 1 else ""
    return f"Expected time: {about_time(altogether)}{longest}, more if the machine is busy or slow."


def remarks(request: Request, look: QuickLook, outcomes: Sequence[SiteResult], spectra: Spectra) -> list[str]:
    """What is doubtful about each spectrum, and one sentence on the sites that failed."""
    said = []
    for outcome in outcomes:
        if outcome.result:
            said += look.remarks(outcome.site.name, outcome.result.record)
    failed = sum(outcome.result is None for outcome in outcomes)
    if failed:
        average = ", so there is no average" if request.whole and spectra.average is None else ""
        have = "has" if failed == 1 else "have"
        said.append(f"{failed} of {plural(len(outcomes), 'site')} {have} no spectrum{average}.")
    return list(dict.fromkeys(said))


def common_grid(outcomes: Sequence[SiteResult], *, average: bool) -> Spectra:
    """Put spectra on a common grid; a single spectrum keeps its energies.

    The grid holds the multiples of `STEP_EV` at which all spectra are defined. Spectra are interpolated linearly.

    Args:
        outcomes: of the sites; those without a spectrum are skipped.
        average: whether to average the spectra, if none is missing.

    Raises:
        XanesflowError: the spectra have no energies in common.
    """
    there = [(outcome.site, outcome.result) for outcome in outcomes if outcome.result is not None]
    energies = [result.energy_ev for _, result in there]
    if len(there) == 1:
        energy_ev = energies[0]
    else:
        first, last = max(e[0] for e in energies), min(e[-1] for e in energies)
        energy_ev = even_energies(first, last, STEP_EV)
        if len(energy_ev) < 2:
            raise XanesflowError(
                f"The spectra have no energies in common (one begins at {first:.1f} eV, one ends at {last:.1f} eV); "
                "compute them one by one with --site."
            )
    sites = tuple((site, np.interp(energy_ev, r.energy_ev, r.cross_section)) for site, r in there)
    mean = None
    if average and len(there) == len(outcomes):
        weights = [site.multiplicity for site, _ in sites]
        mean = np.asarray(np.average([mu for _, mu in sites], axis=0, weights=weights))
    return Spectra(energy_ev, sites, mean)


def write_spectra(
    path: Path,
    request: Request,
    look: QuickLook,
    outcomes: Sequence[SiteResult],
    spectra: Spectra,
    *,
    athena: bool = False,
    aligned: str = "",
) -> list[Path]:
    """Write the spectra as one CSV, or for Athena each as a file of two columns; all say how they were computed.

    Args:
        path: the table; the names of Athena's files add the site to it, or `average`.
        request: structure and element.
        look: level of theory.
        outcomes: of the sites.
        spectra: on a common grid.
        athena: whether to write the files for Athena; see `athena_text`.
        aligned: how the energies were moved; empty: they are as computed.

    Returns:
        The files.
    """
    said = [f"{outcome.site.label}: {_describe_result(outcome, look)}" for outcome in outcomes]
    origin = describe_origin(request, look)
    if athena:
        about = dict(zip((outcome.site for outcome in outcomes), said, strict=True))
        files = [(site.folder, about[site], mu) for site, mu in spectra.sites]
        if spectra.average is not None and len(files) > 1:
            files.append(("average", "average of the sites, weighted with the multiplicities", spectra.average))
        written = [path.with_name(f"{path.stem}_{name}.dat") for name, _, _ in files]
        for place, (_, what, mu) in zip(written, files, strict=True):
            lines = [*origin, what, *([aligned] if aligned else [])]
            write_text(place, athena_text(spectra.energy_ev, mu, request.element, lines))
        return written

    lines = [*origin, *said]
    if len(spectra.sites) > 1:
        lines.append(f"energies: multiples of {STEP_EV:g} eV; the spectra are interpolated linearly")
    weighted = "; average: weighted with the multiplicities" if spectra.average is not None else ""
    lines.append(f"energy_eV in eV, absolute{aligned and f', {aligned}'}; cross sections in bohr^2{weighted}")
    columns = [spectra.energy_ev, *(mu for _, mu in spectra.sites)]
    names = ["energy_eV", *(site.label for site, _ in spectra.sites)]
    if spectra.average is not None:
        columns.append(spectra.average)
        names.append("average")
    write_table(path, lines, names, columns)
    return [path]


def describe_origin(request: Request, look: QuickLook) -> list[str]:
    """What the spectra are of, and how they were computed, a line each."""
    material = request.material
    return [
        f"K-edge XANES, {look.basis}",
        f"structure: {request.source}",
        f"formula: {material.formula}, absorber {request.element}, {plural(len(material.elements), 'atom')} in the "
        "cell",
        f"structure_sha256: {' '.join(sha256_text(each.structure) for each in request.materials)}",
        *(f"{each.material_id}: {each.note}" for each in request.materials if each.parent),
        f"sites: element_index (xmultiplicity), the index counted from 0, symprec {request.symprec:g} Å",
        f"engine: {json.dumps(look.engine.settings(), default=list)}",
        f"versions: {json.dumps(versions(look.packages), sort_keys=True)}",
    ]


def _describe_result(outcome: SiteResult, look: QuickLook) -> str:
    return f"no spectrum: {outcome.error}" if outcome.result is None else look.describe(outcome.result)


def draw_plot(paths: Sequence[Path], request: Request, spectra: Spectra, *, moved: bool = False) -> None:
    """Draw the sites as thin lines and their average as a thick one.

    Args:
        paths: files to write, in the formats of their endings.
        request: structure and element, for the title.
        spectra: on a common grid.
        moved: whether the energies were moved to experiment.
    """
    for path in paths:
        with figure(path, 5.5, 3.7) as drawn:
            axes = drawn.subplots()
            _curves(axes, spectra)
            axes.set(
                xlabel=MOVED_ENERGY if moved else ENERGY,
                ylabel="Cross section (10⁻³ bohr²)",
                title=f"{subscripts(request.material.formula)}, {request.element} K edge",
                xlim=(spectra.energy_ev[0], spectra.energy_ev[-1]),
            )
            axes.set_ylim(bottom=0.0)
            axes.ticklabel_format(useOffset=False)
            axes.legend(loc="lower right", ncols=2 if len(spectra.sites) > 6 else 1)


def _curves(axes: Axes, spectra: Spectra) -> None:
    """Draw a single site with a thick line, or several sites with thin lines and their average with a thick one."""
    energy_ev, n = spectra.energy_ev, len(spectra.sites)
    if n == 1:
        site, mu = spectra.sites[0]
        axes.plot(energy_ev, 1e3 * mu, color=TRUTH, lw=2.0, label=site.name)
        return
    spread = colormaps["viridis"](np.linspace(0, 0.9, n))
    for number, (site, mu) in enumerate(spectra.sites):
        if n > _NAMED:
            name = plural(n, "site") if number == 0 else "_"
            axes.plot(energy_ev, 1e3 * mu, color="#888888", lw=0.6, alpha=0.6, label=name)
        else:
            colour = COLOURS[number] if n <= len(COLOURS) else tuple(spread[number])
            axes.plot(energy_ev, 1e3 * mu, color=colour, lw=1.0, label=site.name)
    if spectra.average is not None:
        axes.plot(energy_ev, 1e3 * spectra.average, color=TRUTH, lw=2.2, label="average")
