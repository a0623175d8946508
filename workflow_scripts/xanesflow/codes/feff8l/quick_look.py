"""The embedded engine in `xanesflow xanes`: rungs and convergence of its fields."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xanesflow.codes.feff8l.fermi_level import load_model
from xanesflow.codes.feff8l.options import EngineSettings
from xanesflow.codes.quick_look import QuickLook
from xanesflow.codes.run_engine import SiteSpectrum
from xanesflow.core.sites import ELEMENTS

_ENDS = ("done in", "ERROR:")  # last lines of a log, which the command reports itself


class Feff8lLook(QuickLook):
    """See `xanesflow.codes.quick_look`."""

    packages = ("xraylarch", "pymatgen-core", "scipy")
    basis = "FEFF 8 Lite potentials with own full multiple scattering; see docs/guide/embedded-engine.md"

    def notes(self, element: str) -> list[str]:
        """Say where the engine is wrong: it was made for Ti to Cu, and its Fermi level is learned for Cu."""
        if element not in ELEMENTS:
            return [
                "The embedded engine is meant for Ti to Cu, and its accuracy was studied for Cu; use the spectra of "
                f"{element} with care."
            ]
        if load_model(element) is not None:
            return []
        return [
            f"The embedded engine's Fermi level is not corrected for {element}. On 17 sites of metals other than Cu "
            "its spectra lay 0.6 ± 0.8 eV too low (at most 1.8 eV), and those of early metals and d0 ions differed "
            "in shape too; --theory FEFFQ is nearer, in minutes (docs/studies/quick-feff.md)."
        ]

    def message(self, folder: Path) -> str:
        """The last line of the log, except those at the end of a run."""
        said = super().message(folder)
        return "" if said.startswith(_ENDS) else said or "starting"

    def edge_ev(self, spectrum: SiteSpectrum) -> float:
        """Energy of the edge, which is the zero of the engine's energy range."""
        settings: EngineSettings = self.engine.options
        return float(spectrum.energy_ev[0]) - settings.energy_range[0]

    def columns(self, record: Mapping[str, Any]) -> dict[str, str]:
        """Rungs, and whether all fields converged."""
        fields = _fields(record)
        return {
            "rung": ", ".join(dict.fromkeys(str(each["rung_number"]) for each in fields)),
            "SCF": "converged" if all(map(_converged, fields)) else "not converged",
        }

    def describe(self, spectrum: SiteSpectrum) -> str:
        """Edge, then Fermi level, hole, rung and convergence of each field."""
        parts = [super().describe(spectrum)]
        for number, record in enumerate(_fields(spectrum.record)):
            scf = record["convergence"]
            change = f", last change of the Fermi level {scf['last_change_ev']:.3f} eV" if scf["iterations"] > 1 else ""
            parts.append(
                f"Fermi level {record['fermi_ev']:.3f} eV, of it {record.get('fermi_offset_ev', 0.0):+.2f} eV added, "
                f"core hole {'on' if number or self.engine.options.core_hole == 'on' else 'off'}, rung "
                f"{record['rung_number']} ({record['rung']}), {'converged' if _converged(record) else 'not converged'} "
                f"after {scf['iterations']} iterations{change}"
            )
        return "; ".join(parts)

    def remarks(self, name: str, record: Mapping[str, Any]) -> list[str]:
        """One sentence for each field with a problem."""
        said = []
        for each in _fields(record):
            scf = each["convergence"]
            if not scf["iterations"]:
                said.append(
                    f"{name}: no self-consistent field could be computed, so the potentials of overlapped free atoms "
                    "were used; use its spectrum with care."
                )
                continue
            if scf["iterations"] == 1 and not _converged(each):
                said.append(
                    f"{name}: the self-consistent field had a single iteration, so it is not known whether it "
                    "converged; use its spectrum with care."
                )
            elif not _converged(each):
                said.append(
                    f"{name}: the self-consistent field did not converge (the last of {scf['iterations']} iterations "
                    f"moved the Fermi level by {scf['last_change_ev']:.2f} eV); use its spectrum with care."
                )
            if each["rung_number"] > 1:
                said.append(
                    f"{name}: the usual settings of the self-consistent field failed, so rung "
                    f"{each['rung_number']} was used ({each['rung']})."
                )
        return said


def _fields(record: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Records of a site's self-consistent fields: one, or two for the average without and with the core hole."""
    return [record, *([record["with_hole"]] if "with_hole" in record else [])]


def _converged(record: Mapping[str, Any]) -> bool:
    return bool(record["convergence"]["converged"])
