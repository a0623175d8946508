"""The lock on a campaign's results/, for a Snakefile of one's own; Snakemake runs `onstart` of the main one alone."""

from __future__ import annotations

from functools import cache

from xanesflow.core.errors import XanesflowError
from xanesflow.running.locks import Held, hold_directory


@cache  # what is held stays so as long as this process lives
def hold_results() -> Held:
    """Hold results/ in the working directory, so that one run at a time works there; a killed one lets go by itself.

    Raises:
        WorkflowError: another run holds it; Snakemake shows the sentence alone.
    """
    from snakemake.exceptions import WorkflowError

    try:
        return hold_directory("results")
    except XanesflowError as error:
        raise WorkflowError(str(error)) from None
