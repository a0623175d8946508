"""A measured spectrum before and after normalisation, and the options for reading and normalising it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from xanesflow.core.array_types import Floats

Mode = Literal["transmission", "fluorescence", "reference", "mu", "normalised"]
"""What the columns of a file give: µ from counts, µ itself, or a spectrum that is already normalised."""

Range = tuple[float, float]


@dataclass(frozen=True)
class Reading:
    """How to read a file, if the file itself does not say it.

    Attributes:
        columns: which column holds what, as `energy=1,i0=2,it=3`; a column is a number from 1 on or its name.
        mode: the signal to take if a file has several.
        energy_unit: eV, keV or deg (of the monochromator).
        d_spacing: of the monochromator's planes in Å, for energies as angles.
        decimal: point or comma.
        groups: labels of an Athena project's groups to read.
        exclude: energies in eV, from and to, whose points are left out.
    """

    columns: str | None = None
    mode: Mode | None = None
    energy_unit: Literal["eV", "keV", "deg"] | None = None
    d_spacing: float | None = None
    decimal: Literal["point", "comma"] | None = None
    groups: tuple[str, ...] = ()
    exclude: tuple[Range, ...] = ()


@dataclass(frozen=True)
class Normalisation:
    """How to normalise a spectrum; None takes the value from the file or the data.

    Attributes:
        e0_ev: the edge; None: where the normalised spectrum last crosses one half.
        element: symbol of the absorber.
        edge: such as K or L3.
        pre: eV relative to the edge, range of the line before the edge.
        post: eV relative to the edge, range of the polynomial after the edge.
        order: degree of that polynomial, 0 to 2.
    """

    e0_ev: float | None = None
    element: str | None = None
    edge: str | None = None
    pre: Range | None = None
    post: Range | None = None
    order: int | None = None


@dataclass(frozen=True)
class Stored:
    """Normalisation that an Athena project holds for a group."""

    e0_ev: float  # its edge, on the shifted energies
    pre: Range | None = None  # absolute energies in eV
    post: Range | None = None  # absolute energies in eV
    order: int | None = None  # degree of the polynomial after the edge
    step: float | None = None  # the edge step, if it was fixed by hand


@dataclass(frozen=True, eq=False)
class Scan:
    """A spectrum as it was read: rising energies in eV, finite values, not normalised yet."""

    energy_ev: Floats  # (n,) photon energies in eV, rising
    mu: Floats  # (n,) µ or, in mode `normalised`, the normalised spectrum
    mode: Mode  # what `mu` was computed from
    source: str  # the file's name, with the group's label for a project
    element: str | None = None  # as the file states it, or None
    edge: str | None = None  # as the file states it, or None
    e0_ev: float | None = None  # as a table of ours states it, or None
    flattened: Floats | None = None  # (n,) as the file gives it, or None
    stored: Stored | None = None  # a project's normalisation, or None
    parameters: Mapping[str, Any] = field(default_factory=dict)  # how it was read, for the record
    remarks: tuple[str, ...] = ()  # sentences for the user


@dataclass(frozen=True, eq=False)
class MeasuredSpectrum:
    """A measured spectrum, normalised.

    Attributes:
        energy_ev: (n,) photon energies in eV, rising.
        mu: (n,) absorption as measured, in the units of the file.
        normalised: (n,) µ less the line before the edge, in units of the edge step.
        flattened: (n,) as `normalised`, after the edge less the slope of the curve there.
        e0_ev: the edge in eV: the last crossing of one half, unless the user gave another.
        edge_step: in units of `mu`.
        element: symbol of the absorber.
        edge: such as K.
        parameters: how it was obtained, ready for JSON: reading, ranges, order, other estimates of the edge, noise.
        source: the file's name, with the group's label for a project.
        pre_edge: (n,) the line before the edge.
        post_edge: (n,) the curve after the edge.
        remarks: sentences for the user.
    """

    energy_ev: Floats
    mu: Floats
    normalised: Floats
    flattened: Floats
    e0_ev: float
    edge_step: float
    element: str
    edge: str
    parameters: Mapping[str, Any]
    source: str
    pre_edge: Floats
    post_edge: Floats
    remarks: tuple[str, ...] = ()

    @property
    def half_step_ev(self) -> float:
        """Where the normalised spectrum last crosses one half, in eV: spectra are aligned by it."""
        return float(self.parameters["half_step_ev"])

    @property
    def scan(self) -> frozenset[str]:
        """What tells one scan from others, whatever its file is called: the SHA-256 of its text, with the group in it.

        A merged one has those of all its parts. Neither packing nor normalisation by `xanesflow measured` changes it.
        """
        key = str(self.parameters.get("group_key", ""))
        texts = str(self.parameters.get("text_sha256", "")).split() or [self.source]
        return frozenset("".join(f"{text}:{key}".rstrip(":").split()) for text in texts)
