"""What a simulation code offers to the workflow: protocols, and the errors that its code raises.

- `Engine` (with `WithSharedStep` and `WithOwnFiles`) writes the inputs of a site, is run, and is checked. Chunks, time
  limits, kept runs and records are the same for all engines (see `simulations.run_chunk`).
- `Reader` reads a finished run and checks it.
- `InputWriter` (with `ManifestEntries`) writes inputs for runs elsewhere.

`codes.registry` names the class of each for each level of theory, and makes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from xanesflow.codes.finished_run import FinishedRun
    from xanesflow.core.energy_grid import Array
    from xanesflow.core.errors import NoInputError


class Engine(Protocol):
    """What a code must offer so that its runs are chunks of a campaign.

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
        """All that a result depends on besides structure and site: options, code and its version, as plain values.

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
            XanesflowError: no spectrum can be computed, for another reason; the sentence says why.
        """
        ...

    def command(self, folder: Path) -> list[str]:
        """Program and arguments, to be run inside the folder; whether the run is good, `validate` decides."""
        ...

    def validate(self, folder: Path) -> None:
        """Check that the finished run is good.

        Raises:
            FailedRunError: it is not.
        """
        ...

    def record(self, folder: Path) -> dict[str, Any]:
        """What run.json records besides, such as attempts and convergence; of a failed run too."""
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
    """What an engine has besides if not whole files are kept, nor the last part of a log."""

    def kept_content(self, path: Path) -> bytes:
        """What is kept of a file of the run."""
        ...


class ComputedSpectrum(Protocol):
    """What every reader gives.

    Attributes:
        energy_ev: (n,) absolute photon energies.
        cross_section: (n,) absorption cross section in bohr².
    """

    @property
    def energy_ev(self) -> Array: ...  # noqa: D102
    @property
    def cross_section(self) -> Array: ...  # noqa: D102


class Reader(Protocol):
    """Reads and checks the runs of a level of theory, those of a material in turn."""

    def __call__(
        self, run: FinishedRun, shared: FinishedRun | None, *, element: str, structure: Structure | None
    ) -> ComputedSpectrum:
        """Read and check a run's spectrum.

        Args:
            run: as it lies in its chunk.
            shared: the step that the sites of its material share, where the theory has one.
            element: symbol of the absorber.
            structure: the material; None: the absorber's surroundings are not compared.

        Raises:
            BadRunError: it cannot be used; holds the reason.
        """
        ...


class InputWriter(Protocol):
    """Writes the inputs of one simulation code, as a rule by Lightshow's parameter objects."""

    def write(self, folder: Path, structure: Structure, sites: list[int]) -> dict[int, NoInputError]:
        """Write the inputs of sites of one material.

        Args:
            folder: of the material, `<element>/<material id>` of Lightshow's tree; the code's own folder is made in it.
            structure: the material, of plain elements.
            sites: 0-based indices of the absorbers, all of one element.

        Returns:
            The sites that no input can be written for.

        Raises:
            NoInputError: no input can be written for any of them.
        """
        ...


class ManifestEntries(Protocol):
    """What a code adds to the manifest of a chunk of inputs, such as the hashes of the POTCARs that they need."""

    def see(self, files: Mapping[str, bytes]) -> None:
        """Look at files that were written, by their path in the zip."""
        ...

    def entries(self) -> dict[str, Any]:
        """Entries for the manifest, by key."""
        ...
