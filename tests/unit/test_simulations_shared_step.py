"""A step that the sites of a material share, by a fake engine: once, before them, kept, and their fate."""

import json
import zipfile
from dataclasses import dataclass, field

import pytest
from fake_engine import Campaign, FakeEngine

from xanesflow.codes.run_zip import read_chunk
from xanesflow.core.sites import chunk_of


class Step(FakeEngine):
    """Leaves marks such as `Sr-shared 0`."""

    def write_inputs(self, folder, structure, site_index):
        super().write_inputs(folder, structure, site_index)
        job = json.loads((folder / "job.json").read_text())
        (folder / "job.json").write_text(json.dumps(job | {"name": f"{job['name']}-shared"}))


@dataclass
class SharingEngine(FakeEngine):
    """Its sites need a step of their material."""

    theory: str = "VASP"
    keep: tuple[str, ...] = ("feff.inp", "feff.out", "xmu.dat", "shared.json")
    step: dict[str, str] = field(default_factory=dict)
    at_a_time: int = 4

    @property
    def shared(self):
        return Step(self.marks, do=self.step, theory="VASP", time_limit=self.time_limit)

    def take_shared(self, folder, record):
        (folder / "shared.json").write_text(record["files"]["xmu.dat"]["sha256"])


class SharingCampaign(Campaign):
    def engine(self, **options):
        return SharingEngine(str(self.folder / "marks"), **options)


@pytest.fixture
def campaign(tmp_path):
    return SharingCampaign(tmp_path, subset="Ti_VASP", sites=(1, 2)).write("Sr", "Ca")


def outcomes(path):
    return {
        f"{run.material_id} {run.site_index}": run.record.get("reason", run.record["outcome"])
        for run in read_chunk(path, "VASP")
    }


ALL_GOOD = {"m-ca 1": "finished", "m-ca 2": "finished", "m-sr 1": "finished", "m-sr 2": "finished"}


@pytest.mark.parametrize("workers", [1, 4])
def test_a_shared_step_is_computed_once_for_all_sites_and_packed_beside_them(campaign, workers, caplog):
    with caplog.at_level("INFO"):
        path = campaign.run(workers=workers)
    assert campaign.computed() == {"Ca": 2, "Ca-shared": 1, "Sr": 2, "Sr-shared": 1}
    assert outcomes(path) == ALL_GOOD
    with zipfile.ZipFile(path) as packed:
        names = packed.namelist()
        sha = json.loads(packed.read("Ti/m-ca/VASP/SCF/run.json"))["files"]["xmu.dat"]["sha256"]
        assert packed.read("Ti/m-ca/VASP/001_Ti/shared.json").decode() == sha
    assert [n for n in names if n.endswith("run.json")] == [
        f"Ti/m-{p}/VASP/{f}/run.json" for p in ("ca", "sr") for f in ("SCF", "001_Ti", "002_Ti")
    ]
    assert "4 sites: 4 computed, 0 kept from before, 0 failed" in caplog.text
    first = path.read_bytes()
    assert campaign.run(workers=workers).read_bytes() == first and campaign.computed() == {}


def test_a_material_is_finished_before_the_next_is_begun(campaign):
    marks = campaign.folder / "marks"
    campaign.run(workers=1)
    order = sorted((p for p in marks.iterdir()), key=lambda path: path.stat().st_mtime_ns)
    assert [p.name.partition(" ")[0] for p in order] == ["Ca-shared", "Ca", "Ca", "Sr-shared", "Sr", "Sr"]


def test_no_more_runs_are_at_work_than_the_engine_bears(campaign):
    marks = campaign.folder / "marks"
    campaign.run(workers=4, at_a_time=1, do={"Sr": "wait0.2", "Ca": "wait0.2"}, step={"Ca": "wait0.2"})
    began = sorted(path.stat().st_mtime for path in marks.iterdir())
    # Each that waits holds up all that come after it.
    assert began[-1] - began[0] > 0.9


