"""A structure file that cannot be used, as it is told to a user."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BadStructure:
    """A structure file that cannot be used.

    Attributes:
        material_id: the name that it would have.
        detail: why, in one sentence.
        reason: one of `xanesflow.core.reasons.REASONS`.
    """

    material_id: str
    detail: str
    reason: str = "no_structure"


class UnusableStructure(Exception):  # noqa: N818 - it is caught where it is told, and is no fault of ours
    """A structure cannot be used; the message is a sentence that lacks its subject, the file."""

    def __init__(self, message: str, reason: str = "no_structure") -> None:
        super().__init__(message)
        self.reason = reason
