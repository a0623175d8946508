"""Structures that no honest program writes: CIF, POSCAR, xyz and vasprun.xml."""

from __future__ import annotations

from collections.abc import Iterator

from cif_files import a_cif
from hostile_texts import DEEP, NUMBERS, nested

_NAME, _PLACE = "_space_group_name_H-M_alt", "fract_x fract_y fract_z"


def _cif(*, a: str = "4.2", group: str = "P 1", atoms: str = "Cu1 0 0 0\nO1 0.5 0.5 0.5\n", more: str = "") -> str:
    return a_cif(f"{_NAME} '{group}'\n{more}", [atoms], a=a, columns=f"label {_PLACE}")


def hostile_cifs() -> Iterator[tuple[str, str]]:
    """Crystals without end."""
    yield (
        "200,000 atoms",
        _cif(a="900", atoms="".join(f"Cu{n} {n % 60 / 60} {n // 60 % 60 / 60} {n / 2e5}\n" for n in range(200_000))),
    )
    yield "5,001 atoms at one place", _cif(atoms="Cu1 0 0 0\n" * 5_001)
    yield (
        "20,000 atoms in a group of 192",
        _cif(a="300", group="F d -3 m", atoms="".join(f"Cu{n} {n / 2e4} 0.1 0.2\n" for n in range(20_000))),
    )
    yield (
        "5,000 atoms at one place in a group of 192",
        _cif(a="30", group="F d -3 m", atoms="Cu1 0.11 0.12 0.13\n" * 5000),
    )
    yield (
        "20,000 atoms, overlapping",
        _cif(a="5", atoms="".join(f"Cu{n} {n % 30 / 30} {n // 30 % 30 / 30} {n / 2e4}\n" for n in range(20_000))),
    )
    yield "100,000 operations", _cif(more="loop_\n_space_group_symop_operation_xyz\n" + "x,y,z\n" * 100_000)
    operations = "".join(f"'x+{n}/9999,y,z'\n" for n in range(5000))
    yield "5,000 operations", _cif(more="loop_\n_space_group_symop_operation_xyz\n" + operations)
    yield "a power of powers", _cif(more="loop_\n_space_group_symop_operation_xyz\nx,y,z+9**9**9\n")
    yield "a loop of 100,000 columns", "data_x\nloop_\n" + "".join(f"_a{n}\n" for n in range(100_000)) + "1 " * 100_000
    yield "100,000 blocks", "".join(f"data_{n}\n_a 1\n" for n in range(100_000))
    loop = _cif(atoms="Cu 0 0 0\n").partition("loop_")[2]
    yield "50,000 blocks with atoms", "".join(f"data_{n}\nloop_{loop}" for n in range(50_000))
    yield "nested lists of CIF 2", "#\\#CIF_2.0\ndata_x\n_a " + nested()
    yield "save frames", "data_x\n" + "save_a\n" * 50_000
    yield "a text of 10 MB", "data_x\n_a\n;" + "x" * 10_000_000 + "\n;\n" + _cif()[7:]
    yield "a text without end", "data_x\n_a\n;" + "x\n" * 1_000_000
    yield "a number of a million digits", _cif(a="4." + "1" * 1_000_000)
    yield "a label of a million letters", _cif(atoms="Cu" + "x" * 1_000_000 + " 0 0 0\n")
    yield "a group of a million letters", _cif(group="P" * 1_000_000)
    yield "a formula of a million letters", _cif(more="_chemical_formula_sum '" + "Cu " * 300_000 + "'\n")
    yield "a formula of brackets", _cif(more="_chemical_formula_sum '" + nested("(", ")", inside="Cu") + "'\n")
    yield (
        "an occupancy of 1e999",
        _cif()
        .replace("_fract_z\n", "_fract_z\n_atom_site_occupancy\n")
        .replace("0 0 0", "0 0 0 1e999")
        .replace("0.5\n", "0.5 nan\n"),
    )
    for number in NUMBERS:
        yield f"a cell of {number}", _cif(a=number)
        yield f"a place of {number}", _cif(atoms=f"Cu1 {number} 0 0\n")
    yield "controls", _cif(group="P 1\x1b[2J\x07", atoms="Cu\x1b]0;x\x07 0 0 0\n")


