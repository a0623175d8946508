"""The embedded engine as an engine of the workflow."""

import json

import pytest
from feff_runs import perovskite, rocksalt
from pymatgen.core import Lattice, Structure

from xanesflow.codes.feff8l import programs
from xanesflow.codes.feff8l.engine import Feff8lEngine
from xanesflow.codes.feff8l.options import EngineSettings
from xanesflow.codes.registry import engine_of
from xanesflow.config.model import Config
from xanesflow.core.errors import FailedRunError, XanesflowError

CROWD = ["Cu", "H", "Li", "Be", "B", "C", "N", "O", "F", "Na", "Mg", "Al", "Si"]


def pair(apart):
    return Structure(Lattice.cubic(4), ["Cu", "O"], [[0, 0, 0], [0, 0, apart]], validate_proximity=False)


@pytest.fixture
def engine():
    return Feff8lEngine(EngineSettings())


def test_the_configuration_makes_the_engine():
    engine = engine_of("FEFF8L", Config().simulations.feff8l.model_dump() | {"l_max": 2})
    assert isinstance(engine, Feff8lEngine) and engine.options == EngineSettings(l_max=2)
    with pytest.raises(XanesflowError, match="cannot run OCEAN"):
        engine_of("OCEAN", {})


def test_the_settings_name_options_code_and_programs_as_plain_values(engine):
    settings = engine.settings()
    assert json.loads(json.dumps(settings)) == settings
    assert settings["programs"] == programs.digest() and "xraylarch" in settings["code"]
    assert settings["scf_radius"] == EngineSettings().scf_radius
    assert Feff8lEngine(EngineSettings(core_hole="average")).time_limit > engine.time_limit > 300


CLOSE = r"(Cu and O|O and Cu) near the absorber are 0\.\d\d Å apart, less than 0\.5 Å"
OUTSIDE = "site {} lies outside the structure, which has 2 atoms"
UNUSABLE = {
    "atoms too close": (pair(0.1), 0, "atoms_too_close", CLOSE),
    "atoms in one place": (pair(0), 0, "atoms_too_close", CLOSE),
    "isolated": (Structure(Lattice.cubic(30), ["Cu"], [[0, 0, 0]]), 0, "isolated_atom",
                 r"site 0 \(Cu\) has no neighbour within 9 Å"),
    "too many elements": (Structure(Lattice.from_parameters(13, 4, 4, 90, 90, 90), CROWD,
                                    [[k / 13, 0, 0] for k in range(13)]), 6, "too_many_elements", ""),
    **{f"site {site}": (rocksalt(), site, "cannot_simulate", OUTSIDE.format(site)) for site in (2, 99, -1)},
}  # fmt: skip


@pytest.mark.parametrize("case", UNUSABLE.values(), ids=UNUSABLE.keys())
def test_a_site_that_cannot_be_computed_has_its_reason(tmp_path, engine, case):
    structure, site, reason, said = case
    with pytest.raises(FailedRunError, match=said) as caught:
        engine.write_inputs(tmp_path, structure, site)
    assert caught.value.reason == reason and caught.value.detail


def test_a_run_is_good_with_spectrum_and_record_and_else_says_why(tmp_path, engine):
    engine.write_inputs(tmp_path, perovskite(), 1)
    assert (tmp_path / "site.json").exists()
    for log, detail in (("", "it left no xmu.dat"), ("SCF 2.6\nERROR: pot crashed\n", "pot crashed")):
        (tmp_path / "feff.out").write_text(log)
        with pytest.raises(FailedRunError) as caught:
            engine.validate(tmp_path)
        assert (caught.value.reason, caught.value.detail) == ("engine_failed", detail)
    assert engine.record(tmp_path) == {}
    (tmp_path / "xmu.dat").write_text("1")
    (tmp_path / "result.json").write_text('{"rung": "first"}')
    engine.validate(tmp_path)
    assert engine.record(tmp_path) == {"rung": "first"}
