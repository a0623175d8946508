"""Licences of shared datasets and models."""

from __future__ import annotations

LICENCES = {
    "CC-BY-4.0": "Creative Commons Attribution 4.0 International",
    "CC-BY-SA-4.0": "Creative Commons Attribution-ShareAlike 4.0 International",
    "CC-BY-NC-4.0": "Creative Commons Attribution-NonCommercial 4.0 International",
    "CC0-1.0": "Creative Commons Zero 1.0 Universal",
    "ODbL-1.0": "Open Data Commons Open Database License 1.0",
    "BSD-3-Clause": "BSD 3-Clause License",
    "MIT": "MIT License",
}
"""Full names of licences by SPDX identifier. A licence that is not listed here is given by its identifier."""


def licence_text(identifier: str, title: str, what: str) -> str:
    """The text of the file LICENSE; `what` is "dataset" or "model"."""
    return (
        f"{title}\n\nThis {what} is licensed under: {LICENCES.get(identifier, identifier)}\n"
        f"SPDX-License-Identifier: {identifier}\nFull text: https://spdx.org/licenses/{identifier}.html\n"
    )
