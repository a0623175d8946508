"""The bridge to Lightshow: needed today, and enough."""

import subprocess
import sys

from pymatgen.core import Lattice, Structure

from xanesflow.inputs.lightshow_bridge import import_lightshow


def test_lightshow_still_needs_the_bridge():
    plain = subprocess.run([sys.executable, "-c", "import lightshow"], capture_output=True, text=True, check=False)
    assert plain.returncode != 0, "lightshow imports by itself now: remove xanesflow/inputs/lightshow_bridge.py"
    assert "DictSet" in plain.stderr


def test_with_the_bridge_lightshow_writes_feff_inputs(tmp_path):
    import_lightshow()
    from lightshow import FEFFParameters

    cuprite = Structure.from_spacegroup("Pn-3m", Lattice.cubic(4.27), ["Cu", "O"], [[0, 0, 0], [0.25, 0.25, 0.25]])
    cards = {"S02": "0", "COREHOLE": "RPA", "CONTROL": "1 1 1 1 1 1", "XANES": "4 0.04 0.1", "SCF": "7.0 0 100 0.2 3"}
    FEFFParameters(cards=cards, edge="K", radius=9.0, spectrum="XANES").write(tmp_path, structure_uc=cuprite, sites=[0])
    written = list(tmp_path.rglob("feff.inp"))
    assert len(written) == 1
    assert written[0].parent.name == "000_Cu"
    assert "EDGE K" in written[0].read_text()
