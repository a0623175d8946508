"""The configuration: each mistake is told in one sentence with its place, and the file, model and schema agree."""

import json
import re
import subprocess
import sys

import jsonschema
import pytest
import yaml
from feff_runs import GRID_START_EV
from shared_data import PROJECT
from snakemake.utils import update_config

from xanesflow.codes.feff8l.options import EngineSettings
from xanesflow.config.campaign import Campaign
from xanesflow.config.inputs import PAPER_FEFF_CARDS
from xanesflow.config.load import SCHEMA_FILE, default_yaml, json_schema, load_config, read_config_file
from xanesflow.config.model import Config
from xanesflow.config.named_files import check_directory, check_split_files
from xanesflow.core.errors import XanesflowError

CU = {"subsets": ["Cu_FEFF"]}
RUN = {"subsets": ["Cu_FEFF8L"], "structures": {"source": "examples"}, "simulations": {"source": "run"}}

# Mistake -> the place that must be named, and a part of what must be said of it; one of each kind where pydantic finds
# it (types and bounds of all keys stand in config.schema.json, which is compared below).
MISTAKES = {
    "unknown key, one letter off": ({"campain": "x"}, "'campain'", "did you mean 'campaign'?"),
    "unknown key in a section": ({"simulations": {"archiv": "x"}}, "'simulations.archiv'", "did you mean 'archive'?"),
    "unknown key like no other": ({"xyz": 1}, "'xyz'", "known are campaign, subsets, chunks"),
    "key that is no text": ({1: 2}, "'1'", "keys should be strings"),
    "campaign with a blank": ({"campaign": "my run"}, "'campaign'", '"my run"'),
    "campaign that leaves results/dataset": ({"campaign": "../x"}, "'campaign'", '"../x"'),
    "subset twice": ({"subsets": ["Cu_FEFF", "Cu_FEFF"]}, "'subsets'", "twice"),
    "subset without theory": ({"subsets": ["Ti_FEFF", "Cu"]}, "'subsets.1'", "write <element>_<theory>"),
    "subset of unknown theory": ({"subsets": ["Cu_QE"]}, "'subsets.0'", "FEFF, VASP, FEFF8L"),
    "more chunks than files can be open": ({"chunks": 5000}, "'chunks'", "4096"),
    "chunks true": ({"chunks": True}, "'chunks'", "true"),
    "chunks a word": ({"chunks": "many"}, "'chunks'", "integer"),
    "chunks of one subset wrong": ({**CU, "chunks": {"Cu_FEFF": 0}}, "'chunks.Cu_FEFF'", "greater than or equal to 1"),
    "chunks of no subset": ({**CU, "chunks": {"Cu_FEF": 3}}, "'chunks.Cu_FEF'", "not a subset"),
    "chunks lack a subset": ({**CU, "chunks": {"Ti_FEFF": 3}}, "chunks has no entry for Cu_FEFF", "add one"),
    "archive lacks a subset": ({**CU, "simulations": {"archive": {"Ti_FEFF": "x"}}},
                               "simulations.archive has no entry for Cu_FEFF", "add the path"),
    "archive a number": ({"simulations": {"archive": 4}}, "'simulations.archive'", "string"),
    "archive of a subset, number": ({"simulations": {"archive": {"Cu_FEFF": 4}}}, "'simulations.archive.Cu_FEFF'", "4"),
    "section empty": ({"simulations": None}, "'simulations'", "null"),
    "folder not named": ({**RUN, "structures": {"source": "directory"}}, "structures.directory must name a folder", ""),
    "run without structures": ({**RUN, "structures": {}}, "structures.source: archive brings none",
                               "set structures.source to directory, examples or materials_project"),
    "system without the element": ({"structures": {"materials_project": {"systems": ["Cu-O"]}}},
                                   "'structures.materials_project.systems.0'", "such as E-O-*"),
    "system of letters": ({"structures": {"materials_project": {"systems": ["E-O-a"]}}},
                          "'structures.materials_project.systems.0'", "E-O-a"),
    "id to include is none": ({"structures": {"materials_project": {"include": ["CuO"]}}},
                              "'structures.materials_project.include.0'", "such as mp-390"),
    "ids of another element": ({**CU, "structures": {"materials_project": {"ids": {"Cu": "a", "Zn": "b"}}}},
                               "ids has an entry for Zn, but no subset is of Zn",
                               "remove the entry, or add the subset"),
    "ids lack an element": ({**CU, "subsets": ["Cu_FEFF", "Ti_FEFF"], "structures": {"materials_project": {"ids":
                            {"Cu": "a"}}}}, "ids has no entry for Ti", "add one"),
    "refresh a word": ({"structures": {"refresh": "maybe"}}, "'structures.refresh'", "boolean"),
    "supercell without volume": ({"inputs": {"xspectra": {"supercell": [[1, 0, 0], [2, 0, 0], [0, 0, 1]]}}},
                                 "'inputs.xspectra.supercell'", "span no cell"),
    "bands of VASP lack an element": ({**RUN, "subsets": ["Ni_VASP"]}, "inputs.vasp.e_range has no entry for Ni",
                                      "Ni_VASP needs; add it"),
    "window of exciting lacks one": ({**RUN, "subsets": ["Zn_EXCITING"]}, "inputs.exciting.energy_window has no entry",
                                     "for Zn, which Zn_EXCITING needs"),
    "window of exciting ends first": ({"inputs": {"exciting": {"energy_window": {"Cu": [9, 8]}}}},
                                      "'inputs.exciting.energy_window.Cu'", "starts below its end"),
    "FEFF without XANES": ({"inputs": {"feff": {"cards": {"EXAFS": "20"}}}}, "'inputs.feff.cards'", "XANES"),
    "FEFF of another edge": ({"inputs": {"feff": {"cards": {"XANES": "4", "EDGE": "L3"}}}}, "'inputs.feff.cards'",
                             "it is always K"),
    **{f"FEFF with {card}": ({"inputs": {"feff": {"cards": {"XANES": "4", card: "1"}}}}, "'inputs.feff.cards'", said)
       for card, said in {
           "edge": "the card edge cannot be given, because it is always K; remove it", "HOLE": "S02 sets the amplitude",
           "Recip": "real space", "atoms": "written for each site", "POTENTIALS": "written for each site",
           "END": "after the atoms", "POLARIZATION": "because curation refuses POLARIZATION: a spectrum for one dir",
           "spin": "the card spin cannot be given", "XES": "an emission spectrum", "": "is no name of a card",
           "SCF ": "'SCF ' is no name of a card",
           "LDOS -30 20": "which is one word", "xanes": "XANES and xanes are the same",
       }.items()},
    **{f"FEFF with SCF {value}": ({"inputs": {"feff": {"cards": {"XANES": "4", "SCF": value}}}}, "'inputs.feff.cards'",
                                  "SCF must begin with a number") for value in ("", "wide", ["7.0 0"])},
    "FEFF without SCF": ({"inputs": {"feff": {"cards": {"XANES": "4", "scf": None}}}}, "'inputs.feff.cards'",
                         "the card scf cannot be left out: a run counts only if its field converged; give it"),
    "FEFF of a small cluster": ({"inputs": {"feff": {"radius": 3.0}}}, "'inputs.feff'",
                                "radius 3 Å does not hold all atoms of the card FMS, which are up to 9 Å away"),
    "FEFF of a large field": ({"inputs": {"feff": {"radius": 6, "cards": {"XANES": "4", "SCF": "6.5", "FMS": "5"}}}},
                              "'inputs.feff'", "of the card SCF, which are up to 6.5 Å away; set radius to at least"),
    "FEFF without command": ({"simulations": {"feff_command": ""}}, "'simulations.feff_command'", "give a command"),
    "presets": ({"models": {"preset": ["best"]}}, "'models.preset'", "'paper' or 'best'"),
    "preset with values": ({"models": {"preset": {"best": 1}}}, "'models.preset'", "'paper' or 'best'"),
    "code unknown": ({"inputs": {"vesp": {}}}, "'inputs.vesp'", "did you mean 'vasp'?"),
    "archive of FEFF8L": ({"subsets": ["Cu_FEFF8L"]}, "subset Cu_FEFF8L is computed", "simulations.source: run"),
    "archive with examples": ({**CU, "structures": {"source": "examples"}}, "brings its structures along",
                              "structures.source: examples does not fit it"),
    "archive with directory": ({**CU, "structures": {"source": "directory", "directory": "x"}},
                               "brings its structures along", "structures.source: directory does not fit it"),
    "engine option unknown": ({"simulations": {"feff8l": {"lmax": 3}}}, "'simulations.feff8l.lmax'", "'l_max'"),
    "engine radius zero": ({"simulations": {"feff8l": {"fms_radius": 0}}}, "'simulations.feff8l.fms_radius'", "than 0"),
    "grid start lacks an element": ({"subsets": ["Zn_FEFF"]}, "curation.energy_start has no entry for Zn", "Zn_FEFF"),
    "grid start of no element": ({"curation": {"energy_start": {"copper": 9}}}, "energy_start.copper'", "pattern"),
    "grid start a word": ({"curation": {"energy_start": {"Cu": "x"}}}, "'curation.energy_start.Cu'", "number"),
    "envelope not a number": ({"curation": {"envelope": {"FEFF": float("nan")}}}, "'curation.envelope.FEFF'", "NaN"),
    "envelope infinite": ({"curation": {"envelope": {"FEFF": float("inf")}}}, "'curation.envelope.FEFF'", "finite"),
    "envelope, theory unknown": ({"curation": {"envelope": {"FEF": 2}}}, "'curation.envelope.FEF'",
                                 "'FEFF', 'VASP', 'FEFF8L', 'FEFFQ', 'OCEAN', 'EXCITING', 'XSPECTRA' or 'FDMNES'"),
    "featurizer unknown": ({"features": {"models": ["m3gent"]}}, "'features.models.0'", "m3gnet, m3gnet_all, chgnet"),
    "features twice": ({"features": {"models": ["radial+chgnet", "chgnet+radial"]}}, "'features.models'", "same"),
    "featurizer twice in one": ({"features": {"models": ["chgnet+chgnet"]}}, "'features.models.0'", "twice"),
    "device unknown": ({"features": {"device": "tpu"}}, "'features.device'", "'cpu' or 'cuda'"),
    "seed negative": ({"splits": {"seed": -1}}, "'splits.seed'", "greater than or equal to 0"),
    "no seed": ({"models": {"seeds": []}}, "'models.seeds'", "at least 1"),
    "seed twice": ({"models": {"seeds": [1, 1]}}, "'models.seeds'", "twice"),
    "dropout of all": ({"models": {"dropout": 1}}, "'models.dropout'", "less than 1"),
    "widths a word": ({"models": {"widths": {"Cu_FEFF": "wide"}}}, "'models.widths.Cu_FEFF'", "list"),
    "measured spectra of no element": ({"measured": {"element": "iron"}}, "'measured.element'", "iron"),
    "measured spectra without candidates": ({"measured": {"files": "campaign.yaml"}}, "measured.candidates is null",
                                            "so there is nothing to compare them with"),
}  # fmt: skip


