"""FEFF in `xanesflow xanes`: named settings, the stage at work, and what was corrected."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pymatgen.core import Structure

from xanesflow.codes.feff.pip_feff import MODULES, OWN, PACKAGE
from xanesflow.codes.finished_run import FinishedRun
from xanesflow.codes.quick_look import QuickLook
from xanesflow.codes.run_engine import SiteSpectrum
from xanesflow.core.errors import WrongCallError
from xanesflow.core.text import listing, plural, quoted

SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "paper": {},
    "quick": {"SCF": "3.5 0 100 0.2 3", "FMS": "5.5 0", "EGRID": ["k_grid -1 0 0.04", "k_grid 0 4 0.06"]},
}
"""Cards that differ from the defaults of `inputs.feff`, by the name of the settings. docs/studies/feff10.md measures
how far the spectra of `quick` are from those of `paper`."""

_STAGES = {
    "pot": "self-consistent field",
    "screen": "core hole",
    "xsph": "phase shifts",
    "fms": "full multiple scattering",
    "ff2x": "spectrum",
}
_ENDED = re.compile(r"^xanesflow: (\w+): ", re.MULTILINE)  # printed by `pip_feff` after each module
_ITERATION = re.compile(r"^SCF ITERATION NUMBER +(\d+)", re.MULTILINE)
_ALWAYS = [name for name, cards in MODULES.items() if not cards]


class FeffLook(QuickLook):
    """See `xanesflow.codes.quick_look`."""

    packages = (PACKAGE, "pymatgen-core")
    # A field in so small a sphere ends at a Fermi level that is off by up to 1 eV.
    not_aligned = MappingProxyType({"settings": {"quick": "the settings quick"}})
    basis = "FEFF 10; see docs/guide/feff.md"

    def changed(self, options: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
        """The options with the cards of the named settings."""
        name = given.get("settings", "paper")
        if name not in SETTINGS:
            raise WrongCallError(f"--settings {quoted(name)} is not known; use {listing(list(SETTINGS))}.")
        inputs = options["inputs"]
        return {**options, "inputs": {**inputs, "cards": {**inputs["cards"], **SETTINGS[name]}}}

    def message(self, folder: Path) -> str:
        """The module at work, and the iteration of the field."""
        attempts = sorted(folder.glob("attempt-*.out"))
        if not attempts:
            return "" if (folder / "result.json").exists() else "starting"
        said = attempts[-1].read_text(encoding="utf-8", errors="replace")
        ended = _ENDED.findall(said)
        last = "mkgtr" if ended[-1:] == [OWN] else next(iter(ended[-1:]), "")
        module = next(islice(_ALWAYS, _ALWAYS.index(last) + 1 if last in _ALWAYS else 0, None), "")
        stage = _STAGES.get(module, module)
        if module == "pot" and (iterations := _ITERATION.findall(said)):
            stage += f", iteration {iterations[-1]}"
        return stage if len(attempts) == 1 else f"attempt {len(attempts)}: {stage}"

    def read(self, folder: Path, structure: Structure, site_index: int) -> SiteSpectrum:
        """As `QuickLook`, with the edge in the record."""
        spectrum = super().read(folder, structure, site_index)
        lines = (folder / "xmu.dat").read_text(encoding="utf-8", errors="replace").splitlines()
        rows = [line.split()[:3] for line in lines if not line.lstrip().startswith("#")]
        edge, *_ = min(rows, key=lambda row: abs(float(row[2])))  # columns: photon energy, energy, k
        return replace(spectrum, record={**spectrum.record, "edge_ev": float(edge)})

    def edge_ev(self, spectrum: SiteSpectrum) -> float:
        """Energy of the edge: the photon energy in xmu.dat at which the wave number k is zero, the Fermi level."""
        return float(spectrum.record["edge_ev"])

    def columns(self, record: Mapping[str, Any]) -> dict[str, str]:
        """Iterations of the field."""
        return {"SCF": plural(record["scf_iterations"], "iteration") if record.get("scf_iterations") else "none"}

    def describe(self, spectrum: SiteSpectrum) -> str:
        """Edge, iterations, corrections, and the seconds of the modules."""
        record = spectrum.record
        parts = [super().describe(spectrum), f"{self.columns(record)['SCF']} of the self-consistent field"]
        if said := _corrections(record):
            parts.append(f"corrected: {said}")
        seconds = record.get("module_seconds", {})
        long = ", ".join(f"{name} {value:.1f}" for name, value in seconds.items() if value >= 1)
        if long:
            parts.append(f"seconds: {long}")
        return "; ".join(parts)

    def remarks(self, name: str, record: Mapping[str, Any]) -> list[str]:
        """What was corrected."""
        said = _corrections(record)
        return [f"{name}: FEFF failed at first; this spectrum is from a corrected input ({said})."] if said else []


def _corrections(record: Mapping[str, Any]) -> str:
    return FinishedRun("", 0, {}, record).corrections