def hostile_poscars() -> Iterator[tuple[str, str]]:
    """POSCARs whose counts lie."""
    for count in ("999999999", "99999999999999999999", "-1", "1e9", "nan", "0", "1 " * 100_000, "2*3", "0x10", "1_000"):
        yield f"{count[:12]} atoms", f"x\n1\n4 0 0\n0 4 0\n0 0 4\nCu\n{count}\nDirect\n0 0 0\n"
    for scale in NUMBERS:
        yield f"a scale of {scale}", f"x\n{scale}\n4 0 0\n0 4 0\n0 0 4\nCu\n1\nDirect\n0 0 0\n"
        yield f"a cell of {scale}", f"x\n1\n{scale} 0 0\n0 4 0\n0 0 4\nCu\n1\nDirect\n0 0 0\n"
        yield f"a place of {scale}", f"x\n1\n4 0 0\n0 4 0\n0 0 4\nCu\n1\nDirect\n{scale} 0 0\n"
    names = " ".join(["Cu"] * 200_000)
    yield "200,000 elements", f"x\n1\n4 0 0\n0 4 0\n0 0 4\n{names}\n{'1 ' * 200_000}\nDirect\n" + "0 0 0\n" * 200_000
    yield "a line of 10 MB", "x" * 10_000_000 + "\n1\n4 0 0\n0 4 0\n0 0 4\nCu\n1\nDirect\n0 0 0\n"
    yield "velocities", "x\n1\n4 0 0\n0 4 0\n0 0 4\nCu\n1\nDirect\n0 0 0\n\n" + "0 0 0\n" * 500_000


def hostile_xyz() -> Iterator[tuple[str, str]]:
    """xyz files whose counts, lattices and properties lie."""
    rows = "Cu 0 0 0\nO 2 0 0\n"
    for count in ("999999999", "9" * 30, "-1", "1e3", "٣", "2.0"):
        yield f"{count[:10]} atoms", f"{count}\n\n{rows}"
    for said in (
        'Lattice="1e999 0 0 0 4 0 0 0 4"',
        'Lattice="4 0 0 0 4 0"',
        'Lattice="nan 0 0 0 4 0 0 0 4"',
        'Lattice="' + "4 " * 99_999 + '"',
        "Properties=species:S:1:pos:R:999999999",
        "Properties=species:S:1:pos:R:-3",
        "Properties=pos:R:3",
        "Properties=species:I:1:pos:R:3",
        "Properties=species:S:1:pos:R:3:species:S:1",
        'a="' + "[" * 50_000,
        "a=" + nested(),
        "a=" + nested("{", "}"),
        'pbc="' + "T " * 9999 + '"',
        'Lattice="4 0 0 0 4 0 0 0 4" pbc="F F F"',
        "=" * 100_000,
        '"' * 9_999,
        "_JSON " + nested(),
        "a=_JSON" + nested(),
    ):
        yield said[:40], f"2\n{said}\n{rows}"
    for place in NUMBERS:
        yield f"a place of {place}", f"2\n\nCu 0 0 0\nO {place} 0 0\n"
    yield "100,000 atoms at one place", "100000\n\n" + "Cu 0 0 0\n" * 100_000


