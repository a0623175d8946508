"""The one exception that a user can mend."""

from __future__ import annotations


class XanesflowError(Exception):
    """A mistake or missing thing that the user can mend.

    The message is one clear sentence: what is wrong, where, and what to do about it. The scripts print it
    without a traceback; anything else that is raised is a fault of ours and keeps its traceback.
    """