@pytest.mark.parametrize(("values", "place", "said"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_told_in_one_sentence_with_its_place(values, place, said):
    with pytest.raises(XanesflowError) as caught:
        load_config(values)
    lines = str(caught.value).splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("Configuration: ") and place in lines[0]
    assert said in lines[0]
    assert lines[0].endswith((".", "?"))


def test_all_mistakes_are_told_at_once_a_line_each():
    with pytest.raises(XanesflowError) as caught:
        load_config({"campain": "x", "chunks": 0, "models": {"seeds": []}})
    assert len(str(caught.value).splitlines()) == 3


def test_a_long_value_is_cut_in_the_message():
    with pytest.raises(XanesflowError) as caught:
        load_config({"campaign": "x y" * 1000})
    assert len(str(caught.value)) < 250


def test_config_yaml_is_the_default_file_that_the_model_writes():
    assert (PROJECT / "config.yaml").read_text() == default_yaml()


def test_the_schema_beside_it_is_the_one_that_the_model_writes():
    """Made by `python -m xanesflow.config --schema > config.schema.json`."""
    assert (PROJECT / SCHEMA_FILE).read_text() == json_schema()
    assert (PROJECT / "config.yaml").read_text().startswith(f"# yaml-language-server: $schema={SCHEMA_FILE}\n")


def test_options_that_rescue_failed_sites_name_the_command_that_computes_these_again():
    """Runs do not depend on them, so another value alone leaves a failed run what it is."""
    for codes in ("FeffRun", "FeffqRun", "VaspRun", "XspectraRun"):
        options = json.loads(json_schema())["$defs"][codes]["properties"]
        rescuing = options.keys() & {"max_corrections", "max_errors", "smaller_scf_radius"}
        assert rescuing and all("`xanesflow retry`" in options[name]["description"] for name in rescuing)


@pytest.mark.parametrize("path", [PROJECT / "config.yaml", *sorted((PROJECT / "campaigns").glob("*.yaml"))], ids=str)
def test_an_editor_finds_no_fault_with_a_campaign_and_knows_its_schema(path):
    schema = json.loads((PROJECT / SCHEMA_FILE).read_text())
    jsonschema.validate(yaml.safe_load(path.read_text()), schema)
    assert read_config_file(path).subsets
    named = re.match(r"# yaml-language-server: \$schema=(\S+)\n", path.read_text())
    assert (path.parent / named[1]).resolve() == (PROJECT / SCHEMA_FILE).resolve()
    with pytest.raises(jsonschema.ValidationError, match="campain"):
        jsonschema.validate({"campain": "x"}, schema)


def test_the_default_file_holds_every_default_and_nothing_else():
    written = yaml.safe_load(default_yaml())
    assert written == json.loads(Config.model_construct().as_json())
    assert load_config(written) == load_config({})


def test_every_key_of_the_default_file_is_commented():
    lines = default_yaml().splitlines()
    keys = [k for k, line in enumerate(lines) if re.match(r"\s*\w+:", line)]
    assert len(keys) > 30
    for k in keys:
        indent = len(lines[k]) - len(lines[k].lstrip())
        assert lines[k - 1].startswith(" " * indent + "# "), f"no comment above: {lines[k]}"


def test_the_keys_that_users_tools_rely_on_exist():
    defaults = yaml.safe_load(default_yaml())
    contract = ["campaign", "subsets", "chunks", "structures.source", "structures.directory", "simulations.source",
                "simulations.archive",
                "curation.envelope", "features.models", "features.m3gnet_weights", "splits.files", "models.kinds",
                "models.seeds"]  # fmt: skip
    for key in contract:
        value = defaults
        for part in key.split("."):
            assert part in value, key
            value = value[part]


def test_grids_start_where_the_papers_do():
    assert Config().curation.energy_start == GRID_START_EV


def test_the_default_is_the_papers_campaign():
    config = Config()
    assert config.curation.envelope == {"FEFF": 2.5, "VASP": 5.0, "FEFF8L": 2.5, "FEFFQ": 2.5}
    assert (config.models.dropout, config.models.max_epochs, config.models.patience) == (0.5, 1000, 50)


def test_the_envelope_is_switched_off_for_one_theory_or_for_all():
    assert load_config({**CU, "curation": {"envelope": None}}).curation.envelope == dict.fromkeys(
        ("FEFF", "VASP", "FEFF8L", "FEFFQ")
    )
    one = load_config({**CU, "curation": {"envelope": {"VASP": None}}}).curation.envelope
    assert one == {"FEFF": 2.5, "VASP": None, "FEFF8L": 2.5, "FEFFQ": 2.5}


def test_both_ways_of_printing_work():
    command = [sys.executable, "-m", "xanesflow.config"]
    schema = json.loads(subprocess.run([*command, "--schema"], capture_output=True, text=True, check=True).stdout)
    assert schema["additionalProperties"] is False
    assert set(schema["properties"]) == set(yaml.safe_load(default_yaml()))
    for section in schema["$defs"].values():
        assert section["additionalProperties"] is False
        assert all("description" in entry for entry in section["properties"].values())
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == default_yaml()


def test_one_number_or_path_holds_for_all_subsets_and_a_mapping_for_each():
    one = load_config({"subsets": ["Cu_FEFF", "Ti_FEFF"], "chunks": 5, "simulations": {"archive": "runs"}})
    assert [Campaign(one).n_chunks(s) for s in one.subsets] == [5, 5]
    assert [Campaign(one).archive_of(s) for s in one.subsets] == ["runs", "runs"]
    each = {"Cu_FEFF": "a.zip", "Ti_FEFF": "b"}
    two = load_config({"subsets": list(each), "chunks": {"Cu_FEFF": 5, "Ti_FEFF": 7}, "simulations": {"archive": each}})
    assert [Campaign(two).n_chunks(s) for s in each] == [5, 7]
    assert [Campaign(two).archive_of(s) for s in each] == ["a.zip", "b"]


def test_grid_starts_of_ones_own_are_added_to_the_papers():
    starts = load_config({**CU, "curation": {"energy_start": {"Zn": 9660.0, "Cu": 8980.0}}}).curation.energy_start
    assert (starts["Zn"], starts["Cu"], starts["Ti"]) == (9660.0, 8980.0, 4964.504)


def test_null_on_the_command_line_is_null():
    """Snakemake's --config hands it over as a word."""
    config = load_config({**CU, "splits": {"files": "null"}, "curation": {"envelope": {"FEFF": "null"}}})
    assert config.splits.files is None and config.curation.envelope["FEFF"] is None


@pytest.mark.parametrize("lacks", ["train", "val", "test"])
def test_split_files_that_are_not_there_are_told_before_anything_is_planned(tmp_path, lacks):
    config = load_config({**CU, "splits": {"files": str(tmp_path)}})
    for part in {"train", "val", "test"} - {lacks}:
        (tmp_path / f"Cu_FEFF_{part}.txt").touch()
    with pytest.raises(XanesflowError, match=rf"Cu_FEFF_{lacks}\.txt does not exist .*splits\.files must be a folder"):
        check_split_files(Campaign(config).split_files("Cu_FEFF"), "Cu_FEFF")
    (tmp_path / f"Cu_FEFF_{lacks}.txt").touch()
    check_split_files(Campaign(config).split_files("Cu_FEFF"), "Cu_FEFF")
    assert Campaign(load_config(CU)).split_files("Cu_FEFF") == []


def test_the_embedded_engine_has_the_defaults_of_its_own_settings():
    options = Config().simulations.feff8l.model_dump()
    own = EngineSettings()
    assert options == {name: getattr(own, name) for name in options}
    assert own.as_dict().keys() - options.keys() == {"energy_range"}
    assert EngineSettings(**options) == own


@pytest.mark.parametrize(("written", "meant"), [("off", "off"), ("on", "on"), ("average", "average")])
def test_a_core_hole_that_yaml_takes_for_a_truth_value_is_meant_as_written(written, meant):
    given = yaml.safe_load(f"simulations: {{feff8l: {{core_hole: {written}}}}}")
    assert load_config(given).simulations.feff8l.core_hole == meant


def test_runs_of_ones_own_structures_and_of_the_examples_can_be_asked_for(tmp_path):
    assert load_config(RUN).simulations.source == "run"
    own = load_config({**RUN, "structures": {"source": "directory", "directory": str(tmp_path)}})
    check_directory(own.structures.directory)
    with pytest.raises(XanesflowError, match=r"structures\.directory is nowhere, which is no folder \(looked from /"):
        check_directory("nowhere")


@pytest.mark.parametrize("archive", [None, "", {"Cu_FEFF": ""}])
def test_an_archive_that_is_not_named_is_told_when_it_is_needed(archive):
    with pytest.raises(XanesflowError, match=r"simulations\.archive is not set.*Cu_FEFF.*--configfile"):
        Campaign(load_config({**CU, "simulations": {"archive": archive}})).archive_of("Cu_FEFF")


def test_a_configuration_file_is_read_by_itself(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("subsets: [Cu_FEFF]\n")
    assert read_config_file(path).subsets == ["Cu_FEFF"]
    path.write_text("")
    assert read_config_file(path) == Config()


def test_a_file_is_put_over_the_defaults_as_snakemake_does_it(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(
        "inputs: {feff: {cards: {SCF: 5.0 0 100 0.2 3, S02: null}}}\ncuration: {energy_start: {Zn: 9650}}\n"
    )
    defaults, given = yaml.safe_load(default_yaml()), yaml.safe_load(path.read_text())
    update_config(defaults, given)
    read = read_config_file(path)
    assert read == load_config(defaults)
    assert read.inputs.feff.cards == {**PAPER_FEFF_CARDS, "SCF": "5.0 0 100 0.2 3", "S02": None}
    assert read.curation.energy_start == {**GRID_START_EV, "Zn": 9650}
    path.write_text("inputs: {feff: {cards: {scf: 5.0 0 100 0.2 3}}}\n")
    with pytest.raises(XanesflowError, match="the cards SCF and scf are the same; give one"):
        read_config_file(path)


def test_cards_in_small_letters_are_those_in_capitals():
    given = {"xanes": "4 0.04 0.1", "Scf": "7.0", "fms": "9"}
    assert load_config({"inputs": {"feff": {"cards": given}}}).inputs.feff.cards == {
        "XANES": "4 0.04 0.1", "SCF": "7.0", "FMS": "9",
    }  # fmt: skip


@pytest.mark.parametrize("content", [b"subsets: [Cu_FEFF", b"\tx: 1", b"\xff\xfe\x00", b"- a\n- b\n", None])
def test_a_configuration_file_that_is_no_yaml_is_told_by_its_name(tmp_path, content):
    path = tmp_path / "mine.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(XanesflowError, match=r"mine\.yaml"):
        read_config_file(path)


def test_what_snakemake_predict_takes_follows_from_the_kinds_of_models(tmp_path):
    from xanesflow.config import predict_with

    given = {"subsets": ["Cu_FEFF", "Ti_FEFF"], "simulations": {"archive": "runs"}, "features": {"models": ["chgnet"]}}

    def config(**more):
        return Campaign(load_config({**given, **more}))

    own = predict_with.models_to_predict_with
    assert own(config(models={"kinds": ["universal"], "seeds": [0, 1]})) == [
        f"results/models/universal_chgnet_FEFF/seed{seed}.safetensors" for seed in (0, 1)
    ]
    both = config(models={"kinds": ["expert", "tuned"]})
    assert own(both) == [f"results/models/tuned_chgnet_{e}_FEFF/seed0.safetensors" for e in ("Cu", "Ti")]
    assert predict_with.calibrations_to_predict_with(both)[1].endswith("calibration/tuned_chgnet_Ti_FEFF.h5")
    named = config(predict={"models": ["shared"], "structures": str(tmp_path / "none")})
    assert own(named) == ["shared"] and predict_with.calibrations_to_predict_with(named) == []
    with pytest.raises(XanesflowError, match=r"predict\.structures is .*none, which is no folder"):
        predict_with.folder_to_predict(named)
    with pytest.raises(XanesflowError, match=r"predict\.structures is not set"):
        predict_with.folder_to_predict(both)
