"""`xanesflow xanes`: shows progress, the closing table, and remarks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from xanesflow.cli.choose_site import Absorber, Request
from xanesflow.cli.compute_sites import SiteResult
from xanesflow.cli.terminal import say
from xanesflow.cli.write_xanes import Spectra, converged, edge_ev, fields
from xanesflow.codes.feff8l import EngineSettings
from xanesflow.core.text import plural


def announce(request: Request, console: Console) -> None:
    """Print what will be computed, and notes on it."""
    what = request.sites[0].name
    if request.whole:
        atoms, sites = request.material.elements.count(request.element), len(request.sites)
        cells = f"each of {len(request.materials)} cells" if len(request.materials) > 1 else "the cell"
        what = f"{plural(sites, 'inequivalent site')}, {atoms} in {cells}"
    say(console, f"{request.material.formula}, {request.element} K edge: {what}", style="bold")
    for note in request.notes:
        say(console, f"Note: {note}", style="yellow")


class Display:
    """Shows the progress: on a terminal a line for each running site, elsewhere a line for each event.

    Args:
        sites: number of sites.
        console: to print on.
        progress: rich's display of the running sites.
    """

    def __init__(self, sites: int, console: Console, progress: Progress) -> None:
        self._console, self._progress = console, progress
        self._tasks: dict[Absorber, TaskID] = {}
        self._sites, self._ended = sites, 0
        self._all = progress.add_task("sites", message=f"0 of {sites} done") if sites > 1 else None

    def show_message(self, site: Absorber, message: str) -> None:
        """Show a message about a site."""
        if not self._console.is_terminal:
            say(self._console, f"{site.name}: {message}")
        elif site in self._tasks:
            self._progress.update(self._tasks[site], message=escape(message))
        else:
            self._tasks[site] = self._progress.add_task(site.name, message=escape(message))

    def done(self, outcome: SiteResult) -> None:
        """Show that a site has ended."""
        if outcome.site in self._tasks:
            self._progress.remove_task(self._tasks.pop(outcome.site))
        self._ended += 1
        if self._all is not None:
            self._progress.update(self._all, message=f"{self._ended} of {self._sites} done")
        if outcome.result is None:
            say(self._console, f"✗ {outcome.site.name}: no spectrum: {outcome.error}", style="red")
        else:
            say(self._console, f"✓ {outcome.site.name}: done in {outcome.seconds:.1f} s", style="green")


@contextmanager
def live_display(sites: int, console: Console) -> Iterator[Display]:
    """A `Display` that disappears when the block ends; the lines about finished sites stay."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TextColumn("{task.fields[message]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        yield Display(sites, console, progress)


def summary(outcomes: Sequence[SiteResult], settings: EngineSettings, spectra: Spectra) -> Table:
    """A row for each site with a spectrum, and one for their average."""
    table = Table()
    table.add_column("site", no_wrap=True)
    for name in ("multiplicity", "edge (eV)", "maximum (eV)", "rung"):
        table.add_column(name, justify="right")
    table.add_column("SCF")
    table.add_column("seconds", justify="right")
    for outcome in outcomes:
        if outcome.result is None:
            continue
        energy_ev, mu = outcome.result.energy_ev, outcome.result.cross_section
        records = fields(outcome.result)
        table.add_row(
            outcome.site.name.partition(" (")[0],
            str(outcome.site.multiplicity),
            f"{edge_ev(outcome.result, settings):.2f}",
            f"{energy_ev[mu.argmax()]:.2f}",
            ", ".join(dict.fromkeys(str(record["rung_number"]) for record in records)),
            "converged" if all(map(converged, records)) else "not converged",
            f"{outcome.seconds:.1f}",
        )
    if spectra.average is not None and len(spectra.sites) > 1:
        atoms = sum(site.multiplicity for site, _ in spectra.sites)
        table.add_section()
        table.add_row("average", str(atoms), "", f"{spectra.energy_ev[spectra.average.argmax()]:.2f}", "", "", "")
    return table


def remarks(request: Request, outcomes: Sequence[SiteResult], spectra: Spectra) -> list[str]:
    """One sentence for each self-consistent field with a problem, and one on the sites that failed."""
    said = []
    for outcome in outcomes:
        for record in fields(outcome.result) if outcome.result else []:
            scf, name = record["convergence"], outcome.site.name
            if not scf["iterations"]:
                said.append(
                    f"{name}: no self-consistent field could be computed, so the potentials of overlapped free atoms "
                    "were used; use its spectrum with care."
                )
                continue
            if scf["iterations"] == 1 and not converged(record):
                said.append(
                    f"{name}: the self-consistent field had a single iteration, so it is not known whether it "
                    "converged; use its spectrum with care."
                )
            elif not converged(record):
                said.append(
                    f"{name}: the self-consistent field did not converge (the last of {scf['iterations']} iterations "
                    f"moved the Fermi level by {scf['last_change_ev']:.2f} eV); use its spectrum with care."
                )
            if record["rung_number"] > 1:
                said.append(f"{name}: the usual settings of the self-consistent field failed, so rung "
                            f"{record['rung_number']} was used ({record['rung']}).")  # fmt: skip
    failed = sum(outcome.result is None for outcome in outcomes)
    if failed:
        average = ", so there is no average" if request.whole and spectra.average is None else ""
        said.append(f"{failed} of {len(outcomes)} sites {'has' if failed == 1 else 'have'} no spectrum{average}.")
    return list(dict.fromkeys(said))
