"""`xanesflow xanes`: computes spectra, writes table and plot, and says where they are."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from xanesflow.cli.align import describe_shift, moved
from xanesflow.cli.show_spectra import announce, live_display, summary
from xanesflow.cli.terminal import messages, print_message, print_written, results
from xanesflow.codes.quick_look import QuickLook
from xanesflow.core.errors import WrongCallError, XanesflowError
from xanesflow.core.parallel import cores
from xanesflow.matching.write_normalised import write_normalised
from xanesflow.measured.broaden import Broadening
from xanesflow.spectra.compute_sites import SiteResult, compute_sites
from xanesflow.spectra.write_xanes import common_grid, describe_origin, draw_plot, remarks, write_spectra
from xanesflow.structures.choose_site import Request

if TYPE_CHECKING:
    from xanesflow.matching.choice_model import Expected
    from xanesflow.prediction.prediction import Prediction


def quick_look(
    request: Request,
    look: QuickLook,
    folder: Path,
    *,
    athena: bool = False,
    workers: int | None,
    keep: Path | None = None,
    normalised: bool = False,
    broadening: Broadening | None = None,
    shift: Expected | None = None,
    correct: Callable[[Sequence[SiteResult]], Prediction] | None = None,
) -> list[Path]:
    """Compute the requested spectra and write them.

    Args:
        request: structure, element and atoms.
        look: level of theory and its settings.
        folder: for table and plot; made if missing.
        athena: whether to write a file for each site, which Athena reads, instead of the table.
        workers: sites computed at a time; None: one for each core.
        keep: folder for the folders of the runs; None: they are removed.
        normalised: whether to write the background and the spectrum normalised by it, too.
        broadening: of the normalised spectrum, which is then written; None: it is not broadened.
        shift: by which all spectra are moved to the energies of experiment; None: they stay as computed.
        correct: makes spectra of a higher level of theory from the runs, which are then written, too; None: nothing is
            corrected.

    Returns:
        The files written.

    Raises:
        XanesflowError: the engine's programs are missing, the folder cannot be written to, or no site has a spectrum.
    """
    # Find out before the work if programs are missing or a folder is read-only.
    look.engine.settings()
    _check_writable(folder, "--output")
    if keep is not None:
        _check_writable(keep, "--keep")
        _check_not_there(keep, request)
    at_a_time = min(workers or cores(), len(request.sites))
    announce(request, look, at_a_time)
    with live_display(len(request.sites), messages()) as display:
        outcomes = compute_sites(
            request.structures,
            request.sites,
            look,
            workers=at_a_time,
            keep=keep,
            show_message=display.show_message,
            done=display.done,
        )

    # Failed sites are left out of the table; without any spectrum the call fails.
    failed = [outcome for outcome in outcomes if outcome.result is None]
    if len(failed) == len(outcomes):
        if len(failed) == 1:
            raise XanesflowError(f"There is no spectrum of {failed[0].site.name}: {failed[0].error}.")
        raise XanesflowError(f"None of the {len(failed)} sites has a spectrum, for the reasons above.")
    as_computed = outcomes
    if shift is not None:
        outcomes = moved(outcomes, shift.mean_ev)
    spectra = common_grid(outcomes, average=request.whole)
    table, *plots = [folder / f"{request.name}_{request.element}_xanes{end}" for end in (".csv", ".png", ".svg")]
    aligned = "" if shift is None else describe_shift(shift)
    there = set(folder.iterdir())
    tables = write_spectra(table, request, look, outcomes, spectra, athena=athena, aligned=aligned)
    draw_plot(plots, request, spectra, moved=shift is not None)
    results().print(summary(outcomes, look, spectra))
    for sentence in remarks(request, look, outcomes, spectra):
        print_message(sentence, style="yellow")
    print_message(f"Theory: {look.basis}{aligned and f'; {aligned}'}.")
    written = [*tables, *plots]
    if normalised or broadening is not None:
        beside = table.with_name(f"{table.stem}_normalised{'.dat' if athena else '.csv'}")
        about = [*describe_origin(request, look), *([aligned] if aligned else [])]
        if write_normalised(beside, outcomes, broadening, about=about):
            written.append(beside)
        else:
            print_message("Nothing is normalised: a site has no spectrum, or no background.", style="yellow")
    if correct is not None:
        corrected = table.with_name(f"{table.stem}_corrected.csv")
        written += _write_corrected(corrected, correct(as_computed), aligned=bool(aligned))
    print_written(written, there)
    return written


def _write_corrected(path: Path, prediction: Prediction, *, aligned: bool) -> list[Path]:
    """Write and draw spectra of a higher level of theory, print what to know of them, and return the files."""
    if aligned:
        from xanesflow.matching.experiment_energies import align_prediction  # few calls need it

        prediction = align_prediction(prediction)
    prediction.write(path)
    prediction.plot(path.with_suffix(".png"))
    for remark in prediction.remarks:
        print_message(remark, style="yellow")
    return [path, path.with_suffix(".png")]


def _check_writable(folder: Path, option: str) -> None:
    """Raise an error before the work if the results cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except (FileExistsError, NotADirectoryError):
        raise WrongCallError(f"{folder} is not a folder; name one with {option}.") from None
    except OSError as error:
        raise XanesflowError(
            f"The folder {folder} cannot be written to ({error.strerror or error}); name another one with {option}."
        ) from None


def _check_not_there(keep: Path, request: Request) -> None:
    """Raise an error before the work if the folder of a run is there from before."""
    for site in request.sites:
        if (keep / site.folder).exists():
            raise WrongCallError(
                f"{keep / site.folder} is there already; name another folder with --keep, or remove it."
            )
