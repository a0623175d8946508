import json

import numpy as np
import pytest
from test_feff8l_pad import pack_all

from xanesflow.codes.feff8l.convergence import read_convergence
from xanesflow.codes.feff8l.field import raise_fermi_level, read_field
from xanesflow.codes.feff8l.options import EngineSettings, ladder
from xanesflow.codes.feff8l.read_outputs import HARTREE_EV
from xanesflow.codes.feff8l.read_pad import pack, unpack
from xanesflow.core.errors import XanesflowError

HEADER = [2.347, -0.4583, -0.8232, 0.716, 307.2, 0.9503, 2.39, 0.61, -1.47, 1.92, 1.05, 56.0, 0.0]


def _text(values: list[float]) -> str:
    return pack_all(np.array(values))


def _pot(tmp_path, values=HEADER):
    text = _text(values)
    lines = [
        " 2 2 8",
        "a title",
        *("!" + text[k : k + 80] for k in range(0, len(text), 80)),
        "  195  190",
        "!" + _text([2.49]),
    ]
    path = tmp_path / "pot.pad"
    path.write_text("\n".join(lines))
    return path


def test_packing_is_what_the_format_says():
    random = np.random.default_rng(1)
    values = random.normal(size=200) * 10.0 ** random.integers(-30, 30, size=200)
    values = np.append(values, [0.0, 1.0, -1.0, 0.1, 10.0])
    packed = pack(values)
    assert len(packed) == 8 * len(values)
    read = unpack(packed)
    wanted = unpack(_text(values))
    assert np.allclose(read, values, rtol=1e-11, atol=0)
    assert np.allclose(read, wanted, rtol=1e-11, atol=0)


def test_only_the_fermi_level_is_raised(tmp_path):
    path = _pot(tmp_path)
    before = path.read_text().splitlines()
    raise_fermi_level(path, 0.6)
    after = path.read_text().splitlines()
    assert [line for line in after if not line.startswith("!")] == [line for line in before if not line.startswith("!")]
    assert after[-1] == before[-1]
    values = unpack("".join(line[1:] for line in after if line.startswith("!"))[: 13 * 8])
    wanted = np.array(HEADER)
    wanted[1] += 0.6 / HARTREE_EV
    assert np.allclose(values, wanted, rtol=1e-11, atol=0)


@pytest.mark.parametrize("content", ["", "no number at all\n", "!RS<U*{RN\nshort header\n"])
def test_a_damaged_file_is_told(tmp_path, content):
    path = tmp_path / "pot.pad"
    path.write_text(content)
    with pytest.raises(XanesflowError, match=r"pot\.pad"):
        raise_fermi_level(path, 0.6)


def test_no_rung_of_the_ladder_stands_twice():
    for radius in (1.2, 1.5, 1.8, 3.0):
        rungs = ladder(EngineSettings(scf_radius=radius))
        assert len(set(rungs)) == len(rungs)
        assert rungs[-1].scf_radius is None


PRINTED = """\
 muffin tin radii and interstitial parameters
 : ipot, Norman radius, Muffin tin radius, Overlap
      0  1.31615E+00  1.23747E+00  1.15000E+00
      1  1.10163E+00  1.04546E+00  1.14334E+00
           Core-valence separation
 : mu_old=    -1.250
           SCF ITERATION NUMBER  1  OUT OF  2
 mu_new=    -4.232
 Charge transfer:  iph  charge(iph)
       0    0.675
       1   -0.267
           SCF ITERATION NUMBER  2  OUT OF  2
 mu_new=    -9.916
 Charge transfer:  iph  charge(iph)
       0    0.652
       1   -0.241
 Done with module 1: potentials.
"""


def test_a_single_iteration_has_a_record_in_strict_json():
    one = PRINTED.partition("           SCF ITERATION NUMBER  2")[0]
    record = read_convergence(one, wanted=1).as_dict()
    assert (record["iterations"], record["last_change_ev"]) == (1, None)
    json.dumps(record, allow_nan=False)
    assert read_convergence(PRINTED, wanted=2).as_dict()["last_change_ev"] == pytest.approx(5.684)


def test_the_numbers_of_a_field_are_those_of_pot(tmp_path):
    field = read_field(_pot(tmp_path), PRINTED, read_convergence(PRINTED, wanted=2))
    assert field.charges == (0.652, -0.241), "those of the last iteration"
    assert (field.start_ev, field.norman_radius) == (-1.25, 1.31615)
    assert field.fermi_ev == pytest.approx(-0.4583 * HARTREE_EV)
    wanted = [-0.4583 * HARTREE_EV, 2.347, -0.8232, 0.716, 0.61, -1.47, 1.92, 1.05]
    wanted += [-1.25, -4.232, -9.916, -9.916, 2, 0.652, 0.652, -0.241, 1.31615]
    assert field.describe() == pytest.approx(wanted)


@pytest.mark.parametrize("missing", ["mu_old", "mu_new", "Charge transfer", "Overlap"])
def test_output_without_a_field_is_told(tmp_path, missing):
    printed = PRINTED.replace(missing, "something else")
    with pytest.raises(XanesflowError, match="holds no self-consistent field"):
        read_field(_pot(tmp_path), printed, read_convergence(printed, wanted=2))