def hostile_vaspruns() -> Iterator[tuple[str, str]]:
    """XML with entities, depth and counts without end."""
    laughs = "".join(f'<!ENTITY l{n + 1} "{f"&l{n};" * 10}">' for n in range(9))
    yield (
        "entities of entities",
        f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l0 "ha">{laughs}]><modeling>&l9;</modeling>',
    )
    yield "an entity of a file", '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><modeling>&e;</modeling>'
    yield "nested deep", "<modeling>" + nested("<a>", "</a>") + "</modeling>"
    yield "an end that is missing", "<modeling>" + "<a>" * DEEP
    yield "100,000 attributes", "<modeling " + " ".join(f'a{n}="1"' for n in range(100_000)) + "/>"
    atoms = "<atominfo><array name='atoms'><set>" + "<rc><c>Cu</c></rc>" * 200_001 + "</set></array></atominfo>"
    yield "200,001 atoms", f"<modeling>{atoms}<structure name='finalpos'/></modeling>"
    yield "an encoding", '<?xml version="1.0" encoding="utf-7"?><modeling/>'


def _disordered(*rows: str, a: str = "4.2", group: str = "P 1") -> str:
    return a_cif(f"{_NAME} '{group}'", rows, a=a, columns=f"label type_symbol {_PLACE} occupancy")


def hostile_disorder() -> Iterator[tuple[str, str]]:
    """Disordered crystals whose cells would hold any number of places, charges or orderings."""
    metals = ["Ti", "V", "Cr", "Mn", "Fe", "Co", "Ni", "Cu", "Zn", "Mo", "W", "Ru", "Re", "Os", "Ir", "Pt"]
    oxygen = "O1 O .5 .5 .5 1"
    for share in ("0.001", "0.01", "0.02", "0.1", "0.999", "0.3333", "0.50001", "1e-320", "1.04", "-0.5", "2"):
        yield f"an occupancy of {share}", _disordered(f"Cu1 Cu 0 0 0 {share}", oxygen)
        yield f"all occupancies {share}", _disordered(f"Cu1 Cu 0 0 0 {share}", f"O1 O .5 .5 .5 {share}")
    for number in (3, 8, 16):
        several = [f"{name}1 {name} 0 0 0 {1 / number:.6f}" for name in metals[:number]]
        yield f"{number} elements at one place", _disordered(*several, oxygen, group="F m -3 m")
        yield f"{number} elements at one place in P 1", _disordered(*several, oxygen)
    yield "occupancies above one", _disordered(*["Cu1 Cu 0 0 0 0.9"] * 9)
    yield "1,000 rows at one place", _disordered(*[f"Cu{n} Cu 0 0 0 0.001" for n in range(1000)])
    yield (
        "5,000 half atoms",
        _disordered(*[f"Cu{n} Cu {n % 17 / 17} {n // 17 % 17 / 17} {n // 289 / 18} .5" for n in range(5000)], a="60"),
    )
    yield (
        "1,000 half atoms, each of its own occupancy",
        _disordered(*[f"Cu{n} Cu {n % 10 / 10} {n // 10 % 10 / 10} {n // 100 / 10} .{n + 1:04d}" for n in range(999)],
                    a="30"),
    )  # fmt: skip
    yield "places 0.3 Å apart", _disordered(*[f"Cu{n} Cu {n * 0.07:.2f} 0 0 .5" for n in range(14)], oxygen)
    yield "a cell of 900 Å", _disordered("Cu1 Cu 0 0 0 .5", a="900")
    yield (
        "a crystal of 192 places",
        _disordered("Cu1 Cu .11 .12 .13 .05", "O1 O .3 .3 .3 .05", group="F d -3 m", a="30"),
    )
    yield "half of everything", _disordered(*[f"{name}{n} {name} {n / 16} .5 0 .5" for n, name in enumerate(metals)],
                                            a="40")  # fmt: skip
    yield "alternatives", _disordered("Cu1 Cu 0 0 0 .5 -1").replace("pancy\n", "pancy\n_atom_site_disorder_group\n")
    yield "controls", _disordered("Cu\x1b[2J Cu 0 0 0 .5")
    yield "elements that are none", _disordered("X1 Vac 0 0 0 .5", "Cu1 Cu 0 0 0 .5")
