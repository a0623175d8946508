"""Made-up measured spectra: an arctangent of known step, slope and edge, written in every format."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np

E0, STEP, WIDTH = 7120.0, 1.3, 0.8
SLOPE, LEVEL = -2e-4, 0.45

ENERGY = np.unique(
    np.round(np.concatenate([np.arange(6960, 7100, 5), np.arange(7100, 7160, 0.5), np.arange(7160, 7700, 3)]), 4)
)


def mu(energy=ENERGY, *, e0=E0, step=STEP, noise=0.0):
    """A line and an arctangent; half the step is at `e0`."""
    edge = 0.5 + np.arctan((energy - e0) / WIDTH) / np.pi
    made = LEVEL + SLOPE * (energy - 7000) + step * edge
    return made + noise * np.random.default_rng(1).normal(size=len(energy))


def counts(energy=ENERGY, **options):
    """I0 that varies, and It after the sample."""
    i0 = 2e6 * (1 + 0.1 * np.sin(energy / 40))
    return i0, i0 * np.exp(-mu(energy, **options))


def table(path: Path, *columns, header="", separator=" ", comma=False, digits=8) -> Path:
    """Text in columns."""
    rows = [separator.join(f"{value:.{digits}f}" for value in row) for row in zip(*columns, strict=True)]
    text = "\n".join(rows) + "\n"
    if comma:
        text = text.replace(".", ",")
    path.write_text(header + text, encoding="utf-8")
    return path


def xdi(path: Path, names: str, *columns, element="Fe", edge="K", more="", unit="eV") -> Path:
    """An XDI file; `names` of the columns after the energy."""
    labels = ["energy " + unit, *names.split()]
    header = "# XDI/1.0\n" + "".join(f"# Column.{n}: {label}\n" for n, label in enumerate(labels, 1))
    header += f"# Element.symbol: {element}\n# Element.edge: {edge}\n{more}# ///\n# made up\n#---\n"
    return table(path, *columns, header=header, separator="  ")


def perl_group(key: str, label: str, x, y, **args) -> str:
    """A group as Athena writes it, with quoted numbers and lists inside lists."""
    known = {"label": label, "bkg_z": "Fe", "fft_edge": "k", "is_nor": "0", "datatype": "xmu", **args}
    quoted = ",".join(f"'{name}','{_escaped(value)}'" for name, value in known.items())
    title = _escaped("It's a title")
    lines = [
        f"$old_group = '{key}';",
        f"@args = ({quoted},'titles',['{title}','(second; line)'],'reference',undef);",
        "@x = (" + ",".join(f"'{value:.6f}'" for value in x) + ");",
        "@y = (" + ",".join(f"'{value:.10f}'" for value in y) + ");",
        "[record]   #",
    ]
    return "\n".join(lines) + "\n\n"


def _escaped(value) -> str:
    return str(value).replace("\\", "\\\\").replace("'", "\\'")


def project(path: Path, *groups: str, larch=False, packed=True) -> Path:
    """An Athena project."""
    text = "# Athena project file -- Demeter version 0.9.26\n# This file created at 2020-01-01T00:00:00\n"
    text += "# Using Larch version 2026.3.1\n" if larch else "# Using Perl 5.012003\n"
    text += "\n".join(groups) + "\n@journal = ('it\\'s mine;');\n\n1;\n\n"
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    return path
