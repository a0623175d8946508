"""A stand-in for FEFF, for what the real one cannot be made to do on demand: behaves like FEFF 10 at its files.

It knows no physics. Like FEFF's own script it goes on after a failed module, ends with exit code 0 whatever happened,
and uses the files that lie in its folder, of whatever run they are.

    python stand_in_feff.py CONTROL [MODULE]     in a folder with feff.inp; all modules, or one

CONTROL is a folder. Its control.json says what happens to an absorber with a certain element around it:
{"Sr": {"converges": {"iterations": 60, "ca1": 0.1, "radius": 5.6}, "folp": {"2": 0.9}, "do": "..."}}. A mark is left
there for each start: the cards, and the files that lay in the folder.
"""

import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

MODULES = ("rdinp", "atomic", "pot", "screen", "xsph", "fms", "mkgtr", "path", "genfmt", "ff2x")
START_EV = {22: 4964.504, 28: 8332.181, 29: 8983.173}
SYMBOLS = {8: "O", 20: "Ca", 22: "Ti", 28: "Ni", 29: "Cu", 38: "Sr", 56: "Ba", 12: "Mg", 57: "La", 3: "Li"}
LOGS = {"rdinp": "log.dat", "pot": "log1.dat", "xsph": "log2.dat", "fms": "log3.dat", "path": "log4.dat",
        "genfmt": "log5.dat", "ff2x": "log6.dat", "mkgtr": "log3.dat"}  # fmt: skip
FLAG = Path(".feff.error")


class StopError(Exception):
    """As FEFF's par_stop: the module ends, with exit code 0."""


class CrashError(Exception):
    """The module ends with an exit code that is not 0."""


def told(*lines, to=sys.stdout):
    to.write("\n".join(lines) + "\n")
    to.flush()


class Feff:
    def __init__(self, control, *, alone):
        self.control, self.alone, self.log = Path(control), alone, None

    def say(self, *lines):
        told(*lines)
        if self.log:
            with Path(self.log).open("a") as opened:
                opened.writelines(line + "\r\n" for line in lines)

    def run(self, module):
        self.log = LOGS.get(module)
        if self.log and module != "mkgtr":
            Path(self.log).write_text("")
        FLAG.write_text(f"Starting FEFF9 module {module}. If this message is still here, it must have crashed.")
        try:
            getattr(self, module)()
        except StopError as stop:
            told("STOP", to=sys.stderr)
            self.say(*stop.args)
            return 0
        except CrashError as crash:
            told(*crash.args[1:], to=sys.stderr)
            return crash.args[0]
        except FileNotFoundError as error:
            missing = f"Fortran runtime error: Cannot open file '{error.filename}': No such file or directory"
            told(f"At line 108 of file {module}.f90 (unit = 3)", missing, to=sys.stderr)
            return 2
        FLAG.unlink()
        return 0

    def read(self):
        """feff.inp, and what the control file says of it."""
        cards, potentials, atoms, section = {"FOLP": {}}, {}, [], ""
        for line in Path("feff.inp").read_text().splitlines():
            words = line.split("*", 1)[0].split()
            if not words:
                continue
            if words[0][0].isalpha():
                section = words[0]
                if section == "FOLP":
                    cards["FOLP"][words[1]] = float(words[2])
                else:
                    cards[section] = words[1:]
            elif section == "POTENTIALS":
                potentials[words[0]] = int(words[1])
            elif section == "ATOMS":
                atoms.append(([float(x) for x in words[:3]], words[3]))
        told = self.control / "control.json"
        known = json.loads(told.read_text()) if told.exists() else {}
        symbols = [SYMBOLS.get(z, "?") for z in potentials.values()]
        key = next((symbol for symbol in symbols[::-1] if symbol in known), "")
        return cards, potentials, atoms, key, known.get(key, {})

    def rdinp(self):
        cards, potentials, atoms, key, orders = self.read()
        if cards["CONTROL"] == ["0"] * 6:
            self.say("Launching FEFF version FEFF 10.0.0 (stand-in)")
            Path("nothing.inp").write_text("")
            return
        number = len(list(self.control.glob(f"{key}.*.json")))
        mark = {
            "files": sorted(path.name for path in Path().iterdir()),
            "scf": cards.get("SCF"),
            "folp": cards["FOLP"],
            "folder": str(Path.cwd()),
        }
        (self.control / f"{key}.{number}.json").write_text(json.dumps(mark))
        do = orders.get("do", "")
        if do == "hang":
            subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
            time.sleep(600)
        if do == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        self.say("Launching FEFF version FEFF 10.0.0 (stand-in)", "Core hole lifetime is   1.729 eV.")
        if float(cards["SCF"][3]) > 0.5:
            raise StopError(" Reduce convergence factors in SCF", " Cannot run with specified ca1 in SCF card.")
        Path("geom.dat").write_text(json.dumps([potentials, atoms]))
        Path("pot.inp").write_text(json.dumps([cards, orders]))

    def atomic(self):
        Path("geom.dat").stat()
        Path("apot.bin").write_text("whole")
        told("Done with module: atomic potentials.", "")

    def pot(self):
        cards, orders = json.loads(Path("pot.inp").read_text())
        Path("apot.bin").stat()
        self.say("Calculating SCF potentials ...", "FEFF-serial using 1 thread.")
        for potential, most in orders.get("folp", {}).items():
            if cards["FOLP"].get(potential, 1.15) > most:
                raise StopError(f" FOLP for POTENTIAL type {potential:>3} is too big.",
                                " Reduce overlap using FOLP and rerun", "MOVRLP-1")  # fmt: skip
        if orders.get("do") == "bad_counts" and float(cards["SCF"][3]) > 0.1:
            self.say(" Found bad counts.", "Bad counts found repeatedly - pot will exit now.")
            self.say("Done with module: potentials.", "")
            return
        needs = orders.get("converges", {})
        radius, _, iterations, ca1, _ = (float(word) for word in cards["SCF"])
        good = (iterations >= needs.get("iterations", 0) and ca1 <= needs.get("ca1", 1)
                and radius <= needs.get("radius", 99))  # fmt: skip
        for number in range(1, 4):
            self.say(f"SCF ITERATION NUMBER  {number}", "FMS for a cluster of   21 atoms around atom type   0")
        if good:
            self.say("Convergence reached in    3 iterations.")
        else:
            self.say(":WARNING Convergence not reached; ran out of iterations.")
        self.say("Done with module: potentials.", "")
        if not Path("pot.bin").exists():  # as FEFF would use an old one
            Path("pot.bin").write_text(json.dumps(cards["SCF"]))

    def screen(self):
        Path("pot.bin").stat()
        told("Done with module: screened core-hole potential.", "")

    def xsph(self):
        Path("pot.bin").stat()
        Path("phase.bin").write_text("whole")
        self.say("Calculating cross-section and phases ...", "Done with module: cross-section and phases (XSPH).", "")

    def fms(self):
        Path("phase.bin").stat()
        cards, orders = json.loads(Path("pot.inp").read_text())
        _, atoms = json.loads(Path("geom.dat").read_text())
        do = orders.get("do", "")
        if do == "fms killed":
            if self.alone:
                os.kill(os.getpid(), signal.SIGKILL)
            raise CrashError(137)
        self.say("FMS calculation of full Green's function ...", "Using   194 energy points.")
        if do == "no memory":
            where = "In file 'fmspack.f90', around line 166: Error allocating 5971968 bytes: Cannot allocate memory"
            raise CrashError(1, where, "Error termination. Backtrace:")
        centre = next(at for at, kind in atoms if kind == "0")
        took = sum(math.dist(at, centre) <= float(cards["FMS"][0]) + 1e-3 for at, _ in atoms)
        self.say(f"FMS for a cluster of {15 if do == 'cut' else took:4d} atoms")
        Path("gg.bin").write_text("whole")
        self.say("Done with module: FMS.", "")

    def mkgtr(self):
        self.say("MKGTR: Tracing over Green's function ...")
        if not Path("gg.bin").exists():
            told(" Error opening file: gg.bin", " OPEN returned error number    2")
            return
        Path("fms.bin").write_text("whole")
        self.say("Done with module: MKGTR.", "")

    def path(self):
        Path("phase.bin").stat()
        self.say("0 paths retained.", "Done with module: pathfinder.", "")

    def genfmt(self):
        Path("phase.bin").stat()
        self.say("Done with module: EXAFS parameters (GENFMT).", "")

    def ff2x(self):
        potentials, atoms = json.loads(Path("geom.dat").read_text())
        orders = json.loads(Path("pot.inp").read_text())[1]
        Path("phase.bin").stat()
        chi = 0.3 if Path("fms.bin").exists() else 0.0
        text = xmu(potentials["0"], atoms, chi)
        if orders.get("do") == "disk":
            Path("xmu.dat").write_text(text[:8192])
        else:
            Path("xmu.dat").write_text(text)
        self.say("Calculating XAS spectra ...", "Done with module: XAS spectra (FF2X: DW + final sum over paths).", "")


