"""Lock results/ when a run starts. A Snakefile that uses the workflow as a module calls it too (without `onstart`)."""

from __future__ import annotations

from xanesflow.core.errors import XanesflowError
from xanesflow.running.locks import hold_directory


def hold_results() -> None:
    """Hold results/ in the working directory until this process ends, so that only one run at a time works there.

    Raises:
        WorkflowError: another run holds it. Snakemake shows this error without a traceback.
    """
    from snakemake.exceptions import WorkflowError

    try:
        hold_directory("results")
    except XanesflowError as error:
        raise WorkflowError(str(error)) from None
