"""VASP as the engine of a chunk, by the stand-in: what is kept, what is licensed, and what stops a chunk."""

import json
import zipfile

import pytest
from fake_engine import Campaign
from sentences import tells
from vasp_runs import MARK, command, engine, go_wrong, make_library, starts, two_titania

from xanesflow.codes.registry import engine_of
from xanesflow.codes.run_zip import read_chunk
from xanesflow.codes.vasp.step_job import Job
from xanesflow.config.campaign import Campaign as Planned
from xanesflow.config.load import load_config
from xanesflow.core.errors import XanesflowError
from xanesflow.structures.material import describe
from xanesflow.structures.site_table import write_site_table, write_structures


class VaspCampaign(Campaign):
    """A chunk of Ti_VASP: TiO2 with two sites. A step takes seconds, as each loads pymatgen and custodian anew."""

    def __init__(self, folder):
        super().__init__(folder, subset="Ti_VASP")
        self.marks = folder / "marks"
        titania = describe("m-tio2", two_titania(), symprec=0.01)
        write_structures(self.structures, [titania])
        write_site_table(self.site_table, [(titania, 0), (titania, 1)], chunks=1)

    def engine(self, **options):
        return engine(self.marks, **options)

    def runs(self):
        return {run.site_index: run for run in read_chunk(self.run(workers=4), "VASP")}


@pytest.fixture
def campaign(tmp_path, monkeypatch):
    library = make_library(tmp_path / "library")
    monkeypatch.setattr("pymatgen.core.SETTINGS", {"PMG_VASP_PSP_DIR": str(library)})
    monkeypatch.setenv("PMG_VASP_PSP_DIR", str(library))
    return VaspCampaign(tmp_path)


def test_a_chunk_of_vasp_is_computed_corrected_kept_and_holds_nothing_licensed(campaign):
    go_wrong(campaign.marks, SCF=["bands"])
    runs = campaign.runs()
    assert starts(campaign.marks) == {"O2Ti SCF": 2, "O2Ti hole": 2}
    assert {run.record["outcome"] for run in runs.values()} == {"finished"}

    files = {"INCAR", "KPOINTS", "POSCAR", "POTCAR.spec", "OSZICAR", "OUTCAR", "vasprun.xml"}
    with zipfile.ZipFile(campaign.output()) as packed:
        contents = {name: packed.read(name) for name in packed.namelist()}
    for step in ("SCF", "000_Ti", "001_Ti"):
        names = {name.rpartition("/")[2] for name in contents if name.startswith(f"Ti/m-tio2/VASP/{step}/")}
        assert names == files | {"vasp.out", "custodian.log", "run.log", "run.json"}
    kept = [
        path for place in (campaign.output(), campaign.kept) for path in (place, *place.rglob("*")) if path.is_file()
    ]
    assert len(kept) >= 2
    for path in kept:
        with zipfile.ZipFile(path) as packed:
            for name in packed.namelist():
                assert MARK.encode() not in packed.read(name) and not name.endswith("POTCAR"), name
    assert not list((campaign.folder / "scratch").iterdir())

    scf = json.loads(contents["Ti/m-tio2/VASP/SCF/run.json"])
    assert scf["corrections"] == [
        {"handler": "VaspErrorHandler", "errors": ["too_few_bands"], "changes": {"NBANDS": [None, 47]}, "left_out": {}}
    ]
    assert scf["attempts"] == 2 and scf["settings"]["step"] == "ground state" and "max_bands" not in scf["settings"]
    site = runs[1].record
    assert site["ground_state_energy_ev"] == scf["energy_ev"] == pytest.approx(-51.0)
    assert site["delta_scf_ev"] == pytest.approx(site["energy_ev"] + 51.0)
    assert site["potcars"].keys() == {"Ti_sv_GW", "O_GW"}


