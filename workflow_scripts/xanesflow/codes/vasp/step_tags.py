"""Compare the tags of INCAR of both steps: the difference of their total energies places the spectrum."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from xanesflow.core.text import fortran_number

FREE = frozenset(
    {
        *("ALGO", "IALGO", "ISEARCH", "TIME", "NELM", "NELMIN", "NELMDL", "ISTART", "ICHARG", "ISYM", "SYMPREC"),
        *("AMIX", "BMIX", "AMIX_MAG", "BMIX_MAG", "AMIN", "IMIX", "MIXPRE", "MAXMIX", "INIMIX"),
        *("KPAR", "NCORE", "NPAR", "NSIM", "LPLANE", "LSCALAPACK"),
    }
)
"""Tags of how VASP finds the result, which a correction may set or remove."""

MAY_DIFFER = FREE | {
    # the core hole and its spectrum
    *("ICORELEVEL", "CLNT", "CLN", "CLL", "CLZ", "CH_LSPEC", "CH_NEDOS", "CH_SIGMA", "CH_AMPLIFICATION"),
    *("LOPTICS", "CSHIFT", "LNABLA", "LVEL", "NEDOS", "EMIN", "EMAX"),
    # how the electrons converge, and on which processes
    *("NBANDS", "EDIFF", "DEPER", "EBREAK", "WEIMIN", "LDIAG", "LSUBROT", "INIWAV", "IWAVPR", "NDAV", "LMAXMIX"),
    *("LMIXTAU", "MIXFIRST", "LSCALU", "LSCAAWARE", "LASYNC", "NBLK", "MAXMEM", "RANDOM_SEED"),
    # atoms, which do not move, and magnetic moments, as no state is spin-polarised
    *("NSW", "IBRION", "ISIF", "EDIFFG", "POTIM", "NFREE", "NBLOCK", "KBLOCK", "LCORR", "MAGMOM", "NUPDOWN"),
    # what is written
    *("SYSTEM", "NWRITE", "LWAVE", "LCHARG", "LWAVEH5", "LCHARGH5", "LH5", "LORBIT", "RWIGS", "LVTOT", "LVHAR"),
    *("LAECHG", "LELF", "LPARD", "LKPROJ", "LDAUPRINT"),
}
"""Tags that leave the total energy as it is. All others must agree."""

OF_SPECIES = ("LDAUL", "LDAUU", "LDAUJ", "ROPT", "VDW_C6", "VDW_R0")
"""Tags with a value for each species; the core hole step has one more species, the absorber."""

DEFAULTS: Mapping[str, Any] = {
    "PREC": "Normal", "LREAL": False, "ISPIN": 1, "ISMEAR": 1, "SIGMA": 0.2, "LASPH": False, "ADDGRID": False,
    "LDAU": False, "LDAUTYPE": 2, "METAGGA": "None", "LHFCALC": False, "IVDW": 0, "LUSE_VDW": False,
    "LSORBIT": False, "LNONCOLLINEAR": False, "LDIPOL": False, "LMONO": False, "IDIPOL": 0, "EFIELD": 0.0,
    "LSOL": False, "GGA_COMPAT": True, "LMAXPAW": -100, "KGAMMA": True,
}  # fmt: skip
"""What VASP takes if INCAR lacks the tag."""

_BY_FIRST_LETTER = ("PREC", "PRECFOCK", "LREAL")


def differing_tag(
    ground_state: Mapping[str, Any], core_hole: Mapping[str, Any], defaults: Mapping[str, Any]
) -> tuple[str, Any, Any] | None:
    """Find a tag that total energies depend on and that the steps give two values.

    Args:
        ground_state: tag, in capitals -> value.
        core_hole: likewise.
        defaults: what a step has where it lacks a tag; None for all others.

    Returns:
        The first such tag by name, with its value in each step; None if there is none.
    """
    for tag in sorted({*ground_state, *core_hole} - MAY_DIFFER):
        one, other = (step.get(tag, defaults.get(tag)) for step in (ground_state, core_hole))
        if _as_vasp_reads(tag, one) != _as_vasp_reads(tag, other):
            return tag, one, other
    return None


def by_element(tags: Mapping[str, Any], symbols: Sequence[str]) -> dict[str, Any]:
    """Replace the values for each species by those for each element, such as `O 0, Ti 4`.

    Args:
        tags: of a step.
        symbols: of its species, in the order of POSCAR.
    """
    found = dict(tags)
    for tag in OF_SPECIES:
        if isinstance(values := tags.get(tag), list):
            pairs = {f"{symbol} {value:g}" for symbol, value in zip(symbols, values, strict=False)}
            found[tag] = ", ".join(sorted(pairs))
    return found


def _as_vasp_reads(tag: str, value: Any) -> Any:
    if isinstance(value, list):
        return [_as_vasp_reads(tag, each) for each in value]
    if not isinstance(value, str):
        return value
    word = value.strip().lower()
    if re.fullmatch(r"\.?(t|true|f|false)\.?", word):
        return word.strip(".").startswith("t")
    try:
        return fortran_number(word)
    except ValueError:
        return word[:1] if tag in _BY_FIRST_LETTER else word