def xmu(atomic_number, atoms, strength):
    """Text of xmu.dat: an arctangent, and waves of the distances."""
    centre = next(at for at, kind in atoms if kind == "0")
    distances = sorted(math.dist(at, centre) for at, _ in atoms)[1:20]
    lines = [
        "# written by the stand-in                                          FEFF 10.0.0",
        f"# # Abs   Z={atomic_number:2d} Rmt= 1.187 Rnm= 1.343 K  shell",
        "# FMS rfms= 4.5000",
        "#  xsedge+ 50, used to normalize mu           2.4418E-04",
        "#  omega    e    k    mu    mu0     chi     @#",
    ]
    for number in range(173):
        k = -1 + 0.04 * number
        e = math.copysign(3.81 * k * k, k)
        mu0 = 0.5 + math.atan((e + 1.5) / 1.2) / math.pi
        chi = strength * mu0 * sum(math.sin(2 * abs(k) * r) / r**2 for r in distances) / 3
        omega = START_EV[atomic_number] + 6.5 + e
        lines.append(f"{omega:22.10f}{e:22.10f}{k:22.10f}{mu0 + chi:20.10E}{mu0:20.10E}{chi:20.10E}")
    return "\n".join(lines) + "\n"


def write_modules(folder, control):
    """Make a folder with a program for each module, as FEFF's own."""
    folder.mkdir()
    for name in MODULES:
        program = folder / name
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -S "{__file__}" "{control}" {name}\n')
        program.chmod(0o755)


if __name__ == "__main__":
    feff = Feff(sys.argv[1], alone=len(sys.argv) > 2)
    if len(sys.argv) > 2:
        sys.exit(feff.run(sys.argv[2]))
    for each in MODULES:
        feff.run(each)
        if each == "rdinp" and Path("nothing.inp").exists():
            break