@pytest.mark.parametrize(
    ("fault", "words"),
    [("not_started", r"ended with exit code 127 before VASP wrote anything: .*libmpi"), ("full", "the disk is full")],
)
def test_what_says_nothing_about_a_site_stops_the_chunk_in_a_sentence(campaign, fault, words):
    go_wrong(campaign.marks, SCF=[fault])
    with tells(match=words):
        campaign.run()
    assert starts(campaign.marks) == {"O2Ti SCF": 1} and not campaign.output().exists()
    assert not list(campaign.kept.rglob("*.zip"))


def test_without_vasp_or_potcars_one_sentence_says_what_to_set_and_the_other_ways(campaign, monkeypatch):
    with tells(
        "srun-5 on the PATH",
        "FEFF8L",
        "snakemake inputs",
        match=r"simulations\.vasp_command is 'srun-5 vasp_std', and there is no program",
    ):
        campaign.run(command="srun-5 vasp_std")
    monkeypatch.setattr("pymatgen.core.SETTINGS", {})
    with tells("no library of POTCARs is configured; set PMG_VASP_PSP_DIR", "FEFF8L"):
        campaign.run()
    assert starts(campaign.marks) == {}


def test_a_script_named_from_the_working_directory_is_found_from_where_vasp_runs(campaign, monkeypatch):
    monkeypatch.chdir(campaign.folder)
    script = campaign.folder / "vasp.sh"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    made = campaign.engine(command="./vasp.sh --quick")
    made.settings()
    folder = campaign.folder / "scratch"
    made.write_inputs(folder, two_titania(), 0)
    assert Job.read(folder).command == (str(script), "--quick")


def test_the_configuration_gives_the_engine_its_options(tmp_path):
    def options(**simulations):
        values = {"subsets": ["Ti_VASP", "Ti_FEFF8L"], "structures": {"source": "examples"},
                  "simulations": {"source": "run", **simulations}}  # fmt: skip
        return Planned(load_config(values))

    made = engine_of("VASP", options(vasp_command=command(tmp_path), vasp={"time_limit": 60}).engine_options("Ti_VASP"))
    assert made.time_limit == 60 and made.at_a_time == 1 and made.options.element == "Ti"
    assert made.options.max_errors == 5 and made.options.inputs["max_bands"] == 2200
    assert "vasp" not in str(options(vasp_command="my_vasp").engine_options("Ti_FEFF8L"))
    for wrong in ("", "vasp 'std"):
        with pytest.raises(XanesflowError, match=r"'simulations.vasp_command' is"):
            options(vasp_command=wrong)


@pytest.mark.parametrize("tag", ["ENCUT", "LREAL"])
def test_steps_whose_energies_could_not_be_compared_are_refused_before_anything_runs(tmp_path, tag):
    with tells("total energies places the spectrum", match=rf"must give {tag} the same value, not .* and None"):
        engine(tmp_path, inputs={"scf": {tag: 500}})


def test_tags_of_the_ground_state_alone_are_refused_if_they_change_its_energy(tmp_path):
    with tells("total energies places the spectrum", match="must give LDAU the same value, not True and None"):
        engine(tmp_path, inputs={"scf": {"LDAU": True, "LDAUU": [4.0, 0.0]}})
    with tells("total energies places the spectrum", match="must give LREAL the same value, not null and None"):
        engine(tmp_path, inputs={"scf": {"LREAL": None}})
    same = {"ldau": ".TRUE.", "SIGMA": "1E-1"}, {"LDAU": True, "SIGMA": 0.1, "CH_NEDOS": 60}
    engine(tmp_path, inputs={"scf": {**same[0], "LDAUU": [4.0, 0.0], "NELM": 99}, "core_hole": same[1]})


def test_only_what_a_step_depends_on_makes_it_be_computed_again(campaign):
    one, other = engine(campaign.marks), engine(campaign.marks, inputs={"max_bands": 2500, "e_range": {"Ti": 20.0}})
    assert one.settings() != other.settings() and one.shared.settings() == other.shared.settings()
    slow = engine(campaign.marks, time_limit=9.0, max_errors=9, inputs={"e_range": {"Ti": 30.0, "Cu": 9.0}})
    assert one.settings() == slow.settings()
