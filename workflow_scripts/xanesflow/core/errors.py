"""Every exception of the library, in one tree.

`XanesflowError` and what stands below it end a command with one sentence for the user. The others end what is done
for one structure, one site or one run; whoever started that catches them, records a reason of `core.reasons`, and goes
on. None of those reaches a user as a traceback.
"""

from __future__ import annotations

from typing import Any

from xanesflow.core.reasons import Rejected


class LibraryError(Exception):
    """Any error that the library raises by itself."""


# What a user can put right


class XanesflowError(LibraryError):
    """A mistake or missing thing that the user can put right.

    The message is one clear sentence: what is wrong, where, and what to do about it. The scripts print it
    without a traceback; anything else that reaches a user is a fault of ours and keeps its traceback.
    """


class WrongCallError(XanesflowError):
    """What the command was given makes no sense; exit code 2, as for an option that is not known."""


class BadSiteError(XanesflowError):
    """A site that the embedded engine cannot compute.

    Attributes:
        reason: one of `xanesflow.core.reasons.REASONS`.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class NoSpectrumError(XanesflowError):
    """The embedded engine failed in every way that it tries; the message says what happened on the last one.

    Attributes:
        attempts: each try, as `codes.feff8l.xanes.Attempt`.
    """

    def __init__(self, message: str, attempts: list[Any]) -> None:
        super().__init__(message)
        self.attempts = attempts


class NotCalibratedError(XanesflowError):
    """There are no error bars, as there are too few spectra to calibrate them on."""


class NothingPredictedError(XanesflowError):
    """No structure could be used.

    Attributes:
        rejected: all of them, with their reasons.
    """

    def __init__(self, message: str, rejected: list[Rejected]) -> None:
        super().__init__(message)
        self.rejected = rejected


# What ends one structure or one site; the rest goes on


class UnusableStructure(LibraryError):  # noqa: N818 - a finding about a file, not a fault of ours
    """A structure cannot be used; the message is a sentence that lacks its subject, the file.

    Attributes:
        reason: one of `xanesflow.core.reasons.REASONS`.
    """

    def __init__(self, message: str, reason: str = "no_structure") -> None:
        super().__init__(message)
        self.reason = reason


class NoInputError(LibraryError):
    """No input of a site, or of all sites of a material, can be written; the chunk goes on.

    Attributes:
        reason: one of `xanesflow.core.reasons.REASONS`.
        detail: one sentence on it.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


class FailedRunError(LibraryError):
    """A site whose run cannot be used; its chunk goes on.

    Attributes:
        reason: one of `xanesflow.core.reasons.REASONS`.
        detail: one sentence on this site.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


class BadRunError(FailedRunError):
    """A finished run whose files show that it cannot be used.

    Attributes:
        fault: more on it, as the code itself says; None if it does not.
    """

    def __init__(self, reason: str, detail: str, fault: object = None) -> None:
        super().__init__(reason, detail)
        self.fault = fault


class GridNotCoveredError(LibraryError, ValueError):
    """The computed energies do not span the grid; the message says by how much."""


class NotFeaturizableError(LibraryError):
    """A structure that a featurizer cannot treat; the message is one clause that says why."""


# What ends one program or one request


class StoppedError(LibraryError):
    """The command was ended because it is not wanted any more."""


class ProgramError(LibraryError):
    """A program of the embedded engine crashed, hung, or left no output; the message says which and how."""


class TimeLimitError(ProgramError):
    """A program of the embedded engine ran past its time limit and was stopped."""


class NotStartedError(LibraryError):
    """The command ended without having started VASP, which says nothing about the site."""


class RefusedError(LibraryError):
    """A correction of a run that would change the physics, or that comes to nothing.

    Attributes:
        reason: one of `xanesflow.core.reasons.REASONS`.
    """

    def __init__(self, detail: str, reason: str = "engine_failed") -> None:
        super().__init__(detail)
        self.reason = reason


class TryAgainError(LibraryError):
    """A server's answer that may be better the next time.

    Attributes:
        wait_s: seconds that the server asks to wait; None if it says nothing.
    """

    def __init__(self, message: str, wait_s: float | None = None) -> None:
        super().__init__(message)
        self.wait_s = wait_s
