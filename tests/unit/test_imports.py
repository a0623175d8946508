"""What must answer at once loads no library that takes long to import."""

import subprocess
import sys

import pytest

HEAVY = ("chgnet", "h5py", "larch", "matgl", "matplotlib", "numpy", "pandas", "pyarrow", "pymatgen", "scipy", "torch")
CALL = "from xanesflow.cli.commands import app\ntry:\n    app({})\nexcept SystemExit:\n    pass"
PREDICT = "import xanesflow.cli.show_predictions, xanesflow.features.graph_networks.m3gnet"
PLAN = "import xanesflow.config.campaign, xanesflow.config.load, xanesflow.config.preflight"
FEFF8L = """
from xanesflow.codes.feff8l.programs import folder_of_programs
from xanesflow.core.errors import XanesflowError
try:
    folder_of_programs()
except XanesflowError:
    pass
"""

# What is done, and libraries beside `HEAVY` that it does not load; after a minus those of `HEAVY` that it does.
CASES = {
    "the package": ("import xanesflow", ""),
    "the package's own names": ("import xanesflow\nxanesflow.load", "-numpy h5py pymatgen scipy"),
    "help": (CALL.format(["--help"]), ""),
    "help of measured": (CALL.format(["measured", "--help"]), "xraydb"),
    "the page's server": ("import xanesflow.app.server", ""),
    "planning": (PLAN, "-numpy"),
    "looking for FEFF 8 Lite": (FEFF8L, "-numpy pymatgen scipy"),
    "reading structures": (
        "import xanesflow.structures.collect_structures",
        "sympy -h5py numpy pandas pyarrow pymatgen scipy",
    ),
    "measured": ("import xanesflow.cli.measured", "plotly -numpy scipy"),
    "match and mix": (
        "import xanesflow.cli.show_match, xanesflow.cli.show_mix",
        "plotly -h5py numpy pandas pyarrow pymatgen scipy",
    ),
    # Each of these takes a tenth of a second to a second, and `xanesflow predict` is to answer within 4 s.
    "predicting": (PREDICT, "sklearn torch_geometric plotly dscribe -numpy h5py pymatgen scipy torch"),
}


@pytest.mark.parametrize(("code", "libraries"), CASES.values(), ids=CASES)
def test_no_heavy_library_is_loaded(code, libraries):
    more, _, loaded = libraries.partition("-")
    unwanted = {*HEAVY, *more.split()} - {*loaded.split()}
    command = [sys.executable, "-c", f"import sys\n{code}\nprint('\\n', *sys.modules)"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1]
    assert not unwanted & {*printed.split()}