def test_a_shared_step_that_failed_fails_its_sites_which_are_never_started(campaign):
    path = campaign.run(step={"Ca": "crash"})
    assert outcomes(path) == ALL_GOOD | {"m-ca 1": "shared_step_failed", "m-ca 2": "shared_step_failed"}
    assert campaign.computed() == {"Ca-shared": 1, "Sr": 2, "Sr-shared": 1}
    failed = next(run for run in read_chunk(path, "VASP") if run.material_id == "m-ca")
    assert failed.record["detail"].startswith("the step that all its sites share: exit code 3")
    first = path.read_bytes()
    assert campaign.run(step={"Ca": "crash"}).read_bytes() == first and campaign.computed() == {}


@pytest.mark.parametrize(("do", "reason"), [("kill", "killed"), ("unusable", "isolated_atom")])
def test_a_reason_that_tells_of_more_than_the_step_is_that_of_the_sites(campaign, do, reason):
    path = campaign.run(step={"Ca": do})
    assert outcomes(path) == ALL_GOOD | {"m-ca 1": reason, "m-ca 2": reason}


@pytest.mark.parametrize(
    ("before", "now", "computed"),
    [
        ({"step": {"Ca": "kill"}}, {}, {"Ca": 2, "Ca-shared": 1}),
        ({"do": {"Sr": "kill"}}, {}, {"Sr": 2}),
        ({"step": {"Ca": "crash"}}, {"options": {"bands": 7}}, {"Ca": 2, "Ca-shared": 1, "Sr": 2}),
    ],
    ids=[
        "the step was killed",
        "sites were killed and the step is kept",
        "it failed and its sites have other settings",
    ],
)
def test_what_failed_in_passing_or_is_needed_by_other_sites_is_computed_again(campaign, before, now, computed):
    campaign.run(**before)
    assert campaign.run_again(**now) == computed
    assert outcomes(campaign.output()) == ALL_GOOD


def test_a_chunk_that_stopped_keeps_its_shared_steps(campaign):
    with pytest.raises(Exception, match="not there or may not be executed"):
        campaign.run(workers=1, program="/nowhere/program")
    assert campaign.computed() == {"Ca-shared": 1}
    assert sorted(p.name for p in (campaign.kept / "0000").glob("*.zip")) == ["m-ca_shared.zip"]
    assert outcomes(campaign.run()) == ALL_GOOD
    assert campaign.computed() == {"Ca": 2, "Sr": 2, "Sr-shared": 1}


def test_another_number_of_chunks_moves_the_shared_steps_too(campaign):
    partners = ("Sr", "Ca", "Ba", "Mg")
    campaign.write(*partners, chunks=1).run()
    campaign.computed()
    campaign.write(*partners, chunks=2)
    found = {}
    for chunk in (1, 0):
        path = campaign.run(chunk)
        found |= outcomes(path)
        with zipfile.ZipFile(path) as packed:
            here = {name.split("/")[1] for name in packed.namelist() if "/VASP/SCF/" in name}
        assert here == {f"m-{p.lower()}" for p in partners if chunk_of(f"m-{p.lower()}", 2) == chunk}
    assert campaign.computed() == {} and len(found) == 8


def test_a_damaged_shared_step_is_computed_again_and_its_sites_are_not(campaign):
    path = campaign.run()
    campaign.computed()
    with zipfile.ZipFile(path) as packed:
        contents = {name: packed.read(name) for name in packed.namelist() if "m-ca/VASP/SCF/run.json" not in name}
    (campaign.kept / "0000.zip").unlink()
    with zipfile.ZipFile(campaign.kept / "0000.zip", "w") as packed:
        for name, content in contents.items():
            packed.writestr(name, content)
    assert outcomes(campaign.run()) == ALL_GOOD
    assert campaign.computed() == {"Ca-shared": 1}
