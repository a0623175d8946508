"""Read FEFF's logs: which modules ended well, whether the field converged, and what went wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from xanesflow.codes.feff.first_failure import (
    LAUNCH,
    MODULES,
    SIGNAL,
    failed_module,
    last_lines,
    said_by_first_failure,
    unfinished,
    up_to_first_failure,
)
from xanesflow.codes.feff.read_feff_inp import parse_feff_inp
from xanesflow.codes.read_text import text_of
from xanesflow.codes.run_files import FEFF_LOGS
from xanesflow.core.errors import BadRunError
from xanesflow.core.text import one_line, plural

LOG = "feff.out"
"""File with what all modules printed."""

_FMS = "FMS calculation of full Green's function"
_FMS_RADIUS = re.compile(r"^[^\S\n]*FMS[^\S\n]+([\d.]+)", re.MULTILINE | re.IGNORECASE)
_FMS_ATOMS = re.compile(r"FMS for a cluster of\s*(\d+) atoms")
_POINTS = re.compile(r"^Using\s+(\d+) energy points", re.MULTILINE)
_VERTICAL_POINTS = 40  # more than FEFF ever puts off the axis of real energies


@dataclass(frozen=True)
class Fault:
    """What went wrong in a run, as FEFF itself says."""

    kind: str  # a word by which `handlers` choose a correction
    reason: str  # one of `xanesflow.core.reasons.REASONS`
    detail: str  # one sentence


_FAULTS = (
    ("no_memory", "module_failed", "allocat", r"^.*(?:Error allocating|Cannot allocate memory).*$",
     "FEFF ran out of memory: {0}"),
    ("no_memory", "module_failed", "virtual memory", r"^.*insufficient virtual memory.*$",
     "FEFF ran out of memory: {0}"),
    ("no_memory", "module_failed", "ut of memory", r"^.*[Oo]ut of memory.*$", "FEFF ran out of memory: {0}"),
    ("no_memory", "module_failed", "oom", r"^.*\boom[-_ ]kill.*$", "FEFF ran out of memory: {0}"),
    ("no_memory", "module_failed", "emory allocation failed", r"^.*[Mm]emory allocation failed.*$",
     "FEFF ran out of memory: {0}"),
    ("no_memory", "module_failed", "MemoryError", r"^MemoryError\b.*$", "FEFF ran out of memory: {0}"),
    ("not_loaded", "module_failed", "error while loading shared libraries",
     r"^.*error while loading shared libraries.*$", "a module could not be loaded: {0}"),
    ("not_loaded", "module_failed", "ImportError", r"^ImportError: .*$", "a module could not be loaded: {0}"),
    ("killed", "module_failed", "Killed", r"^.*\bKilled\b.*$", "a module was killed: {0}"),
    ("card", "module_failed", "Keyword unrecognized", r"(?:^ *(\S.*)\n.*\n *Token.*\n)? *Keyword unrecognized",
     "FEFF did not recognise a card of feff.inp ({1}), so its results do not follow this input"),
    ("ca1", "module_failed", "Cannot run with specified ca1", r"Cannot run with specified ca1",
     "FEFF refused the convergence factor ca1 of the card SCF"),
    ("atoms", "module_failed", "Too many atoms", r"Too many atoms, maximum is +\d+", "FEFF refused the cluster: {0}"),
    ("overlap", "module_failed", "FOLP for POTENTIAL", r"FOLP for POTENTIAL type +(\d+) is too big",
     "the muffin tins of potential {1} overlap too much"),
    ("overlaps", "module_failed", "INCREASE NOVP", r"INCREASE NOVP",
     "the muffin tins overlap too much: more of them overlap than FEFF can take (movrlp: INCREASE NOVP)"),
    ("overlaps", "module_failed", "Overlapping problem", r"Overlapping problem in potentials/movrlp",
     "the muffin tins overlap too much (Overlapping problem in potentials/movrlp)"),
    ("bad_counts", "not_converged", "Bad counts found repeatedly", r"Bad counts found repeatedly",
     "the potentials gave up after they counted a wrong number of electrons again and again"),
    ("unconverged", "not_converged", "Convergence not reached", r"Convergence not reached",
     "the self-consistent field ran out of iterations"),
    ("unconverged", "not_converged", "mu=", r"New Fermi level: +mu= *(?:NaN|\*+|[+-]?Inf)",
     "the Fermi level is not a number"),
    ("density", "module_failed", "No interstitial density", r"No interstitial density",
     "the potentials found no interstitial density; does each atom in feff.inp have a potential, and neighbours?"),
    ("cut", "truncated", "while reading from file", r"while reading from file (\S+?)\.?$",
     "a module could not read {1}, as if it was cut by a full disk"),
)  # fmt: skip
"""Kind, reason, a part of FEFF's message (for a quick search), its whole pattern, and our sentence. The first that is
found counts, as the others may be its consequences."""

OF_THE_MACHINE = frozenset({"no_memory", "not_loaded", "killed"})
"""Kinds of faults that say nothing about the site: another run may not meet them."""

_COMPILED = [(k, reason, sign, re.compile(said, re.MULTILINE), ours) for k, reason, sign, said, ours in _FAULTS]
_RUNTIME = re.compile(r"^At line (\d+) of file (\S++)[^\n]*+\nFortran runtime error: ([^\n]*)", re.MULTILINE)
_STOP = re.compile(r"^ *STOP\b", re.MULTILINE)
_CLOSE_SIGN = "TWO ATOMS VERY CLOSE TOGETHER"
_CLOSE = re.compile(
    _CLOSE_SIGN
    + r".*\n *atoms +(\d+) +(\d+) +distance +(\S+) .*\n"
    + r".*?(?:Z= *(\d+)[^\S\n]*)?\n.*?(?:Z= *(\d+)[^\S\n]*)?$",
    re.MULTILINE,
)
_SHORTEST_BOND_A = 0.7  # below that of H-H
_MISSES_A_FILE = re.compile(
    r"^[^\n]*(?:Error opening file|[Cc]annot open file|OPEN returned error|CHOPEN)[^\n]*", re.MULTILINE
)
_LAST_WORDS = re.compile(r"^([^\n]+)\n[^\S\n]*([A-Z]{4,}(?:-\d+)?)[^\S\n]*$", re.MULTILINE)


def log_of(files: Mapping[str, bytes]) -> str:
    """Return the log of the last run in a folder: feff.out, or else FEFF's own logs together.

    Raises:
        BadRunError: unreadable.
    """
    log = text_of(LOG, files.get(LOG, b""))
    if not log.strip():
        log = "".join(text_of(name, files.get(name, b"")) for name in FEFF_LOGS)
    # Some scripts append to the log of the run before. Only the last part describes the files in the folder.
    return log[log.rfind(LAUNCH) :] if log.count(LAUNCH) > 1 else log


def diagnose(log: str) -> Fault | None:
    """Find what went wrong, as FEFF itself says; None if it says nothing.

    Names the first module that failed, where the log shows which.
    """
    failed = failed_module(log)
    fault = _known_fault(up_to_first_failure(log)) or _last_words(log)
    if (fault is None or fault.reason != "atoms_too_close") and (close := _atoms_too_close(log)):
        return close
    # The system may say only at the end of the log that it killed a module.
    if fault is None or fault.kind in {"silent", "stopped"}:
        fault = next(filter(None, (_known_fault(log, OF_THE_MACHINE), fault)), None)
    if failed is None:
        return fault
    # Our own runs stop at this module, so nothing of a later one is in the log.
    if fault is None or fault.kind in {"silent", "stopped"}:
        said = last_lines(failed.said) or "it printed nothing"
        stopped = fault is not None and fault.kind == "stopped"
        kind = "stopped" if stopped else "crashed" if failed.code > SIGNAL else "gave_up" if failed.code else "silent"
        return Fault(kind, "module_failed", f"{failed.sentence}: {said}")
    return replace(fault, detail=f"{failed.sentence}: {fault.detail}")


def _known_fault(log: str, kinds: frozenset[str] | None = None) -> Fault | None:
    """Find one of `_FAULTS`; of `kinds` only, if given."""
    for kind, reason, sign, said, sentence in _COMPILED:
        if (kinds is None or kind in kinds) and sign in log and (found := said.search(log)):
            words = [" ".join(part.split()) for part in (found[0], *found.groups("no text of it"))]
            detail = sentence.format(*words)
            if kind.startswith("overlap") and _CLOSE_SIGN in log:  # no correction can help, so it gets another kind
                return Fault("too_close", "atoms_too_close", f"{detail}; two atoms stand very close together")
            return Fault(kind, reason, detail)
    return None


def _atoms_too_close(log: str) -> Fault | None:
    """Find FEFF's warning of atoms closer than 0.93 Å; a bond of hydrogen, which may be that short, is no fault."""
    if _CLOSE_SIGN not in log:
        return None
    details = list(_CLOSE.finditer(log))
    if not details:
        return Fault("too_close", "atoms_too_close", "FEFF warns that two atoms of the cluster are very close together")
    for found in details:
        one, other, distance, *atomic_numbers = found.groups()
        if "1" not in atomic_numbers or float(distance) < _SHORTEST_BOND_A:
            detail = f"FEFF warns that two atoms of the cluster, {one} and {other}, are {float(distance):.2f} Å apart"
            return Fault("too_close", "atoms_too_close", detail)
    return None


