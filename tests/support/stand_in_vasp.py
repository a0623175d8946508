"""A stand-in for VASP that computes no physics: it behaves like VASP at its files, for tests of what runs VASP.

    python stand_in_vasp.py FOLDER      in a folder with INCAR, KPOINTS, POSCAR and POTCAR

It reads the inputs, checks what VASP would stop at, and writes OUTCAR, OSZICAR, CONTCAR and vasprun.xml in VASP's
layout with made-up numbers, the same for the same inputs. FOLDER is the test's: each start leaves a file there,
`<formula> <step> <number>` with the process's id, its folder and its INCAR; and faults.json may name what goes wrong at
each start, {"<formula> <step>" or "<step>": [fault, ...]}, step being SCF or hole. Standard library only, as it starts
with each attempt.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
import time
from pathlib import Path

ENERGY_OF_ATOM_EV = -8.5
ENERGY_OF_HOLE_EV = -147.0  # as large as brings the edge to where that of titanium belongs
FERMI_EV = 4.321
CORE_LEVEL_EV = -4864.0371
FIRST_EV, RANGE_EV = 4377.9, 650.0  # of the dielectric function, as VASP chooses them
BANDS_EV = 60.0  # that the bands reach above the Fermi level
SAID = {
    "zbrent": "ZBRENT: fatal error in bracketing\n     please rerun with smaller EDIFF",
    "edddav": " Error EDDDAV: Call to ZHEGV failed. Returncode =   7 2 8",
    "brmix": " BRMIX: very serious problems\n the old and the new charge density differ",
    "bands": " TOO FEW BANDS!!\n  you have to increase NBANDS",
    "real_space": " REAL_OPTLAY: internal error (1)",
    "k_mesh": " Routine TETIRR needs special values for k-mesh\n Tetrahedron method fails for NKPT<4",
}


def main(folder: Path) -> None:
    incar, poscar = read_incar(), Poscar()
    step = "hole" if incar.get("CH_LSPEC", "") in (".TRUE.", "True", "T") else "SCF"
    name = f"{poscar.formula} {step}"
    number = len(list(folder.glob(f"{name} *")))
    place = Path.cwd()
    (folder / f"{name} {number}").write_text(json.dumps({"pid": os.getpid(), "folder": str(place), "incar": incar}))
    faults = json.loads((folder / "faults.json").read_text()) if (folder / "faults.json").exists() else {}
    planned = faults.get(name, faults.get(step, []))
    fault = planned[number] if number < len(planned) else ""
    if fault == "not_started":
        sys.stderr.write("vasp_std: error while loading shared libraries: libmpi.so.40\n")
        sys.exit(127)
    say(" running    1 mpi-ranks, on    1 nodes\n vasp.6.4.2 (a stand-in)\n POSCAR found type information on POSCAR")
    potcar = Potcar()
    if len(potcar.titles) != len(poscar.symbols):
        stop(f" ERROR: the number of types on POTCAR ({len(potcar.titles)}) and POSCAR ({len(poscar.symbols)}) differ")
    run = Run(incar, poscar, potcar, step, fault)
    Path("OUTCAR").write_text(head_of_outcar(potcar) + run.dimensions())
    if fault in SAID:
        stop(SAID[fault])
    if fault == "full":
        sys.stderr.write("forrtl: No space left on device\nforrtl: severe (38): error during write, unit 8\n")
        sys.exit(38)
    if fault == "memory":
        sys.stderr.write("Allocation would exceed memory limit\n")
        sys.exit(1)
    for number in range(3):
        say(f"DAV:   {number + 1}    -0.1E+03")
    if fault == "not_hermitian":
        say(" WARNING: Sub-Space-Matrix is not hermitian in DAV            1")
    if fault == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if fault == "hang":
        time.sleep(600)
    if fault.startswith("wait"):
        time.sleep(float(fault[4:]))
    run.write()
    say(" writing wavefunctions")


def say(words: str) -> None:
    sys.stdout.write(words + "\n")
    sys.stdout.flush()


def stop(words: str) -> None:
    say(words)
    sys.exit(1)


def read_incar() -> dict[str, str]:
    lines = (line.split("!")[0].split("#")[0] for line in Path("INCAR").read_text().splitlines())
    pairs = (line.partition("=") for line in lines if "=" in line)
    return {tag.strip().upper(): value.strip() for tag, _, value in pairs}


class Poscar:
    """What stands in POSCAR."""

    def __init__(self) -> None:
        self.text = Path("POSCAR").read_text()
        lines = self.text.splitlines()
        scale = float(lines[1])
        self.lattice = [[scale * float(word) for word in line.split()[:3]] for line in lines[2:5]]
        self.symbols, self.numbers = lines[5].split(), [int(word) for word in lines[6].split()]
        assert lines[7].lower().startswith("d"), "only direct coordinates are read"
        atoms = sum(self.numbers)
        self.places = [[float(word) for word in line.split()[:3]] for line in lines[8 : 8 + atoms]]
        self.atoms = [s for s, n in zip(self.symbols, self.numbers, strict=True) for _ in range(n)]
        counts = {symbol: self.atoms.count(symbol) for symbol in dict.fromkeys(sorted(self.atoms))}
        smallest = min(counts.values())
        self.formula = "".join(f"{s}{n // smallest if n // smallest > 1 else ''}" for s, n in counts.items())

    @property
    def volume(self) -> float:
        (a, b, c), (d, e, f), (g, h, i) = self.lattice
        return abs(a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g))


class Potcar:
    """What stands in POTCAR."""

    def __init__(self) -> None:
        lines = Path("POTCAR").read_text().splitlines()
        self.titles = [line.partition("=")[2].strip() for line in lines if line.split()[:1] == ["TITEL"]]
        self.valence = [float(line.partition("ZVAL")[2].split()[1]) for line in lines if "ZVAL" in line]
        self.cutoff = max(float(line.partition("ENMAX")[2].split()[1].strip(";")) for line in lines if "ENMAX" in line)


def head_of_outcar(potcar: Potcar) -> str:
    """With the heads of the POTCARs, which VASP repeats there."""
    titles = "".join(f" POTCAR:    {title}\n" for title in potcar.titles)
    heads = []
    for title, valence in zip(potcar.titles, potcar.valence, strict=True):
        head = Path("POTCAR").read_text().partition("parameters from PSCTR are:")[2].partition("END of PSCTR")[0]
        of_element = head.partition("VRHFIN =")[2].splitlines()[0]
        mark = head.partition("MARK")[2].splitlines()[0]
        heads.append(
            f" POTCAR:    {title}\n   SHA256 =  0123456789abcdef\n   COPYR  = made up\n   VRHFIN ={of_element}\n"
            f"   TITEL  = {title}\n   ZVAL   =   {valence:.3f}\n   Description\n     l     E      TYP  RCUT\n"
            f"     0  -1.000     23  1.700   MARK{mark}\n"
            "  local pseudopotential read in\n  atomic valenz-charges read in\n"
        )
    return f" vasp.6.4.2 (a stand-in)\n running on    1 total cores\n\n INCAR:\n{titles} {'-' * 100}\n{''.join(heads)}"


class Run:
    """A calculation whose numbers are made up."""

    def __init__(self, incar: dict[str, str], poscar: Poscar, potcar: Potcar, step: str, fault: str) -> None:
        self.incar, self.poscar, self.potcar, self.step, self.fault = incar, poscar, potcar, step, fault
        self.electrons = sum(n * v for n, v in zip(poscar.numbers, potcar.valence, strict=True))
        atoms = len(poscar.atoms)
        default = int(max(self.electrons / 2 + atoms / 2, 0.6 * self.electrons))
        self.bands = int(incar.get("NBANDS", default)) - (5 if fault == "fewer_bands" else 0)
        self.nelm = int(incar.get("NELM", "60"))
        self.steps = self.nelm if fault == "unconverged" else 12
        self.cutoff = float(incar.get("ENCUT", potcar.cutoff))
        # Unlike sites differ by some meV, whatever the order of their atoms.
        self.digest = hashlib.sha256(" ".join(map(str, poscar.places[0])).encode()).digest()
        self.energy = ENERGY_OF_ATOM_EV * atoms + (step == "hole") * (ENERGY_OF_HOLE_EV + self.digest[0] / 1000)
        lines = Path("KPOINTS").read_text().splitlines()
        self.style, self.mesh = lines[2].strip(), [int(word) for word in lines[3].split()[:3]]
        self.k_points = [[k / self.mesh[0], 0.0, 0.0] for k in range(self.mesh[0])]
        self.table = self.dielectric() if step == "hole" else []

    def dielectric(self) -> list[list[float]]:
        """A step and a peak, which is another for each site, the right number of energies (CH_NEDOS), six components.

        As large as gives a cross section of titanium, 2e-3 bohr².
        """
        number, rows = int(self.incar.get("CH_NEDOS", "301")), []
        bands = 15.0 if self.fault == "few_bands" else BANDS_EV
        peak = 14.0 + self.digest[1] / 64
        for k in range(number if self.fault != "short_table" else number // 2):
            energy = FIRST_EV + RANGE_EV * k / number
            x = energy - (FERMI_EV - CORE_LEVEL_EV)
            height = (0.6 + min(x, 10.0) / 25 + 1.5 / (1 + ((x - peak) / 2) ** 2)) * 1.7e-4 / self.poscar.volume
            height *= self.fault != "zeros" and 0 < x < bands
            rows.append([energy, 0.9 * height, height, 1.1 * height, 0.0, 0.0, 0.0])
        return rows

    def write(self) -> None:
        energies = [self.energy + 50.0 * 0.2**k for k in range(self.steps - 1)] + [self.energy]
        if self.step == "SCF":
            Path("CHGCAR").write_text("a density that is never kept\n")
        Path("CONTCAR").write_text(self.poscar.text)
        lines = ["       N       E                     dE             d eps       ncg     rms          rms(c)"]
        lines += [f"DAV: {k + 1:3d}    {e:.12E}   -0.1E+01   -0.1E+01   100   0.1E+02" for k, e in enumerate(energies)]
        last = f"   1 F= {self.energy - 1e-4:.8E} E0= {self.energy:.8E}  d E =-.1E-03"
        Path("OSZICAR").write_text("\n".join([*lines, *([] if self.fault == "no_energy" else [last])]) + "\n")
        with Path("OUTCAR").open("a") as opened:
            opened.write(self.outcar())
        text = self.vasprun(energies)
        Path("vasprun.xml").write_text(text[: len(text) // 2] if self.fault == "truncated" else text)

    def dimensions(self) -> str:
        return (
            f"   k-points           NKPTS = {len(self.k_points):6d}   number of bands    NBANDS= {self.bands:6d}\n"
            f"   ENCUT  = {self.cutoff:.1f} eV\n   NELECT = {self.electrons:12.4f}    total number of electrons\n"
        )

    def outcar(self) -> str:
        loop = "aborting loop EDIFF was not reached (unconverged)" if self.fault == "unconverged" else (
            "aborting loop because EDIFF is reached"
        )  # fmt: skip
        parts = [
            f"  volume of cell :    {self.poscar.volume:12.2f}\n {loop}\n E-fermi :   {FERMI_EV:.4f}\n",
            f"  free  energy   TOTEN  =      {self.energy - 1e-4:14.8f} eV\n",
            f"  energy  without entropy= {self.energy:14.8f}  energy(sigma->0) = {self.energy:14.8f}\n",
        ]
        if self.table and self.fault != "no_table":
            parts += table("IMAGINARY", self.table), table("REAL", self.table)
        if self.fault != "cut":
            parts.append(" General timing and accounting informations for this job:\n   Elapsed time (sec):   1.0\n")
        return "".join(parts)

    def vasprun(self, energies: list[float]) -> str:
        spin = 2 if self.fault == "spin" else 1
        atoms = self.poscar.atoms
        places = self.poscar.places
        if self.fault == "moved":
            places = [[x + 0.1 if k == 0 else x for x in place] for k, place in enumerate(places)]
        return "".join(
            [
                '<?xml version="1.0" encoding="ISO-8859-1"?>\n<modeling>\n <generator>\n'
                '  <i name="program" type="string">vasp </i>\n  <i name="version" type="string">6.4.2  </i>\n'
                '  <i name="subversion" type="string">a stand-in, no VASP</i>\n </generator>\n <incar>\n',
                *(f'  <i type="string" name="{tag}">{value}</i>\n' for tag, value in typed(self.incar)),
                *(f'  <i type="{kind}" name="{tag}">{value}</i>\n' for tag, kind, value in numbers(self.incar)),
                f' </incar>\n <kpoints>\n  <generation param="{self.style}">\n'
                f'   <v type="int" name="divisions">{" ".join(map(str, self.mesh))}</v>\n  </generation>\n',
                varray("kpointlist", self.k_points),
                varray("weights", [[1 / len(self.k_points)] for _ in self.k_points]),
                f' </kpoints>\n <parameters>\n  <separator name="electronic" >\n'
                f'   <i name="ENMAX">{self.cutoff:.8f}</i>\n   <i type="int" name="NBANDS">{self.bands}</i>\n'
                f'   <i name="NELECT">{self.electrons:.8f}</i>\n   <i type="int" name="NELM">{self.nelm}</i>\n'
                f'   <i type="int" name="ISPIN">{spin}</i>\n   <i type="int" name="NSW">0</i>\n'
                '   <i type="int" name="IBRION">-1</i>\n  </separator>\n </parameters>\n <atominfo>\n'
                f"  <atoms>{len(atoms):8d} </atoms>\n  <types>{len(self.poscar.symbols):8d} </types>\n"
                '  <array name="atoms" >\n   <set>\n',
                *(f"    <rc><c>{s:2s}</c><c>{self.species(k):4d}</c></rc>\n" for k, s in enumerate(atoms)),
                '   </set>\n  </array>\n  <array name="atomtypes" >\n   <set>\n',
                *(
                    f"    <rc><c>{n:4d}</c><c>{s:2s}</c><c>  1.0</c><c>{v:.3f}</c><c>{t}</c></rc>\n"
                    for n, s, v, t in zip(
                        self.poscar.numbers, self.poscar.symbols, self.potcar.valence, self.potcar.titles, strict=True
                    )
                ),
                "   </set>\n  </array>\n </atominfo>\n",
                self.structure("initialpos", places),
                " <calculation>\n",
                *(f"  <scstep>\n{energy_block(e)}  </scstep>\n" for e in energies),
                self.structure("", places),
                energy_block(self.energy),
                f'  <dos>\n   <i name="efermi">{FERMI_EV:.8f} </i>\n   <total>\n    <array>\n     <set>\n'
                '      <set comment="spin 1">\n',
                *(f"       <r>{e:.4f} {0.5:.4f} {0.1:.4f} </r>\n" for e in range(-5, 6)),
                "      </set>\n     </set>\n    </array>\n   </total>\n  </dos>\n",
                "  <projected>\n   a large part that is not kept\n  </projected>\n" if self.step == "SCF" else "",
                self.dielectric_block(),
                " </calculation>\n",
                self.structure("finalpos", places),
                "</modeling>\n",
            ]
        )

    def species(self, atom: int) -> int:
        bounds = [sum(self.poscar.numbers[: k + 1]) for k in range(len(self.poscar.numbers))]
        return 1 + sum(atom >= bound for bound in bounds)

    def structure(self, name: str, places: list[list[float]]) -> str:
        named = f' name="{name}"' if name else ""
        return (
            f" <structure{named} >\n  <crystal>\n{varray('basis', self.poscar.lattice)}"
            f'   <i name="volume">{self.poscar.volume:.8f} </i>\n  </crystal>\n'
            f"{varray('positions', places)} </structure>\n"
        )

    def dielectric_block(self) -> str:
        if not self.table or self.fault == "no_table":
            return ""
        rows = "".join(f"      <r>{' '.join(f'{x:.4E}' for x in row)} </r>\n" for row in self.table)
        one = f"    <array>\n     <set>\n{rows}     </set>\n    </array>\n"
        return (
            f'  <dielectricfunction comment="density-density">\n   <imag>\n{one}   </imag>\n   <real>\n{one}'
            "   </real>\n  </dielectricfunction>\n"
        )


def table(which: str, rows: list[list[float]]) -> str:
    lines = "".join("".join(f"{x:20.12f}" for x in row) + "\n" for row in rows)
    return (
        f"  frequency dependent {which:>14} DIELECTRIC FUNCTION (independent particle, no local field effects) "
        "density-density\n     E(ev)      X         Y         Z        XY        YZ        ZX\n"
        f"  {'-' * 110}\n{lines}\n"
    )


def typed(incar: dict[str, str]) -> list[tuple[str, str]]:
    return [(tag, value) for tag, value in incar.items() if not is_number(value)]


def numbers(incar: dict[str, str]) -> list[tuple[str, str, str]]:
    found = [(tag, value) for tag, value in incar.items() if is_number(value)]
    return [(tag, "int" if value.lstrip("+-").isdigit() else "", value) for tag, value in found]


def is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True


def varray(name: str, rows: list[list[float]]) -> str:
    lines = "".join(f"    <v>{' '.join(f'{x:16.8f}' for x in row)} </v>\n" for row in rows)
    return f'   <varray name="{name}" >\n{lines}   </varray>\n'


def energy_block(energy: float) -> str:
    names = ("e_fr_energy", "e_wo_entrp", "e_0_energy")
    return "   <energy>\n" + "".join(f'    <i name="{name}">{energy:16.8f} </i>\n' for name in names) + "   </energy>\n"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
