"""What the validation of a dataset looks at, and what it found."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CHECKS = {
    "layout": "schema, groups, arrays and attributes are those of a dataset, and can be read",
    "types": "each array holds the kind of numbers or texts that it should",
    "shapes": "all arrays of a subset have a row a site, each spectrum a number an energy",
    "units": "energies in eV, spectra in bohr²",
    "energies": "the grid ascends in even steps and lies at the element's K edge",
    "numbers": "spectra and features are finite",
    "range": "spectra are positive and as high as a K edge is",
    "sites": "no site stands twice, and each has an index and a multiplicity",
    "split": "each site is in a part, and no material is in two",
    "structures": "each site's structure is there, with the element at the site's index",
    "rejected": "every site that was left out has a known reason, and the counts are right",
    "provenance": "versions, configuration, licence, inputs and features' weights are recorded",
    "hashes": "what is stored is what was written",
    "near duplicates": "materials of different parts that are almost the same (reported, no fault)",
}
"""Checks in the order in which they are made."""


@dataclass(frozen=True)
class Finding:
    """One thing that a check found.

    Attributes:
        check: one of `CHECKS`.
        place: subset, array or structure in the file; empty for the file as a whole.
        sentence: what is wrong, or worth knowing.
        fault: whether it makes the dataset invalid.
    """

    check: str
    place: str
    sentence: str
    fault: bool = True

    def __str__(self) -> str:
        return f"{self.place}: {self.sentence}" if self.place else self.sentence


@dataclass
class Validation:
    """What a validation found.

    Attributes:
        path: the file.
        looked_at: by check, what it was made on, in words; a check that is not there was not made.
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
        """As JSON can hold it."""
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
