"""`xanesflow predict`: shows progress and results of predictions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from xanesflow.cli.terminal import print_message, print_result, print_written, progress_bar, results
from xanesflow.core.reasons import Rejected
from xanesflow.core.sites import WHOLE_MATERIAL, parent_of
from xanesflow.core.text import plural
from xanesflow.prediction.data import SubsetPrediction
from xanesflow.prediction.predict_files import describe_rejected, predict_structures
from xanesflow.prediction.prediction import Prediction
from xanesflow.prediction.predictor import Progress
from xanesflow.prediction.write import rejected_beside
from xanesflow.structures.list_files import list_structures
from xanesflow.structures.one_file import name_of

_SHOWN = 20  # sites in the table, and structures that were left out


def show_prediction(
    structures: Sequence[Path],
    models: Sequence[Path],
    output: Path | None,
    plot: Path | None,
    *,
    normalise: Callable[[Prediction], list[Path]] | None = None,
    **options: Any,
) -> bool:
    """Predict, write and show spectra.

    Args:
        structures: files and folders.
        models: see `prediction.trained_models.load_models`.
        output: file or folder to write; None: only the table is shown.
        plot: figure to write; None: no figure.
        normalise: writes the spectra in units of their edge step and returns the files; None: they are not written.
        options: of `prediction.predict_files.predict_structures`.

    Returns:
        Whether every named file could be used; files in folders do not count.

    Raises:
        XanesflowError: nothing can be predicted.
    """
    named = [path for path in (output, plot) if path is not None]
    there = {path for each in named if each.parent.is_dir() for path in each.parent.iterdir()}
    with _progress() as progress:
        found = predict_structures(structures, models, output, plot=plot, progress=progress, **options)
    results().print(_table(found))
    if len(found) > _SHOWN:
        what = "the file has all of them" if output is not None else "write all of them with --output"
        print_result(f"The first {_SHOWN} of {plural(len(found), 'site')}; {what}.")
    for remark in found.remarks:
        print_message(remark, style="yellow")
    _show_rejected(found, output)
    normalised = [] if normalise is None else normalise(found)
    print_written([*named, *normalised], there)
    return not found.rejected or _named_are_used(structures, found.rejected)


def _named_are_used(structures: Sequence[Path], rejected: Sequence[Rejected]) -> bool:
    """Whether all that was left out comes from folders; the id of a mineral is not the name that was given."""
    named = {name_of(path) for path in structures if path.is_file()}
    in_folders: set[str] = set()
    for folder in (list_structures(path) for path in structures if path.is_dir()):
        in_folders |= {file.material_id for file in folder.files} | {bad.material_id for bad in folder.bad}
    in_folders -= named
    return all({each.material_id, parent_of(each.material_id)} & in_folders for each in rejected)


def _show_rejected(found: Prediction, output: Path | None) -> None:
    if not found.rejected:
        return
    where = f"; all are in {rejected_beside(output)}" if output is not None and len(found.rejected) > _SHOWN else ""
    print_message(f"{describe_rejected(found.rejected)}{where}:", style="yellow")
    for each in found.rejected[:_SHOWN]:
        site = "" if each.site_index == WHOLE_MATERIAL else f", site {each.site_index}"
        print_message(f"  {each.material_id}{site}: {each.detail}")


def _table(found: Prediction) -> Table:
    """A row for each of the first sites."""
    table = Table(
        caption="energy of the maximum in eV, cross sections in 10⁻³ bohr²; unlike: far from all training sites"
    )
    for name in ("structure", "formula", "site", "atoms", "model", "maximum", "height", "error", "distance", "unlike"):
        text = name in {"structure", "formula", "site", "model", "unlike"}
        table.add_column(name, justify="left" if text else "right", no_wrap=name == "structure")
    left = _SHOWN
    for each in found.subsets.values():
        for row in range(min(left, len(each))):
            table.add_row(*_cells(each, row))
        left -= min(left, len(each))
    return table


def _cells(each: SubsetPrediction, row: int) -> list[str]:
    spectrum = each.spectra[row]
    top = int(np.argmax(spectrum))
    return [
        each.material_id[row],
        each.formula[row],
        f"{each.subset.split('_')[0]} {each.site_index[row]}",
        str(each.multiplicity[row]),
        escape(f"{each.model} {each.subset}"),
        f"{each.energies_of(each.material_id[row])[top]:.2f}",
        f"{1e3 * spectrum[top]:.3f}",
        "-" if each.error is None else f"±{1e3 * each.error[row]:.3f}",
        "-" if each.distance is None else f"{each.distance[row]:.2f}",
        "-" if each.unlike is None else {True: "unlike", False: "", None: "-"}[each.unlike.tolist()[row]],
    ]


@contextmanager
def _progress() -> Iterator[Progress]:
    """A bar for each step, on a terminal only."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with progress_bar(*columns) as bars:
        tasks: dict[str, Any] = {}

        def update(what: str, done: int, of: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what)
            bars.update(tasks[what], completed=done, total=of)

        yield update
