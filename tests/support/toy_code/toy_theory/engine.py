"""The toy as an engine of the workflow: its program is a few lines of Python."""

import sys

from toy_theory.write_inputs import write_toy
from xanesflow.core.errors import FailedRunError

PROGRAM = """
from math import atan, exp, pi
edge, *distances = map(float, open("toy.in"))
with open("toy.out", "w") as out:
    for energy in (edge - 20 + 0.5 * k for k in range(121)):
        peaks = sum(exp(-((energy - edge - 8 * d) / 3) ** 2) / d**2 for d in distances)
        out.write(f"{energy} {1e-3 * (0.55 + atan(energy - edge) / pi + peaks)}\\n")
print("done")
"""


class ToyEngine:
    """Runs `PROGRAM` in the site's folder."""

    theory, log_name, time_limit, keep = "TOY", "toy.log", 60.0, ("toy.in", "toy.out", "toy.log")

    def __init__(self, options):
        self.options = options

    def settings(self):
        return {"code": "toy 1.0", **vars(self.options)}

    def write_inputs(self, folder, structure, site_index):
        write_toy(folder, structure, site_index, self.options)

    def command(self, folder):
        return [sys.executable, "-c", PROGRAM]

    def validate(self, folder):
        if not (folder / "toy.out").exists():
            raise FailedRunError("engine_failed", "it left no toy.out")

    def record(self, folder):
        return {}
