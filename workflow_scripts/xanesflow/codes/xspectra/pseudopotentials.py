"""Make pseudopotentials with `ld1.x` when they are needed, and test each before it is used.

Three tests decide, and one that fails any is refused:

1. The eigenvalues of the atom must be those of all electrons to 0.01 Ry, which wrong matching radii spoil.
2. The overlap 1 + QG of the projectors must be clearly positive in each channel. With a slightly negative one, `pw.x`
   converges, and `xspectra.x` prints NaN.
3. The energies that ions cost must be those of all electrons to 0.01 Ry.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from xanesflow.codes.xspectra.atoms import atom_input, ions_input
from xanesflow.codes.xspectra.scf import last_words
from xanesflow.core.array_types import Floats
from xanesflow.core.errors import FailedRunError
from xanesflow.core.files import sha256_text

SAME_RY = 0.01
"""Largest difference of an eigenvalue, or of an ion's energy, to that of all electrons."""

LEAST_OVERLAP = 0.02
"""Smallest eigenvalue of 1 + QG."""

_SECONDS = 120.0  # an atom takes less than one
_ENERGY = re.compile(r"^[^\S\n]*(Etot|Etotps)[^\S\n]*=\s*(-?[\d.]+) Ry", re.MULTILINE)
_LEVEL = re.compile(r"^[^\S\n]*\d+ \d+ +(\d[SPDF]) +\d+\( *(-?[\d.]+)\) +\S+ +\S+ +(-?[\d.]+) *$", re.MULTILINE)
_ION = re.compile(r"Delta E=\s*(-?[\d.]+) Ry")
_DATE = re.compile(r'\bdate="[^"]*"')


@dataclass(frozen=True)
class Pseudopotential:
    """A pseudopotential that passed the tests."""

    name: str  # of its file in the folder, such as `Ti.fch.upf`
    sha256: str  # of the file, without its date
    core_ry: float  # what must be added to an energy of `pw.x` for this atom: all electrons minus pseudopotential
    worst_level_ry: float  # largest difference of an eigenvalue
    least_overlap: float  # smallest eigenvalue of 1 + QG
    worst_ion_ry: float  # largest difference of an ion's energy


def make_pseudopotential(element: str, folder: Path, *, hole: bool) -> Pseudopotential:
    """Make a pseudopotential in a folder, and test it.

    Args:
        element: one of `atoms.ATOMS`.
        folder: that gets `<element>.upf`, or `<element>.fch.upf` with the hole.
        hole: whether 1s holds one electron.

    Raises:
        FailedRunError: no_potential, if it cannot be made or fails a test; the sentence says which.
        XanesflowError: the element has no atomic input.
    """
    name = f"{element}{'.fch' if hole else ''}.upf"
    printed = _run(folder, atom_input(element, hole=hole, name=name), what=name)
    path = folder / name
    if not path.is_file():
        raise FailedRunError("no_potential", f"ld1.x left no pseudopotential {name}: {last_words(printed)}")
    text = _DATE.sub('date=""', path.read_text(encoding="utf-8"))
    path.write_text(text, encoding="utf-8")
    levels = levels_of(printed)
    overlap = least_overlap(text)
    ions = ions_of(_run(folder, ions_input(element, hole=hole, name=name), what=f"the ions of {name}"))
    check_tests(name, levels=levels, overlap=overlap, ions=ions)
    energies = dict(_ENERGY.findall(printed))
    return Pseudopotential(
        name=name,
        sha256=sha256_text(text),
        core_ry=float(energies["Etot"]) - float(energies["Etotps"]),
        worst_level_ry=max(levels, key=abs),
        least_overlap=overlap,
        worst_ion_ry=max(ions, key=abs),
    )


