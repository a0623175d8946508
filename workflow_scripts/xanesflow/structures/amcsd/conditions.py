"""Temperature and pressure of a measurement, from what an entry of the database says in words."""

from __future__ import annotations

import re
from dataclasses import dataclass

_NUMBER = r"(\d+(?:\.\d*)?|\.\d+)"
_TEMPERATURE = rf"{_NUMBER}\s*(K|(?:deg(?:rees?|\.)?\s*)?C)\b"
_PRESSURE = rf"{_NUMBER}\s*(GPa|MPa|kPa|kbars?|kb|bars?|atm)\b"
_IN_GPA = {"GPa": 1.0, "MPa": 1e-3, "kPa": 1e-6, "kbar": 0.1, "kb": 0.1, "bar": 1e-4, "atm": 1.01325e-4}
_TREATED = re.compile(
    r"(?i)quench|anneal|heated|after heat|dehydrat|treated|synthe|disordered|grown|crystalli[sz]ed|fired|prepared"
    r"|stable|basalt|conduct"
)
"""A line with one of these words is about how the sample was made or behaves, not about the measurement."""

_UNCERTAIN = re.compile(r"(?i)(high|low|elevated)[- ](temp|press)|compress|pressure|\d\s*(K|GPa|kbar|kb)\b|\d C\b")
_ABOUT_SAMPLE = re.compile(r"(?i)(sample|note)\b")

AMBIENT_K = (273.0, 323.0)
AMBIENT_GPA = 0.001
"""Ten atmospheres; papers write the pressure of air as 0.0001 GPa, 1 bar or 0.001 kbar."""


@dataclass(frozen=True)
class Conditions:
    """What an entry states about its measurement."""

    temperature_k: float | None  # in K; None if it states none, which mostly means room temperature
    pressure_gpa: float | None  # in GPa; None if it states none, which mostly means air
    uncertain: bool  # the paper is about other temperatures or pressures, and the entry does not state its own

    @property
    def ambient(self) -> bool:
        """Whether nothing that is stated differs from room conditions."""
        warm = self.temperature_k is None or AMBIENT_K[0] <= self.temperature_k <= AMBIENT_K[1]
        return warm and (self.pressure_gpa is None or self.pressure_gpa <= AMBIENT_GPA)

    def __str__(self) -> str:
        temperature = "" if self.temperature_k is None else f"{self.temperature_k:g} K"
        pressure = "" if self.pressure_gpa is None else f"{self.pressure_gpa:g} GPa"
        return ", ".join(filter(None, (temperature, pressure)))


def read_conditions(text: str) -> Conditions:
    """Read temperature and pressure from the title of a paper and the lines on its sample.

    `T = 300 K` counts anywhere, a bare `555 C` only in a line on the sample, and `at 77 K` in a title. Lines on how the
    sample was made do not count.
    """
    lines = [line.strip() for line in text.splitlines() if not _TREATED.search(line)]
    temperature = _first("T", _TEMPERATURE, lines)
    pressure = _first("P", _PRESSURE, lines)
    kelvin = gigapascal = None
    if temperature is not None:
        kelvin = round(float(temperature[0]) + (0.0 if temperature[1] == "K" else 273.15), 2)
    if pressure is not None:
        gigapascal = float(f"{float(pressure[0]) * _IN_GPA[pressure[1].removesuffix('s')]:.6g}")
    unstated = kelvin is None and gigapascal is None
    return Conditions(kelvin, gigapascal, unstated and _UNCERTAIN.search(" ".join(lines)) is not None)


def _first(letter: str, quantity: str, lines: list[str]) -> tuple[str, str] | None:
    """The first statement of a quantity: its number and its unit."""
    sample = [line for line in lines if _ABOUT_SAMPLE.match(line)]
    title = " ".join(line for line in lines if line not in sample)
    for pattern, where in (
        (rf"\b{letter}\s*=\s*~?\s*{quantity}", lines),
        (rf"(?<![-\w.]){quantity}", sample),
        (rf"\bat\s+{quantity}", [title] if len(re.findall(quantity, title)) == 1 else []),
    ):
        for line in where:
            if found := re.search(pattern, line):
                return found[1], found[2]
    return None
