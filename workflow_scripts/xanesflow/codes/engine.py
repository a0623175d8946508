"""The protocols that a simulation code follows.

- `Engine` (with `WithSharedStep`, `WithSteps`, `WithMemory` and `WithOwnFiles`) writes the inputs of a site, runs it
  and checks it. Chunks, time limits, stored runs and records are the same for all engines (`simulations.run_chunk`).
- `Reader` reads a finished run and checks it.
- `InputWriter` (with `ManifestEntries`) writes inputs for runs elsewhere.

`codes.registry` names these classes for each level of theory, and makes their objects.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from xanesflow.codes.finished_run import FinishedRun
    from xanesflow.core.array_types import Floats
    from xanesflow.core.errors import NoInputError


class Engine(Protocol):
    """What a code must provide so that a campaign can run it.

    Attributes:
        theory: level of theory, as in the name of a subset.
        log_name: file in the run's folder for the output of the command.
        time_limit: seconds that the command of one site may take.
        keep: names of the files of a run to keep, including the log.
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
        """Return everything that a result depends on in addition to structure and site, as plain values.

        These are the options, the code and its version.

        Raises:
            XanesflowError: the code is missing or cannot be run on this machine.
        """
        ...

    def write_inputs(self, folder: Path, structure: Structure, site_index: int) -> None:
        """Write the files that the command reads.

        Args:
            folder: an empty folder.
            structure: the material.
            site_index: 0-based index of the absorber.

        Raises:
            FailedRunError: this site has no spectrum, for one of the documented reasons.
            XanesflowError: this site has no spectrum, for another reason; the sentence says which.
        """
        ...

    def command(self, folder: Path) -> list[str]:
        """Return program and arguments to run inside the folder; `validate` decides whether the run is good."""
        ...

    def validate(self, folder: Path) -> None:
        """Check that the finished run is good.

        Raises:
            FailedRunError: it is not.
        """
        ...

    def record(self, folder: Path) -> dict[str, Any]:
        """Return further entries for run.json, such as attempts and convergence; for failed runs too."""
        ...


@runtime_checkable
class WithSharedStep(Protocol):
    """What an engine needs in addition if the sites of a material share a step, such as VASP's ground state.

    Attributes:
        shared: engine of that step, which treats it like a site with the index `sites.WHOLE_MATERIAL`.
        at_a_time: how many runs a chunk may compute at once, as each may use many cores.
    """

    @property
    def shared(self) -> Engine: ...  # noqa: D102
    @property
    def at_a_time(self) -> int: ...  # noqa: D102

    def take_shared(self, folder: Path, record: Mapping[str, Any]) -> None:
        """Write the results of the finished shared step that a site's run needs into its folder.

        Args:
            folder: of the site's run, before its inputs are written.
            record: run.json of the shared step.
        """
        ...


@runtime_checkable
class WithSteps(Protocol):
    """What an engine needs in addition if a run that is killed goes on at its step."""

    def keep_steps_in(self, folder: Path, *, always: bool = False) -> None:
        """Keep finished steps of runs in a folder, which the engine may make; it counts once.

        Args:
            folder: of all sites of a subset.
            always: also after a run is finished, for runs with other options that share a step.
        """
        ...


@runtime_checkable
class WithMemory(Protocol):
    """What an engine needs in addition if sites need so much memory that it limits how many run at a time."""

    def memory_mb(self, structure: Structure, site_index: int) -> float:
        """Return the memory in MB that a site needs, or the step that the sites of a material share."""
        ...


@runtime_checkable
class WithOwnFiles(Protocol):
    """What an engine needs in addition if it decides itself which part of a file to keep."""

    def kept_content(self, path: Path) -> bytes:
        """Return the part of a run's file to keep."""
        ...


class ComputedSpectrum(Protocol):
    """What every reader returns. If the code has it, `background` too: (n,) the same without the neighbours.

    Where nothing in the run's files shows that it is of its site, `compared` is False.

    Attributes:
        energy_ev: (n,) absolute photon energies.
        cross_section: (n,) absorption cross section in bohr².
    """

    @property
    def energy_ev(self) -> Floats: ...  # noqa: D102
    @property
    def cross_section(self) -> Floats: ...  # noqa: D102


class Reader(Protocol):
    """Reads and checks the runs of a level of theory; all runs of a material come one after another."""

    def __call__(
        self, run: FinishedRun, shared: FinishedRun | None, *, element: str, structure: Structure | None
    ) -> ComputedSpectrum:
        """Read and check a run's spectrum.

        Args:
            run: as its chunk holds it.
            shared: the step that the sites of its material share, if the theory has one.
            element: symbol of the absorber.
            structure: the material; None: the absorber's surroundings are not compared.

        Raises:
            BadRunError: the run cannot be used; holds the reason.
        """
        ...


class InputWriter(Protocol):
    """Writes the inputs of one simulation code, usually with Lightshow's parameter objects."""

    def write(self, folder: Path, structure: Structure, sites: list[int]) -> dict[int, NoInputError]:
        """Write the inputs of sites of one material.

        Args:
            folder: of the material, `<element>/<material id>` of Lightshow's tree; the code's own folder goes into it.
            structure: the material, with plain elements.
            sites: 0-based indices of the absorbers, all of one element.

        Returns:
            The sites without input, each with its reason.

        Raises:
            NoInputError: no input can be written for any of the sites.
        """
        ...


class ManifestEntries(Protocol):
    """What a code adds to the manifest of a chunk of inputs, such as the hashes of the POTCARs that they need."""

    def see(self, files: Mapping[str, bytes]) -> None:
        """Look at the files of a material; keys are their paths in the zip."""
        ...

    def entries(self) -> dict[str, Any]:
        """Return the entries for the manifest, by key."""
        ...
