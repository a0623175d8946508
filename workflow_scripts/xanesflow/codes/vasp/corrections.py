"""Decide which of custodian's corrections are allowed: those that change how VASP finds the result, not the result.

Allowed, and recorded in run.json: the algorithm and number of electronic steps (ALGO, NELM, ...), the mixing of
densities, the start, tighter EDIFF, the treatment of symmetry (ISYM, SYMPREC: the k-mesh stays), how the work is
divided among processes, and NBANDS, only upward and at most `inputs.vasp.max_bands`.

Removed from a correction: the k-mesh (KPOINTS), the structure (POSCAR), and all other tags. If nothing is left of the
correction, or if it repeats inputs that failed before, it is refused and the run fails with the reason. Among the
removed tags are ENCUT, PREC, FFT grids, ISPIN, smearing, and LREAL. Each of them would shift the total energy of one
step against that of the other, and so the spectrum, or treat one material unlike the others. IBRION and POTIM have no
effect, as no atom moves (NSW = 0).

Custodian's handlers of ionic steps (NonConverging, Potim, PositiveEnergy, Drift) have nothing to do here and are not
used. Nor is its WalltimeHandler, because a run without WAVECAR cannot continue after a STOPCAR.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from custodian.custodian import ErrorHandler
from pymatgen.io.vasp.inputs import Incar

from xanesflow.codes.vasp.step_job import CORRECTIONS
from xanesflow.codes.vasp.step_tags import FREE
from xanesflow.core.errors import RefusedError
from xanesflow.core.files import write_text
from xanesflow.core.text import listing, plural


class Guarded(ErrorHandler):
    """Wraps one of custodian's handlers, and checks its corrections before VASP reads them.

    Args:
        handler: the handler.
        folder: of the run.
        max_bands: largest NBANDS.
        tried: INCARs that have failed so far, shared by all handlers of the run.
    """

    def __init__(self, handler: Any, folder: Path, max_bands: int, tried: list[Incar]) -> None:
        self.handler, self.folder, self.max_bands, self.tried = handler, folder, max_bands, tried
        self.is_monitor = handler.is_monitor
        self.is_terminating = handler.is_terminating
        self.raises_runtime_error = handler.raises_runtime_error
        self.max_num_corrections = handler.max_num_corrections

    def as_dict(self) -> dict[str, Any]:
        """Return the entry for custodian's own log."""
        return {"handler": type(self.handler).__name__}

    def check(self, directory: str = "./") -> bool:
        """Return whether there is an error."""
        return bool(self.handler.check(directory=directory))

    def correct(self, directory: str = "./") -> dict[str, Any]:
        """Correct the error, or restore all inputs and report that it cannot be corrected."""
        # Remember the inputs, then let custodian's handler change them.
        inputs = {name: (self.folder / name).read_bytes() for name in ("INCAR", "KPOINTS", "POSCAR")}
        before = Incar.from_file(self.folder / "INCAR")
        self.tried.append(before)
        had_waves = (self.folder / "WAVECAR").exists()
        answer = self.handler.correct(directory=directory)
        errors = sorted(map(str, answer["errors"]))
        entry: dict[str, Any] = {"handler": type(self.handler).__name__, "errors": errors}
        left_out = (
            {} if (self.folder / "KPOINTS").read_bytes() == inputs["KPOINTS"] else {"KPOINTS": ["as asked", "other"]}
        )

        # Remove what is not allowed. If nothing useful is left, refuse the correction and restore the inputs.
        try:
            if not answer["actions"]:
                raise RefusedError("no correction is known")
            changes = self._allow(before, left_out)
            restarted = had_waves and not (self.folder / "WAVECAR").exists()
            if not changes and not restarted:
                raise RefusedError(_refusal(left_out))
            if not restarted and Incar.from_file(self.folder / "INCAR") in self.tried:
                raise RefusedError("the correction would repeat inputs that have failed before")
            entry |= {"changes": changes, "left_out": left_out}
            # Custodian replaces POSCAR by CONTCAR, the same structure with other digits, or lets pymatgen write it,
            # which would merge the absorber with the other atoms of its element.
            for name in ("KPOINTS", "POSCAR"):
                (self.folder / name).write_bytes(inputs[name])
        except RefusedError as error:
            for name, content in inputs.items():
                (self.folder / name).write_bytes(content)
            entry |= {"refused": str(error), "reason": error.reason}
        write_text(self.folder / CORRECTIONS, json.dumps([*read_corrections(self.folder), entry], indent=1))
        return {"errors": errors, "actions": None if "refused" in entry else answer["actions"]}

    def _allow(self, before: Incar, left_out: dict[str, list[Any]]) -> dict[str, list[Any]]:
        """Restore the tags of INCAR that may not change, and reduce NBANDS to the limit.

        Args:
            before: INCAR before the correction.
            left_out: receives the restored tags.

        Returns:
            Tag -> value before and after.

        Raises:
            RefusedError: the limit allows no more bands.
        """
        after = Incar.from_file(self.folder / "INCAR")
        changes: dict[str, list[Any]] = {}
        for tag in sorted({*before, *after}):
            old, new = before.get(tag), after.get(tag)
            if old == new:
                continue
            if tag == "NBANDS":
                new = self._bands(old, new)
                after[tag] = new
            elif tag not in FREE and not (tag == "EDIFF" and old and new and new < old):
                left_out[tag] = [old, new]
                after.pop(tag, None)
                after |= {tag: old} if tag in before else {}
                continue
            changes[tag] = [old, new]
        after.write_file(self.folder / "INCAR")
        return changes

    def _bands(self, old: int | None, new: int | None) -> int:
        used = max(old or 0, used_bands(self.folder))
        allowed = min(new or 0, self.max_bands)
        if allowed <= used:
            raise RefusedError(
                f"{plural(used, 'band is', 'bands are')} too few, and inputs.vasp.max_bands allows {self.max_bands}",
                "too_many_bands",
            )
        return allowed


def _refusal(left_out: dict[str, list[Any]]) -> str:
    """Explain why nothing is left of a correction."""
    if "KPOINTS" in left_out:
        return "the correction would change the k-mesh"
    tags = [f"{tag} from {old} to {new}" for tag, (old, new) in left_out.items()]
    return f"the correction would change {listing(tags)}" if tags else "the correction would change nothing"


def used_bands(folder: Path) -> int:
    """Read from OUTCAR how many bands VASP used; 0 if it does not say."""
    path = folder / "OUTCAR"
    if not path.is_file():
        return 0
    with path.open(encoding="utf-8", errors="replace") as opened:
        for line in opened:
            _, sign, number = line.partition("NBANDS=")
            if sign and number.split() and number.split()[0].isdigit():
                return int(number.split()[0])
    return 0


def read_corrections(folder: Path) -> list[dict[str, Any]]:
    """Read all corrections of a run so far, allowed or refused."""
    path = folder / CORRECTIONS
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    return found
