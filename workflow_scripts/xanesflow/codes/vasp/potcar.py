"""POTCARs of VASP: keep their titles and hashes; read and join the licensed files themselves only on demand.

pymatgen's setting PMG_VASP_PSP_DIR names the library's folder, which has pymatgen's own layout (`pmg config -p`).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path, PurePath
from typing import Any

from monty.io import zopen
from monty.os.path import zpath
from monty.serialization import loadfn

from xanesflow.core.errors import XanesflowError
from xanesflow.core.files import sha256_text

log = logging.getLogger(__name__)

SPEC = "POTCAR.spec"
"""File with the titles of the POTCARs, one on each line, in the order of POSCAR."""

_TITLE = re.compile(r"TITEL *= *(\S.*)")
HOW = "set PMG_VASP_PSP_DIR to its folder, in the environment or by `pmg config --add PMG_VASP_PSP_DIR FOLDER`"
NO_LIBRARY = f"No library of POTCARs is configured; {HOW}, or leave out --potcar."


@cache
def _known(functional: str) -> dict[str, int]:
    path = files("pymatgen.io.vasp") / "potcar-summary-stats.json.bz2"
    table = loadfn(str(path)).get(functional)
    if table is None:
        raise XanesflowError(
            f"inputs.vasp.potcar_functional is {functional}, which pymatgen does not know; try PBE_54."
        )
    return {each["symbol"]: int(each["ZVAL"]) for versions in table.values() for each in versions}


def valence_electrons(title: str, functional: str) -> int:
    """Return the number of valence electrons of a POTCAR such as `Nd_3`, by pymatgen's table of published POTCARs.

    Raises:
        XanesflowError: the POTCAR is not in the table.
    """
    known = _known(functional)
    if title not in known:
        raise XanesflowError(
            f"inputs.vasp.potcars names {title}, which is not among the POTCARs of {functional}; write a title such as "
            "Nd_3."
        )
    return known[title]


def library() -> Path | None:
    """Return the folder of the user's POTCARs; None if none is configured.

    Raises:
        XanesflowError: the folder does not exist.
    """
    from pymatgen.core import SETTINGS  # the current value, not the one at import

    folder = SETTINGS.get("PMG_VASP_PSP_DIR")
    if not folder:
        return None
    path = Path(folder).expanduser()
    if not path.is_dir():
        raise XanesflowError(f"PMG_VASP_PSP_DIR is {folder}, which is no folder; name the folder of your POTCARs.")
    return path


def read_potcar(title: str, functional: str) -> str | None:
    """Read a POTCAR of the user's library; None if there is no library or it lacks this POTCAR."""
    from pymatgen.core import SETTINGS
    from pymatgen.io.vasp.inputs import PotcarSingle

    folder = library()
    if folder is None or not re.fullmatch(r"\w[\w.+-]*", title) or ".." in PurePath(functional).parts:
        return None
    folders = PotcarSingle.functional_dir | SETTINGS.get("PMG_VASP_PSP_SUB_DIRS", {})
    below = folder / folders.get(functional, functional)
    for path in (below / f"POTCAR.{title}", below / title / "POTCAR"):
        found = Path(zpath(str(path)))
        if found.is_file():
            with zopen(found, mode="rt", encoding="utf-8") as opened:
                return str(opened.read())
    return None


def describe_potcars(titles: Iterable[str], functional: str) -> dict[str, dict[str, str]]:
    """Return only the title line and the SHA-256 of each POTCAR that the library holds."""
    described = {}
    for title in sorted(set(titles)):
        text = read_potcar(title, functional)
        if text is not None:
            line = _TITLE.search(text)
            described[title] = {"titel": line[1].rstrip() if line else "", "sha256": sha256_text(text)}
    return described


def assemble(titles: list[str], functional: str) -> str:
    """Join the POTCAR of a calculation from the user's library.

    Raises:
        XanesflowError: no library is configured, or it lacks one of the POTCARs.
    """
    if library() is None:
        raise XanesflowError(NO_LIBRARY)
    parts = []
    for title in titles:
        text = read_potcar(title, functional)
        if text is None:
            raise XanesflowError(f"Your library of POTCARs ({library()}) holds no {title} of {functional}; add it.")
        parts.append(text if text.endswith("\n") else f"{text}\n")
    return "".join(parts)


class NeededPotcars:
    """Collects titles and hashes of the POTCARs that a chunk of inputs needs, for its manifest."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._functional = str(options["potcar_functional"])
        self._titles: set[str] = set()

    def see(self, files: Mapping[str, bytes]) -> None:
        """Collect the titles in files named POTCAR.spec; keys are paths in the zip."""
        for name, content in files.items():
            if name.endswith(f"/{SPEC}"):
                self._titles |= set(content.decode().split())

    def entries(self) -> dict[str, Any]:
        """Return the entry `potcars`."""
        return {"potcars": self._described()}

    def _described(self) -> dict[str, dict[str, str]]:
        """Return title line and hash by title; empty for POTCARs that the library lacks."""
        if not self._titles:
            return {}
        if library() is None:
            log.warning(
                "No library of POTCARs is configured, so only %s names the POTCARs; to let xanesflow join them, %s, "
                "and unpack the inputs with `xanesflow unpack --potcar`.", SPEC, HOW,
            )  # fmt: skip
            return {title: {} for title in sorted(self._titles)}
        described = describe_potcars(self._titles, self._functional)
        if missing := sorted(self._titles - described.keys()):
            log.warning("Your library of POTCARs lacks %s of %s; add them.", ", ".join(missing), self._functional)
        return {title: described.get(title, {}) for title in sorted(self._titles)}
