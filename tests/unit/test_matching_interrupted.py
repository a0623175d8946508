"""Candidates' spectra survive a match that is killed, and two matches that compute the same ones at once."""

from types import SimpleNamespace

import numpy as np
import pytest
from fake_engine import FakeEngine
from feff_runs import perovskite
from processes import FORK, is_alive, until

from xanesflow.codes import run_engine
from xanesflow.matching.candidates import Candidate
from xanesflow.matching.compute_candidates import compute_missing, plan_spectra
from xanesflow.matching.spectrum_store import SpectrumStore
from xanesflow.structures.material import describe

PARTNERS = ("Sr", "Ca", "Ba")


@pytest.fixture(scope="module")
def candidates():
    materials = [describe(f"m-{each.lower()}", perovskite("Cu", each), symprec=0.01) for each in PARTNERS]
    return [Candidate(each.material_id, "", "Cu", each, ((1, 1),)) for each in materials]


@pytest.fixture
def match(candidates, tmp_path, monkeypatch):
    """Computes what is missing in `tmp_path/kept`, and gives the spectra; runs are processes without physics."""

    def read(run, *_, **__):
        energy = np.linspace(8970.0, 9020.0, 51)
        return SimpleNamespace(energy_ev=energy, cross_section=energy / 9000, background=np.ones(51))

    monkeypatch.setattr(run_engine, "reader_of", lambda theory: read)
    (tmp_path / "marks").mkdir()

    def compute(workers=1, **do):
        engine = FakeEngine(str(tmp_path / "marks"), do=do)
        store = SpectrumStore("FEFF8L", tmp_path / "kept", shipped=tmp_path)
        return compute_missing(plan_spectra(candidates, engine, store), engine, store, workers=workers)

    return compute


def started(folder):
    """How often a run was started for each partner; the program below a hanging run is left out."""
    names = [path.name.split() for path in (folder / "marks").iterdir()]
    return {each: sum(name == each and what != "child" for name, what in names) for each in PARTNERS}


def test_a_killed_match_loses_only_the_site_that_it_was_computing(match, tmp_path):
    process = FORK.Process(target=match, kwargs={"Ba": "hang"})
    process.start()
    child = tmp_path / "marks/Ba child"
    until(lambda: child.is_file() and child.read_text())
    process.kill()
    process.join()
    spectra = match()
    assert len(spectra) == 3 and not any(each.failure for each in spectra.values())
    assert started(tmp_path) == {"Sr": 1, "Ca": 1, "Ba": 2}
    hanging = int((tmp_path / "marks/Ba 0").read_text().split()[0])
    until(lambda: not is_alive(hanging))
    match()
    assert started(tmp_path) == {"Sr": 1, "Ca": 1, "Ba": 2}


def test_two_matches_may_compute_the_same_spectra_at_once(match, tmp_path):
    slow = dict.fromkeys(PARTNERS, "wait0.3")
    processes = [FORK.Process(target=match, kwargs={"workers": 3, **slow}) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
    before = started(tmp_path)
    spectra = match()
    assert started(tmp_path) == before and set(before.values()) <= {1, 2}
    assert [each.cross_section[0] for each in spectra.values()] == pytest.approx([8970 / 9000] * 3, rel=1e-6)
    kept = [path for path in (tmp_path / "kept").rglob("*") if path.is_file()]
    assert sorted(path.stem for path in kept) == sorted(spectra)
