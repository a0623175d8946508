"""From structure files to a file of predictions; the command and the workflow's rule call it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from xanesflow.core.errors import NothingPredictedError
from xanesflow.core.parallel import cores
from xanesflow.core.reasons import Rejected
from xanesflow.core.sites import SYMPREC_A
from xanesflow.core.tables import describe_counts, list_reasons, write_rejected
from xanesflow.prediction.feature_cache import FeatureCache
from xanesflow.prediction.plot import check_plot
from xanesflow.prediction.prediction import Prediction
from xanesflow.prediction.predictor import Predictor, Progress
from xanesflow.prediction.trained_models import choose_subsets
from xanesflow.prediction.write import check_output, rejected_beside, write_athena_folder, write_prediction
from xanesflow.structures.disorder.represent import REFUSE, Disorder

log = logging.getLogger(__name__)

WORTH_A_PROCESS = 1000
"""Structures for which another process pays: it takes 3 s to start, and a structure takes 12 ms."""


def predict_structures(
    structures: Sequence[Path],
    models: Sequence[str | Path],
    output: Path | None,
    *,
    athena: bool = False,
    plot: Path | None = None,
    subsets: Iterable[str] = (),
    calibrations: Sequence[str | Path] = (),
    weights: str | Path | None = None,
    device: str = "cpu",
    workers: int | None = None,
    symprec: float = SYMPREC_A,
    progress: Progress | None = None,
    config_json: str | None = None,
    site: int | None = None,
    disorder: Disorder = REFUSE,
    check: Callable[[Sequence[str]], None] | None = None,
    align: Callable[[Prediction], Prediction] | None = None,
) -> Prediction:
    """Predict spectra, and write them and the list of what was left out, each whole or not at all.

    For a folder or several files, the features are stored in a hidden folder beside the output until that is written,
    so that a killed call continues where it was.

    Args:
        structures: files and folders; see `input_structures.read_structures`.
        models: see `trained_models.load_models`.
        output: .csv or .h5; `<output>_rejected.csv` beside it lists what was left out. None: nothing is written.
        athena: whether `output` is a new folder for files that Athena reads.
        plot: .svg, .png, .pdf or .html; None: no plot.
        subsets: only these, as `Cu_FEFF`; empty: all that the models cover.
        calibrations: files of error bars that do not lie beside their model.
        weights: M3GNet's folder; None: matgl's cache, else a download.
        device: "cpu" or "cuda", for the features.
        workers: processes; None: up to one for each core, if there are enough structures to be worth it.
        symprec: spglib's distance tolerance in Å.
        progress: called as work goes on; see `predictor.Progress`.
        config_json: the configuration, to be stored with the result.
        site: only this atom of each structure, counted from 0; None: all inequivalent ones.
        disorder: what becomes of disordered crystals.
        check: refuses subsets before the work, by an XanesflowError; None: none is refused.
        align: moves the energies of what was predicted; None: they are those of the models' levels of theory.

    Raises:
        XanesflowError: nothing can be predicted; the message says why.
    """
    # Wrong names of output files are found before the work.
    if output is not None:
        check_output(output, athena=athena)
    if plot is not None:
        check_plot(plot)

    # Only a prediction of many structures takes long enough to store features; one is computed again in a second.
    many = len(structures) > 1 or any(path.is_dir() for path in structures)
    cache = FeatureCache.beside(output) if output is not None and many else None
    predictor = Predictor(
        models, calibrations=calibrations, weights=weights, device=device, workers=workers or _processes(structures)
    )
    wanted = list(subsets)
    if check is not None:
        check(choose_subsets(predictor.models, wanted))
    try:
        found = predictor.predict(
            structures,
            subsets=wanted,
            symprec=symprec,
            cache=cache,
            progress=progress,
            site=site,
            disorder=disorder,
        )
    except NothingPredictedError as error:
        _write_rejected(output, error.rejected, many=many)
        raise

    # The cache goes last, once every file is written.
    if align is not None:
        found = align(found)
    if config_json is not None:
        found = replace(found, made={**found.made, "config": config_json})
    if output is not None:
        (write_athena_folder if athena else write_prediction)(output, found)
    _write_rejected(output, found.rejected, many=many)
    if plot is not None:
        found.plot(plot)
    if cache is not None:
        cache.clear()
    log.info("%s", describe_counts(len(found), found.rejected))
    return found


def _write_rejected(output: Path | None, rejected: Sequence[Rejected], *, many: bool) -> None:
    """Write the table of what was left out; a single good structure needs none, and an old one is removed."""
    if output is None:
        return
    if many or rejected:
        write_rejected(rejected_beside(output), rejected)
    else:
        rejected_beside(output).unlink(missing_ok=True)


def _processes(structures: Sequence[Path]) -> int:
    """The number of processes that are worth starting."""
    number = sum(sum(1 for _ in path.iterdir()) if path.is_dir() else 1 for path in structures)
    return max(1, min(cores(), number // WORTH_A_PROCESS))


def describe_rejected(rejected: Sequence[Rejected]) -> str:
    """`3 left out: 2 disordered, 1 no_absorber`."""
    return f"{len(rejected)} left out: {list_reasons(rejected)}"
