"""The checks that validate a dataset, and their findings."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CHECKS = {
    "layout": "schema, groups, arrays and attributes are those of a dataset, and can be read",
    "types": "each array holds numbers or texts of the right type",
    "shapes": "all arrays of a subset have one row for each site, each spectrum one number for each energy",
    "units": "energies in eV, spectra in bohr²",
    "energies": "the grid ascends in even steps and lies at the element's K edge",
    "numbers": "spectra and features are finite",
    "range": "spectra are positive and about as high as a K edge should be",
    "sites": "no site is listed twice, and each has an index and a multiplicity",
    "split": "each site is in a part, and no material is in two",
    "structures": "each site has a structure with the right element at its index",
    "rejected": "every site that was left out has a known reason, and the counts are right",
    "provenance": "versions, configuration, licence, inputs and features' weights are recorded",
    "hashes": "the stored values are those that were written",
    "near duplicates": "materials of different parts that are almost the same (reported, no fault)",
}
"""The checks and what they ensure, in the order in which they run."""


@dataclass(frozen=True)
class Finding:
    """One thing that a check found."""

    check: str  # one of `CHECKS`
    place: str  # subset, array or structure in the file; empty for the file as a whole
    sentence: str  # what is wrong, or what you should know
    fault: bool = True  # whether the finding makes the dataset invalid

    def __str__(self) -> str:
        return f"{self.place}: {self.sentence}" if self.place else self.sentence


@dataclass
class Validation:
    """The result of a validation.

    Attributes:
        path: the file.
        looked_at: a phrase for each check that says what it looked at; checks that did not run are missing.
        findings: faults and remarks.
    """

    path: Path
    looked_at: dict[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    @property
    def faults(self) -> list[Finding]:
        """The findings that make the dataset invalid."""
        return [each for each in self.findings if each.fault]

    @property
    def valid(self) -> bool:
        """Whether there is no fault."""
        return not self.faults

    def of(self, check: str) -> list[Finding]:
        """The findings of one check."""
        return [each for each in self.findings if each.check == check]

    def as_plain(self) -> dict[str, Any]:
        """The validation as plain values that JSON can hold."""
        return {
            "file": str(self.path),
            "valid": self.valid,
            "checks": {
                check: {
                    "looked_at": self.looked_at[check],
                    "faults": [str(each) for each in self.of(check) if each.fault],
                    "remarks": [str(each) for each in self.of(check) if not each.fault],
                }
                for check in self.looked_at
            },
        }