def _last_words(log: str) -> Fault | None:
    """Find a module that stopped with words that are not in `_FAULTS`."""
    stopped = "STOP" in log and _STOP.search(log)
    if not stopped and not ("Fortran runtime error" in log and _RUNTIME.search(log)):
        return None
    # The first module that failed has the word. What the later ones say is that they miss its files.
    said, missing = said_by_first_failure(log), unfinished(log)
    first = f"; the first that did not finish is '{missing[0]}'" if missing else ""
    at_line, last = _RUNTIME.search(said), _STOP.search(said) and _LAST_WORDS.search(said)
    for found in sorted(filter(None, (at_line, last)), key=lambda each: each.start()):
        if missing and _MISSES_A_FILE.search(found[0]):
            continue
        if found is at_line:
            detail = f"a module stopped in {found[2]}, line {found[1]}: {found[3].strip()}"
        else:
            detail = f"a module stopped: {one_line(found[0])}"
        return Fault("stopped", "module_failed", detail + first)
    if missing:
        detail = f"the module '{missing[0]}' did not finish, later ones went on"
        own = last_lines(_MISSES_A_FILE.split(said)[0])
        return Fault("silent", "module_failed", f"{detail}; its last lines: {own}" if own else detail)
    return Fault("stopped", "module_failed", "a module stopped: it did not say why")


