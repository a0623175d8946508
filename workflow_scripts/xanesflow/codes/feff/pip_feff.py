"""FEFF 10 as it comes with pip, the package `feff10-rs`: runs all modules one after the other in the current folder.

`python -m xanesflow.codes.feff.pip_feff` does what FEFF's own script does, and stops at the first module that fails:
FEFF itself goes on, and its later modules make a plausible spectrum of what they find. Each module is a process of its
own (`python -m feff10._worker`, as the package itself starts them). Two things are added to what the package does:

- glibc is asked to keep memory that FEFF gives back. FEFF allocates and frees large arrays in its inner loops, and each
  time the system hands out fresh pages. Results are the same to the bit.
- with `--own-scattering` the modules `fms` and `mkgtr` are replaced by `scatter`, where it solves the case at hand;
  with `--far-radius 8` too, atoms up to 8 Å scatter once.

Exit code 0: all modules ended well; otherwise that of the module that did not, 128 and more for a signal.
"""

from __future__ import annotations

import argparse
import math
import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from xanesflow.codes.feff.first_failure import line_of
from xanesflow.core.errors import XanesflowError

PACKAGE = "feff10-rs"

MODULES: Mapping[str, tuple[str, ...]] = {
    "rdinp": (), "dmdw": ("DEBYE",), "atomic": (), "pot": (), "ldos": ("LDOS",), "screen": (), "crpa": ("CRPA",),
    "opconsat": (), "xsph": (), "fms": (), "mkgtr": (), "path": (), "genfmt": (), "ff2x": (),
    "sfconv": ("SFCONV", "SELF", "SFSE", "RCONV"), "compton": ("COMPTON", "RHOZZP", "CGRID"),
    "eels": ("ELNES", "EXELFS", "MAGIC"), "rhorrp": ("RHOZZP",),
}  # fmt: skip
"""FEFF's modules in their order, each with the cards for which alone it does something; none: it always does."""

ALL_ORDERS = "xanesflow: the absorption is negative; all orders within"
"""Begins the line that says that far atoms scatter to all orders too."""

OWN = "scattering"
"""What stands for `fms` and `mkgtr` where our own solver takes their place."""

_KEEP_MEMORY = {
    # Without the first the others do nothing, as the package computes in a second thread.
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "100000000000",
    "MALLOC_TOP_PAD_": "67108864",
}
_ALL_OFF = re.compile(r"^[^\S\n]*CONTROL([^\S\n]+0){6}[^\S\n]*$", re.MULTILINE | re.IGNORECASE)
_CRASH_FLAG = ".feff.error"  # a module writes it at its start and deletes it at a normal end
_SIGNAL = 128
_MU = 3  # column of xmu.dat


def package_version() -> str:
    """Version of the package.

    Raises:
        XanesflowError: it is not installed.
    """
    try:
        return version(PACKAGE)
    except PackageNotFoundError:
        raise XanesflowError(
            f"FEFF 10 of pip is not installed: run `pip install {PACKAGE}`, or name your own FEFF in "
            "simulations.feff_command."
        ) from None


def modules_for(feff_inp: str) -> list[str]:
    """The modules that a feff.inp needs, in their order; only `rdinp` if its CONTROL turns all others off."""
    if _ALL_OFF.search(feff_inp):
        return ["rdinp"]
    # FEFF too reads four letters of a card.
    there = {match[1].upper() for match in re.finditer(r"^[^\S\n]*([A-Za-z]{4})", feff_inp, re.MULTILINE)}
    return [name for name, cards in MODULES.items() if not cards or there & {card[:4] for card in cards}]


def run_modules(folder: Path, *, own_scattering: bool, far_radius: float = 0.0) -> int:
    """Run FEFF on the feff.inp of a folder, up to the first module that fails.

    What FEFF prints goes to the standard output, with a line after each module that gives its seconds.

    If far atoms on a straight line with strong scatterers (the chains of a cubic perovskite) scatter only once, they
    can make the absorption just above the Fermi level negative. Then they scatter to all orders too.

    Args:
        folder: with feff.inp.
        own_scattering: whether `scatter` may take the place of `fms` and `mkgtr`.
        far_radius: in Å, for `scatter`.

    Returns:
        The exit code: 0, or that of the module that failed.
    """
    names = modules_for((folder / "feff.inp").read_text(encoding="utf-8", errors="replace"))
    asked = {"far_radius": far_radius} if own_scattering else None
    if code := _run_in_turn(names, folder, asked):
        return code
    if asked and far_radius and _is_negative(folder / "xmu.dat"):
        sys.stdout.write(f"{ALL_ORDERS} {far_radius:g} A\n")
        return _run_in_turn(names[names.index("fms") :], folder, {**asked, "all_orders": True})
    return 0


def _run_in_turn(names: list[str], folder: Path, asked: Mapping[str, Any] | None) -> int:
    """Run some modules; `asked` of our own scattering, None: FEFF's modules scatter."""
    done_by_us: tuple[str, ...] = ()
    for name in names:
        if name in done_by_us:
            continue
        begin = time.monotonic()
        if name == "fms" and asked is not None and _scatter(folder, asked):
            done_by_us = ("fms", "mkgtr")
            name, code = OWN, 0  # noqa: PLW2901
        else:
            code = run_module(name, folder)
        if code == 0 and (folder / _CRASH_FLAG).exists():
            code = 1
        sys.stdout.write(line_of(name, time.monotonic() - begin, code, failed=bool(code)) + "\n")
        sys.stdout.flush()
        if code:
            return code
    return 0


def _is_negative(xmu: Path) -> bool:
    """Whether the absorption in xmu.dat is negative somewhere; what is no number, such as `****`, is not."""
    text = xmu.read_text(encoding="utf-8", errors="replace")
    rows = [line.split() for line in text.splitlines() if not line.lstrip().startswith("#")]
    return any(_number(row[_MU]) < 0 for row in rows if len(row) > _MU)


def _number(word: str) -> float:
    """A number of Fortran; NaN for what is none, of which the check of the run says what it is."""
    try:
        return float(word)
    except ValueError:
        return math.nan


def run_module(name: str, folder: Path) -> int:
    """Run one module of the package, and give its exit code."""
    environment = {**os.environ, **_KEEP_MEMORY, "FEFF10_WORKER_STAGE": name, "FEFF10_WORKER_DIR": str(folder)}
    code = subprocess.run([sys.executable, "-m", "feff10._worker"], cwd=folder, env=environment, check=False).returncode
    return _SIGNAL - code if code < 0 else code


def _scatter(folder: Path, asked: Mapping[str, Any]) -> bool:
    """Solve the scattering by our own solver; False where FEFF's modules have to."""
    from xanesflow.codes.feff.scatter import own_case, scatter

    if not own_case(folder):
        return False
    sys.stdout.write(scatter(folder, **asked))
    return True


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="pip_feff")
    parser.add_argument("--own-scattering", action="store_true")
    parser.add_argument("--far-radius", type=float, default=0.0)
    try:
        sys.exit(run_modules(Path.cwd(), **vars(parser.parse_args())))
    except XanesflowError as error:
        sys.exit(f"ERROR: {error}")
