"""The seam between the workflow and what computes a spectrum: an engine writes inputs, is run, and is checked.

Everything else, such as chunks, time limits, kept runs and records, is the same for all engines (see `run_chunk`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from pymatgen.core import Structure

from xanesflow.core.errors import XanesflowError


class FailedRunError(Exception):
    """A site whose run cannot be used; its chunk goes on.

    Attributes:
        reason: one of `xanesflow.core.reasons.REASONS`.
        detail: one sentence on this site.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


class BadRunError(FailedRunError):
    """A finished run whose files tell that it cannot be used.

    Attributes:
        fault: more on it, as the code itself tells; None if it does not.
    """

    def __init__(self, reason: str, detail: str, fault: object = None) -> None:
        super().__init__(reason, detail)
        self.fault = fault


class Engine(Protocol):
    """What a code must tell and do so that its runs are chunks of a campaign.

    Attributes:
        theory: level of theory, as in the name of a subset.
        log_name: file in the run's folder for what the command prints.
        time_limit: seconds that the command of one site may take.
        keep: names of the files of a run that are kept, the log among them.
    """

    @property
    def theory(self) -> str: ...  # noqa: D102
    @property
    def log_name(self) -> str: ...  # noqa: D102
    @property
    def time_limit(self) -> float: ...  # noqa: D102
    @property
    def keep(self) -> tuple[str, ...]: ...  # noqa: D102

    def settings(self) -> dict[str, Any]:
        """All that a result depends on beside structure and site: options, code and its version, as plain values.

        Raises:
            XanesflowError: the code is not there or cannot be run on this machine.
        """
        ...

    def write_inputs(self, folder: Path, structure: Structure, site_index: int) -> None:
        """Write what the command reads.

        Args:
            folder: an empty folder.
            structure: the material.
            site_index: 0-based index of the absorber.

        Raises:
            FailedRunError: no spectrum of this site can be computed, for one of the documented reasons.
            XanesflowError: nor can it, as the sentence says.
        """
        ...

    def command(self, folder: Path) -> list[str]:
        """Program and arguments, to be run inside the folder; exit code 0 means nothing before `validate` did."""
        ...

    def validate(self, folder: Path) -> None:
        """Check that the finished run is good.

        Raises:
            FailedRunError: it is not.
        """
        ...

    def record(self, folder: Path) -> dict[str, Any]:
        """What run.json should tell of a run besides, such as attempts and convergence; also of a failed one."""
        ...


@runtime_checkable
class WithSharedStep(Protocol):
    """What an engine has besides if the sites of a material share a step, such as VASP's ground state.

    Attributes:
        shared: computes that step as any engine computes a site; its site index is `sites.WHOLE_MATERIAL`.
        at_a_time: runs that a chunk may compute at a time, as each may take many cores by itself.
    """

    @property
    def shared(self) -> Engine: ...  # noqa: D102
    @property
    def at_a_time(self) -> int: ...  # noqa: D102

    def take_shared(self, folder: Path, record: Mapping[str, Any]) -> None:
        """Lay what a site's run needs of the finished shared step into its folder.

        Args:
            folder: of the site's run, before its inputs are written.
            record: run.json of the shared step.
        """
        ...


@runtime_checkable
class WithOwnFiles(Protocol):
    """What an engine has besides if its files are kept otherwise than whole, or than the last part of a log."""

    def kept_content(self, path: Path) -> bytes:
        """What is kept of a file of the run."""
        ...


def engine_of(theory: str, options: Mapping[str, Any]) -> Engine:
    """The engine of a level of theory.

    Args:
        theory: as in the name of a subset.
        options: of this engine, as `Campaign.engine_options` gives them.

    Raises:
        XanesflowError: there is none.
    """
    if theory == "FEFF8L":
        from xanesflow.codes.feff8l.engine import Feff8lEngine
        from xanesflow.codes.feff8l.options import EngineSettings

        return Feff8lEngine(EngineSettings(**options))
    if theory == "FEFF":
        from xanesflow.codes.feff.engine import FeffEngine, FeffOptions

        return FeffEngine(FeffOptions(**options))
    if theory == "VASP":
        from xanesflow.codes.vasp.engine import VaspEngine, VaspOptions

        return VaspEngine(VaspOptions(**options))
    raise XanesflowError(
        f"This version cannot run {theory}: write the inputs with `snakemake inputs` and run them yourself; finished "
        "runs of it cannot be imported yet."
    )