def check_log(files: Mapping[str, bytes]) -> None:
    """Check in the logs that the self-consistent field converged and that every module ended well.

    Args:
        files: content of feff.out, and of those of FEFF's own logs that exist.

    Raises:
        BadRunError: not_converged, truncated, module_failed, atoms_too_close or unreadable.
    """
    log = log_of(files)
    if not log.strip():
        raise BadRunError("not_converged", "feff.out is missing or empty, so nothing shows that the field converged")
    if fault := diagnose(log):
        raise BadRunError(fault.reason, f"{LOG}: {fault.detail}", fault)

    # Each module reports its end. If the last ones are missing the log was cut; if one in between is, it failed.
    names, missing = list(MODULES), unfinished(log)
    if missing and missing == names[names.index(missing[0]) :]:
        raise BadRunError("truncated", f"feff.out ends before the module '{missing[0]}' finished")
    if missing:
        raise BadRunError("module_failed", f"feff.out: the module '{missing[0]}' did not finish, later ones went on")
    if not files.get(FEFF_LOGS[0], b"it is not there").strip():
        detail = "log.dat is empty: FEFF did not read feff.inp to its end, and later modules used old or partial files"
        raise BadRunError("module_failed", detail)
    if "Convergence reached" not in log:
        raise BadRunError("not_converged", "feff.out has no line that says that the self-consistent field converged")

    # A full disk cuts FEFF's own logs while feff.out, written elsewhere, looks complete.
    for module, (name, _) in MODULES.items():
        if name in files and "Done with module" not in text_of(name, files[name]):
            what = "ends before its time" if files[name].strip() else "is empty"
            detail = (
                f"{name} {what}, though by feff.out the module '{module}' finished: the disk was full, or the files "
                "are of two runs"
            )
            raise BadRunError("truncated", detail)


def check_rows(rows: int, files: Mapping[str, bytes]) -> None:
    """Check that xmu.dat has a row for each energy that FEFF computed, except for energies off the real axis.

    Raises:
        BadRunError: truncated.
    """
    if not (points := _POINTS.findall(log_of(files))):
        return
    if rows < min(int(points[-1]) - _VERTICAL_POINTS, 0.6 * int(points[-1])):
        raise BadRunError("truncated", f"xmu.dat has {plural(rows, 'row')}, but FEFF computed {points[-1]} energies")


def check_cluster(log: str, feff_inp: bytes | None) -> None:
    """Check that full multiple scattering took all atoms within its radius.

    FEFF silently cuts a cluster that is larger than it was compiled for (or than its card DIMS allows). Only the number
    of atoms in its log shows this.

    Args:
        log: as `log_of` returns it.
        feff_inp: content of feff.inp.

    Raises:
        BadRunError: cluster_cut.
    """
    took = _FMS_ATOMS.findall(log[log.find(_FMS) :] if _FMS in log else log)
    text = text_of("feff.inp", feff_inp or b"")
    radius = _FMS_RADIUS.search(text)
    if not took or radius is None:
        return
    distances = parse_feff_inp(text).distances_a  # FEFF multiplies them and the radius by RMULTIPLIER
    within = 1 + int((distances <= float(radius[1]) - 1e-3).sum())  # an atom on the sphere may count or not
    if int(took[-1]) < within:
        detail = f"full multiple scattering took {took[-1]} atoms, but {within} lie within its {radius[1]} Å"
        raise BadRunError("cluster_cut", detail)
