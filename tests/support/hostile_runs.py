"""Folders of finished runs that no code wrote: damaged copies of good ones, and files that ask for far too much."""

from __future__ import annotations

import random
from collections.abc import Iterator

import made_up_runs as made_up
from feff_runs import rocksalt, run_files
from hostile_texts import damaged_texts, nested

Files = dict[str, str]

_LAUGHS = '<!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'

VASP = {
    "Ti/mp-1/VASP/SCF": {
        "INCAR": "ENCUT = 400\nMAGMOM = 2*1\n", "POSCAR": "x\n1\n4 0 0\n0 4 0\n0 0 4\nTi\n1\nDirect\n0 0 0\n",
        "OSZICAR": "   1 F= -.1E+02 E0= -.1E+02\n", "OUTCAR": " vasp.6.3.0\n", "vasprun.xml": "<modeling></modeling>",
    },
    "Ti/mp-1/VASP/000_Ti": {
        "INCAR": "ICORELEVEL = 2\nCLNT = 1\nCLN = 1\nCLL = 0\nCH_LSPEC = .TRUE.\n", "OSZICAR": "x\n", "OUTCAR": "x\n",
        "POSCAR": "x\n1\n4 0 0\n0 4 0\n0 0 4\nTi\n1\nDirect\n0 0 0\n", "vasprun.xml": "<modeling></modeling>",
    },
}  # fmt: skip
"""Steps of VASP that are no good runs, but are read as if they were."""


def good_runs() -> dict[str, Files]:
    """A good run of each code whose runs can be made up."""
    feff = {name: content.decode() for name, content in run_files(rocksalt(), 0).items()}
    return {
        "FEFF": feff,
        "OCEAN": made_up.ocean(0.89),
        "exciting": made_up.exciting(0.89),
        "XSpectra": made_up.xspectra(0.89),
        "FDMNES": made_up.fdmnes(0.89),
    }


def hostile_runs(count: int, seed: int) -> Iterator[tuple[str, Files]]:
    """Runs, the files of each by name; `count` damaged ones of each code."""
    chance = random.Random(seed)
    good = good_runs()
    for code, files in good.items():
        for number in range(count):
            name = chance.choice(sorted(files))
            (damaged,) = damaged_texts(files[name], 1, seed=seed * 1000 + number)
            yield f"{code}: {name} damaged, {number}", files | {name: damaged}
        for name in files:
            yield f"{code}: {name} empty", files | {name: ""}
            yield f"{code}: {name} of other words", files | {name: "nan " * 5000 + "\n"}
    for code, name, text in (
        ("OCEAN", "ocean.in", good["OCEAN"]["ocean.in"].replace("1 1 2", "9999999999*1 1 2")),
        ("OCEAN", "ocean.in", nested("{", "}")),
        ("OCEAN", "photon1", "dipole\ncartesian 1e999 nan 0\nend\n"),
        ("exciting", "input.xml", f"{_LAUGHS}<input>&b;</input>"),
        ("exciting", "input.xml", '<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><input>&e;</input>'),
        ("exciting", "input.xml", "<input>" * 100_000),
        ("exciting", "input.xml", good["exciting"]["input.xml"].replace('xasspecies="1"', 'xasspecies="99999999999"')),
        ("exciting", "input.xml", good["exciting"]["input.xml"].replace('xasspecies="1"', 'xasspecies="x"')),
        ("XSpectra", "lanczos.json", nested()),
        ("XSpectra", "lanczos.json", '{"chains": [[1, [2]]], "core_ev": [], "fermi_ev": 1, "width_ev": 1}'),
        ("FDMNES", "Ti.txt", good["FDMNES"]["Ti.txt"].replace("2.0 =", "0.0 =")),
        ("FDMNES", "Ti.txt", good["FDMNES"]["Ti.txt"].replace("22 ", "9999999999 ")),
        ("FDMNES", "Ti.txt", good["FDMNES"]["Ti.txt"].replace("2.0 =", "x =")),
        ("FEFF", "feff.inp", good["FEFF"]["feff.inp"] + "0 0 0 1\n" * 300_000),
        ("FEFF", "feff.inp", "POTENTIALS\n0 " + "9" * 5000 + "\nATOMS\n0 0 0 0\n"),
        ("FEFF", "xmu.dat", good["FEFF"]["xmu.dat"] * 40),
        ("FEFF", "feff.out", "\x1b[2J\x07" * 1000),
    ):
        yield f"{code}: {name} {text[:20]!r}", good[code] | {name: text}
    for name, text in (
        ("INCAR", "MAGMOM = 9999999999*1\n"),
        ("INCAR", "MAGMOM = 99999999999999999999999 * 1\n"),
        ("INCAR", "LDAUU = " + "1 " * 100_000),
        ("POSCAR", "x\n1\n4 0 0\n0 4 0\n0 0 4\nTi\n999999999\nDirect\n0 0 0\n"),
        ("vasprun.xml", f"{_LAUGHS}<modeling>&b;</modeling>"),
        ("vasprun.xml", "<modeling>" * 100_000),
        ("OUTCAR", "vasp.6.3.0\n" + "9" * 1_000_000),
    ):
        yield (
            f"VASP: {name} {text[:30]!r}",
            {
                f"{folder}/{each}": text if each == name else content
                for folder, files in VASP.items()
                for each, content in files.items()
            },
        )
