"""What a run of XSpectra has done so far, so that a killed one goes on at its step: the field, and each recursion.

Everything lies in a folder named by the hash of the input of `pw.x` and of the pseudopotentials, and each set of
recursions is named by that of the input of `xspectra.x` and of its k-points. So a step counts only for the same input,
and runs that differ in the k-points of the spectrum share one field. A finished run removes its folder, unless it is
one of a convergence study.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from xanesflow.codes.run_in_folder import read_json
from xanesflow.codes.xspectra.lanczos import Chain, as_plain, from_plain
from xanesflow.codes.xspectra.scf import ConvergedField
from xanesflow.codes.xspectra.write_run import PREFIX, SCRATCH
from xanesflow.core.files import sha256_text, write_text

_FIGURES = "field.json"
_NAME = 24  # characters of a hash that name a folder

Corrections = list[dict[str, Any]]


class SavedSteps:
    """The steps of one run.

    Args:
        folder: of all runs; None: nothing is saved.
        input_texts: what the field depends on.
    """

    def __init__(self, folder: Path | None, input_texts: Iterable[str]) -> None:
        self._folder = folder / _hash(input_texts) if folder else None

    def take_field(self, work: Path, name: str) -> tuple[ConvergedField, Corrections] | None:
        """Copy a finished field into the folder of a run, and return it; None: there is none.

        Args:
            work: folder of the run.
            name: of the field's files, `gs` or `es`.
        """
        if self._folder is None or (said := read_json(self._folder / "field" / _FIGURES)) is None:
            return None
        shutil.rmtree(work / SCRATCH, ignore_errors=True)
        shutil.copytree(self._folder / "field" / "save", work / SCRATCH / f"{PREFIX}.save")
        for ending in ("in", "out"):
            shutil.copy(self._folder / "field" / f"{name}.{ending}", work)
        return ConvergedField(**said["field"]), said["corrections"]

    def save_field(self, work: Path, name: str, field: ConvergedField, corrections: Corrections) -> None:
        """Save the field that `pw.x` left in the folder of a run."""
        if self._folder is None:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        new = self._folder / f"field.{os.getpid()}"
        shutil.rmtree(new, ignore_errors=True)
        shutil.copytree(work / SCRATCH / f"{PREFIX}.save", new / "save")
        for ending in ("in", "out"):
            shutil.copy(work / f"{name}.{ending}", new)
        write_text(new / _FIGURES, json.dumps({"field": asdict(field), "corrections": corrections}))
        try:
            new.rename(self._folder / "field")
        except OSError:  # another run of the same input was first
            shutil.rmtree(new, ignore_errors=True)

    def take_recursions(self, input_texts: Iterable[str], output: Path) -> tuple[list[Chain], float] | None:
        """Return finished recursions and the energy of the core level in eV; None: there are none.

        Args:
            input_texts: what they depend on besides the field.
            output: gets what `xspectra.x` printed.
        """
        said = read_json(self._folder / f"{_hash(input_texts)}.json") if self._folder else None
        if said is None:
            return None
        output.write_text(said["printed"], encoding="utf-8")
        return from_plain(said["chains"]), float(said["core_ev"])

    def save_recursions(
        self, input_texts: Iterable[str], *, chains: Sequence[Chain], core_ev: float, printed: str
    ) -> None:
        """Save finished recursions."""
        if self._folder is not None:
            said = {"core_ev": core_ev, "chains": as_plain(chains), "printed": printed}
            write_text(self._folder / f"{_hash(input_texts)}.json", json.dumps(said))

    def forget(self) -> None:
        """Remove the folder of a run that is finished."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            with suppress(OSError):  # steps of other runs are there
                self._folder.parent.rmdir()


def _hash(texts: Iterable[str]) -> str:
    return sha256_text("\n".join(texts))[:_NAME]
