"""Every exception of the library, in one tree.

`XanesflowError` and its subclasses end a command with one sentence for the user. The others end the work on one
structure, one site or one run; the caller catches them, records a reason of `core.reasons`, and goes on. None of them
reaches a user as a traceback.
"""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any

from xanesflow.core.reasons import Rejected
from xanesflow.core.text import one_line, without_controls


class LibraryError(Exception):
    """Any error that the library itself raises."""


# Errors that a user can fix


class XanesflowError(LibraryError):
    """A mistake or a missing thing that the user can fix.

    The message is one clear sentence: what is wrong, where, and what to do about it. The scripts print it
    without a traceback. Any other error that reaches a user is our own bug and keeps its traceback.
    """

    def __str__(self) -> str:
        """Give the message; what it quotes of files cannot steer a terminal."""
        return without_controls(super().__str__())


class WrongCallError(XanesflowError):
    """The arguments of a command make no sense; exit code 2, as for an unknown option."""


class BadSiteError(XanesflowError):
    """A site that the embedded engine cannot compute.

    Attributes:
        reason: one of `xanesflow.core.reasons.REASONS`.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class NoSpectrumError(XanesflowError):
    """All attempts of the embedded engine failed; the message says what happened in the last one.

    Attributes:
        attempts: each one, as `codes.feff8l.xanes.Attempt`.
    """

    def __init__(self, message: str, attempts: list[Any]) -> None:
        super().__init__(message)
        self.attempts = attempts


class NotCalibratedError(XanesflowError):
    """There are no error bars, because there are too few spectra to calibrate them on."""


class NothingPredictedError(XanesflowError):
    """No structure could be used.

    Attributes:
        rejected: all structures, with their reasons.
    """

    def __init__(self, message: str, rejected: list[Rejected]) -> None:
        super().__init__(message)
        self.rejected = rejected


# Errors that end one structure or one site; the rest goes on


class UnusableStructure(LibraryError):  # noqa: N818 - a finding about a file, not our own bug
    """A structure cannot be used; the message is a sentence without its subject, the file.

    Attributes:
        reason: one of `xanesflow.core.reasons.REASONS`.
    """

    def __init__(self, message: str, reason: str = "no_structure") -> None:
        super().__init__(message)
        self.reason = reason


class NoInputError(LibraryError):
    """No input can be written for a site, or for all sites of a material; the chunk goes on.

    Attributes:
        reason: one of `xanesflow.core.reasons.REASONS`.
        detail: one sentence that explains the reason.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


class FailedRunError(LibraryError):
    """A site whose run cannot be used; its chunk goes on.

    Attributes:
        reason: one of `xanesflow.core.reasons.REASONS`.
        detail: one sentence about this site.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


class BadRunError(FailedRunError):
    """A finished run whose files show that it cannot be used.

    Attributes:
        fault: what the code itself says about it; None if it says nothing.
    """

    def __init__(self, reason: str, detail: str, fault: object = None) -> None:
        super().__init__(reason, detail)
        self.fault = fault


class BadArrayError(LibraryError):
    """An array cannot be used; the message is a sentence without its subject, the array.

    Attributes:
        check: the check of `dataset.check.findings` that fails: `layout`, `types` or `shapes`.
    """

    def __init__(self, check: str, sentence: str) -> None:
        super().__init__(sentence)
        self.check = check


class BadTextError(LibraryError, ValueError):
    """JSON or YAML that cannot be used; the message is a sentence without its subject, the text."""


class SenselessFileError(LibraryError, OSError):
    """A file whose parts lie about their size or refer to each other without end; the message is a clause."""


class GridNotCoveredError(LibraryError, ValueError):
    """The computed energies do not span the grid; the message says by how much."""


class NotFeaturizableError(LibraryError):
    """A structure that a featurizer cannot describe; the message is one clause that says why."""


# Errors that end one program or one request


class StoppedError(LibraryError):
    """The command was ended because it is no longer needed."""


class ProgramError(LibraryError):
    """A program of the embedded engine crashed, hung, or left no output; the message says which and how."""


class TimeLimitError(ProgramError):
    """A program of the embedded engine ran past its time limit and was stopped."""


class NotStartedError(LibraryError):
    """The command ended before it started VASP, so the site itself may be fine."""


class RefusedError(LibraryError):
    """A correction of a run that would change the physics, or that would change nothing.

    Attributes:
        reason: one of `xanesflow.core.reasons.REASONS`.
    """

    def __init__(self, detail: str, reason: str = "engine_failed") -> None:
        super().__init__(detail)
        self.reason = reason


class TryAgainError(LibraryError):
    """A failed request to a server that may succeed the next time.

    Attributes:
        wait_s: seconds that the server asks to wait; None if it does not say.
    """

    def __init__(self, message: str, wait_s: float | None = None) -> None:
        super().__init__(message)
        self.wait_s = wait_s


def sentence_about(error: Exception, *, full_path: bool = False) -> str:
    """The sentence that commands and page say about an error; a fault of xanesflow also prints its traceback.

    Args:
        error: what was raised.
        full_path: whether a file is named with its folders, as on a terminal.
    """
    if isinstance(error, XanesflowError):
        return str(error)
    if isinstance(error, OSError):
        name = str(error.filename or "")
        where = f" ({name if full_path else Path(name).name})" if name else ""
        return f"The system said: {error.strerror or error}{where}; fix that and try again."
    if isinstance(error, MemoryError):
        return "This needs more memory than there is; free some, or give less at a time."
    traceback.print_exception(error)
    return (
        f"This is a fault of xanesflow, not of yours; please report it: {type(error).__name__} {one_line(error, 200)}."
    )
