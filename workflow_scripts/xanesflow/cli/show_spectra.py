"""`xanesflow xanes`: shows progress, the closing table, and remarks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from xanesflow.cli.terminal import print_message, progress_bar, say
from xanesflow.codes.quick_look import QuickLook
from xanesflow.core.text import plural
from xanesflow.spectra.compute_sites import SiteResult
from xanesflow.spectra.write_xanes import Spectra, expected_time
from xanesflow.structures.choose_site import Absorber, Request


def announce(request: Request, look: QuickLook, workers: int) -> None:
    """Print what will be computed, how long it should take, and notes on it."""
    what = request.sites[0].name
    if request.whole:
        atoms, sites = request.material.elements.count(request.element), len(request.sites)
        cells = f"each of {plural(len(request.materials), 'cell')}" if len(request.materials) > 1 else "the cell"
        what = f"{plural(sites, 'inequivalent site')}, {atoms} in {cells}"
    print_message(f"{request.material.formula}, {request.element} K edge: {what}", style="bold")
    if expected := expected_time(request, look, workers):
        print_message(expected)
    for note in (*request.notes, *look.notes(request.element)):
        print_message(f"Note: {note}", style="yellow")


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
    with progress_bar(*columns, console=console) as progress:
        yield Display(sites, console, progress)


def summary(outcomes: Sequence[SiteResult], look: QuickLook, spectra: Spectra) -> Table:
    """A row for each site with a spectrum, and one for their average."""
    good = [(outcome, outcome.result) for outcome in outcomes if outcome.result is not None]
    further = [look.columns(result.record) for _, result in good]
    table = Table()
    table.add_column("site", no_wrap=True)
    for name in ("multiplicity", "edge (eV)", "maximum (eV)", *further[0], "seconds"):
        table.add_column(name, justify="right")
    for (outcome, result), values in zip(good, further, strict=True):
        edge = look.edge_ev(result)
        table.add_row(
            outcome.site.name.partition(" (")[0],
            str(outcome.site.multiplicity),
            "" if edge is None else f"{edge:.2f}",
            f"{result.energy_ev[result.cross_section.argmax()]:.2f}",
            *values.values(),
            f"{outcome.seconds:.1f}",
        )
    if spectra.average is not None and len(spectra.sites) > 1:
        atoms = sum(site.multiplicity for site, _ in spectra.sites)
        table.add_section()
        table.add_row("average", str(atoms), "", f"{spectra.energy_ev[spectra.average.argmax()]:.2f}")
    return table
