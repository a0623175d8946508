"""Which of custodian's corrections a run may take: those that change how the result is found, not what it is.

Allowed, and recorded in run.json: the algorithm and number of electronic steps (ALGO, NELM, ...), the mixing of
densities, the start, tighter EDIFF, the treatment of symmetry (ISYM, SYMPREC: the k-mesh stays), how the work is
divided among processes, and NBANDS, upward only and up to `codes.vasp.write_inputs.max_bands`.

Left out of a correction: the k-mesh (KPOINTS), the structure (POSCAR), and all other tags. If nothing of it is left, or
it comes back to what has failed before, it is refused and the run fails with the reason. Among these tags are ENCUT,
PREC, FFT grids, ISPIN, smearing, and LREAL: each would shift the total energy of one step against that of the other,
and so the spectrum, or make one material unlike the others. IBRION and POTIM do nothing, as no atom moves (NSW = 0).

Custodian's handlers of ionic steps (NonConverging, Potim, PositiveEnergy, Drift) have no work here and are not used;
nor is its WalltimeHandler: a run without WAVECAR cannot go on where a STOPCAR ended it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from custodian.custodian import ErrorHandler
from pymatgen.io.vasp.inputs import Incar

from xanesflow.codes.vasp.step_job import CORRECTIONS
from xanesflow.core.errors import RefusedError
from xanesflow.core.files import write_text
from xanesflow.core.text import listing

FREE = frozenset(
    {
        *("ALGO", "IALGO", "ISEARCH", "TIME", "NELM", "NELMIN", "NELMDL", "ISTART", "ICHARG", "ISYM", "SYMPREC"),
        *("AMIX", "BMIX", "AMIX_MAG", "BMIX_MAG", "AMIN", "IMIX", "MIXPRE", "MAXMIX", "INIMIX"),
        *("KPAR", "NCORE", "NPAR", "NSIM", "LPLANE", "LSCALAPACK"),
    }
)
"""INCAR tags that a correction may set or take out."""


class Guarded(ErrorHandler):
    """One of custodian's handlers, whose corrections are looked through before VASP sees them.

    Args:
        handler: the handler.
        folder: of the run.
        max_bands: largest NBANDS.
        tried: INCARs that have failed so far, of all handlers of the run.
    """

    def __init__(self, handler: Any, folder: Path, max_bands: int, tried: list[Incar]) -> None:
        self.handler, self.folder, self.max_bands, self.tried = handler, folder, max_bands, tried
        self.is_monitor = handler.is_monitor
        self.is_terminating = handler.is_terminating
        self.raises_runtime_error = handler.raises_runtime_error
        self.max_num_corrections = handler.max_num_corrections

    def as_dict(self) -> dict[str, Any]:
        """For custodian's own log."""
        return {"handler": type(self.handler).__name__}

    def check(self, directory: str = "./") -> bool:
        """Whether there is an error."""
        return bool(self.handler.check(directory=directory))

    def correct(self, directory: str = "./") -> dict[str, Any]:
        """Correct it, or put all inputs back and say that it cannot be corrected."""
        inputs = {name: (self.folder / name).read_bytes() for name in ("INCAR", "KPOINTS", "POSCAR")}
        before = Incar.from_file(self.folder / "INCAR")
        self.tried.append(before)
        had_waves = (self.folder / "WAVECAR").exists()
        told = self.handler.correct(directory=directory)
        errors = sorted(map(str, told["errors"]))
        entry: dict[str, Any] = {"handler": type(self.handler).__name__, "errors": errors}
        left_out = (
            {} if (self.folder / "KPOINTS").read_bytes() == inputs["KPOINTS"] else {"KPOINTS": ["as asked", "other"]}
        )
        try:
            if not told["actions"]:
                raise RefusedError("no correction is known")
            changes = self._allow(before, left_out)
            restarted = had_waves and not (self.folder / "WAVECAR").exists()
            if not changes and not restarted:
                raise RefusedError(_refusal(left_out))
            if not restarted and Incar.from_file(self.folder / "INCAR") in self.tried:
                raise RefusedError("the correction would bring back what has failed before")
            entry |= {"changes": changes, "left_out": left_out}
            # Custodian copies CONTCAR over POSCAR, the same structure with other digits, or writes it by pymatgen,
            # which would make one species of the absorber and its like.
            for name in ("KPOINTS", "POSCAR"):
                (self.folder / name).write_bytes(inputs[name])
        except RefusedError as error:
            for name, content in inputs.items():
                (self.folder / name).write_bytes(content)
            entry |= {"refused": str(error), "reason": error.reason}
        write_text(self.folder / CORRECTIONS, json.dumps([*read_corrections(self.folder), entry], indent=1))
        return {"errors": errors, "actions": None if "refused" in entry else told["actions"]}

    def _allow(self, before: Incar, left_out: dict[str, list[Any]]) -> dict[str, list[Any]]:
        """Put back the tags of INCAR that may not be changed, and cut NBANDS to the limit.

        Args:
            before: INCAR as it was.
            left_out: gets what was put back.

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
                f"{used} bands are too few, and inputs.vasp.max_bands allows {self.max_bands}", "too_many_bands"
            )
        return allowed


def _refusal(left_out: dict[str, list[Any]]) -> str:
    """Why nothing is left of a correction."""
    if "KPOINTS" in left_out:
        return "the correction would change the k-mesh"
    told = [f"{tag} from {old} to {new}" for tag, (old, new) in left_out.items()]
    return f"the correction would change {listing(told)}" if told else "the correction would change nothing"


def used_bands(folder: Path) -> int:
    """Number of bands that VASP used by OUTCAR; 0 if it does not say."""
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
    """All that was corrected or refused in a run so far."""
    path = folder / CORRECTIONS
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    return found
