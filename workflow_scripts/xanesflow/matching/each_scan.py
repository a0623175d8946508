"""Do the same for each scan of a series, so that one scan that cannot be used does not cost the others' answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from xanesflow.core.errors import XanesflowError
from xanesflow.measured import MeasuredSpectrum

Answer = TypeVar("Answer")


def is_series(file: Path, spectra: Sequence[MeasuredSpectrum]) -> bool:
    """Whether a call asks for a series, however many scans have an answer: a folder, or a file of several scans."""
    return file.is_dir() or len(spectra) > 1


def each_scan(
    spectra: Iterable[MeasuredSpectrum],
    work: Callable[[MeasuredSpectrum], Answer],
    leave_out: Callable[[MeasuredSpectrum, str], object],
) -> list[Answer]:
    """The answers for the scans, without those of scans that cannot be used.

    Args:
        spectra: the scans.
        work: finds the answer for one.
        leave_out: gets each scan that is left out, and a sentence that names it and says why.

    Raises:
        XanesflowError: no scan can be used.
    """
    found: list[Answer] = []
    failed: list[tuple[MeasuredSpectrum, XanesflowError]] = []
    for spectrum in spectra:
        try:
            found.append(work(spectrum))
        except XanesflowError as error:
            failed.append((spectrum, error))
    if not found and len({str(why) for _, why in failed}) == 1:
        raise failed[0][1]  # one scan alone, or a reason that is not the scans'
    for spectrum, why in failed:
        leave_out(spectrum, f"{spectrum.source}: {why}")
    if not found:
        raise XanesflowError("None of the scans can be used, for the reasons above.")
    return found