def check_tests(name: str, *, levels: list[float], overlap: float, ions: list[float]) -> None:
    """Decide by the three tests whether a pseudopotential may be used.

    Args:
        name: of its file.
        levels: differences of the eigenvalues in Ry; none: `ld1.x` did not print them.
        overlap: smallest eigenvalue of 1 + QG.
        ions: differences of the ions' energies in Ry.

    Raises:
        FailedRunError: no_potential; says which test failed, and by how much.
    """
    if not levels or not ions:
        raise FailedRunError("no_potential", f"ld1.x printed no test of the pseudopotential {name}")
    if (worst := max(levels, key=abs)) and not abs(worst) < SAME_RY:
        said = f"an eigenvalue is {worst:.4f} Ry from that of all electrons, more than {SAME_RY}"
        raise FailedRunError("no_potential", f"the pseudopotential {name} fails the test of the atom: {said}")
    if not overlap > LEAST_OVERLAP:
        said = f"an eigenvalue of 1 + QG is {overlap:.3f}, and must be above {LEAST_OVERLAP}"
        raise FailedRunError("no_potential", f"the pseudopotential {name} fails the test of the overlap: {said}")
    if (worst := max(ions, key=abs)) and not abs(worst) < SAME_RY:
        said = f"an ion's energy is {worst:.4f} Ry from that of all electrons, more than {SAME_RY}"
        raise FailedRunError("no_potential", f"the pseudopotential {name} fails the test of ions: {said}")


def levels_of(printed: str) -> list[float]:
    """Return the differences of the atom's eigenvalues in Ry, of occupied shells and of empty ones."""
    _, _, compared = printed.partition("De AE-PS")  # the table of all electrons before it looks the same
    return [float(difference) for _, _, difference in _LEVEL.findall(compared)]


def ions_of(printed: str) -> list[float]:
    """Return the differences of the ions' energies in Ry."""
    return [float(value) for value in _ION.findall(printed)]


def least_overlap(upf: str) -> float:
    """Return the smallest eigenvalue of 1 + QG over the channels of an ultrasoft pseudopotential.

    The overlap operator is S = 1 + Σ |β_i> q_ij <β_j|. With G_ij = <β_i|β_j> its eigenvalues on the space of the
    projectors are those of 1 + QG.

    Args:
        upf: text of the file in UPF 2.
    """
    mesh = _numbers(upf, "PP_RAB")
    betas = re.findall(r"<PP_BETA\.(\d+)\b([^>]*)>(.*?)</PP_BETA\.\1>", upf, re.DOTALL)
    momenta, waves = [], []
    for _, head, body in betas:
        momenta.append(int(re.search(r'angular_momentum="\s*(\d+)', head)[1]))  # type: ignore[index]
        wave = np.array(body.split(), dtype=float)
        cut = re.search(r'cutoff_radius_index="\s*(\d+)', head)
        wave[int(cut[1]) if cut else len(wave) :] = 0.0
        waves.append(wave)
    charges = _numbers(upf, "PP_Q").reshape(len(betas), len(betas))
    smallest = np.inf
    for momentum in set(momenta):
        chosen = [k for k, each in enumerate(momenta) if each == momentum]
        gram = np.array([[np.sum(waves[i] * waves[j] * mesh[: len(waves[i])]) for j in chosen] for i in chosen])
        values = np.linalg.eigvals(np.eye(len(chosen)) + charges[np.ix_(chosen, chosen)] @ gram)
        smallest = min(smallest, float(values.real.min()))
    return float(smallest)


def write_core_wave(upf: str, path: Path) -> None:
    """Write the 1s wave of the all-electron atom, which XSpectra reads as `filecore`."""
    body = re.search(r"<PP_GIPAW_CORE_ORBITAL\.1[^>]*>(.*?)</PP_GIPAW_CORE_ORBITAL\.1>", upf, re.DOTALL)
    assert body is not None  # atom_input asks for the reconstruction
    rows = zip(_numbers(upf, "PP_R"), np.array(body[1].split(), dtype=float), strict=True)
    path.write_text("# 1S\n" + "".join(f"{r:.15e} {wave:.15e}\n" for r, wave in rows), encoding="ascii")


def _numbers(upf: str, tag: str) -> Floats:
    body = re.search(rf"<{tag}(?:\s[^>]*)?>(.*?)</{tag}>", upf, re.DOTALL)
    assert body is not None  # every UPF of ld1.x has it
    return np.array(body[1].split(), dtype=float)


def _run(folder: Path, given: str, *, what: str) -> str:
    try:
        done = subprocess.run(
            ["ld1.x"], input=given, cwd=folder, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise FailedRunError("no_potential", f"ld1.x did not end within {_SECONDS:g} s on {what}") from None
    if done.returncode:
        raise FailedRunError("no_potential", f"ld1.x failed on {what}: {last_words(done.stdout + done.stderr)}")
    return done.stdout
