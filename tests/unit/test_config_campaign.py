"""What a configuration implies, and where its files are."""

import pytest

from xanesflow.config import result_paths as paths
from xanesflow.config.campaign import Campaign
from xanesflow.config.load import load_config
from xanesflow.config.preflight import check_named_files, warnings_of
from xanesflow.config.result_paths import benchmark_of, fill, log_of
from xanesflow.core.errors import XanesflowError
from xanesflow.evaluation.table_one import has_paper_value
from xanesflow.structures.list_files import state_of_source

RUN = {"structures": {"source": "examples"}, "simulations": {"source": "run"}}
MODELS = {
    "kinds": ["expert", "universal", "delta"],
    "delta_from": "FEFF8L",
    "simple_models": ["linear"],
    "seeds": [0, 2],
}


def campaign(**values):
    return Campaign(load_config(values))


def several(**values):
    """Imported spectra of two elements, and delta models over the embedded engine."""
    given = {"subsets": ["Ti_FEFF", "Cu_FEFF"], "features": {"models": ["chgnet", "m3gnet+radial"]}, "models": MODELS}
    return campaign(**{**given, **values})


def test_cheaper_runs_are_subsets_of_their_own():
    planned = several()
    assert planned.cheap_subsets == {"Ti_FEFF": "Ti_FEFF8L", "Cu_FEFF": "Cu_FEFF8L"}
    assert planned.all_subsets == ["Ti_FEFF", "Cu_FEFF", "Ti_FEFF8L", "Cu_FEFF8L"]
    assert planned.imported_subsets == ["Cu_FEFF", "Ti_FEFF"]
    assert planned.run_subsets == planned.computed_cheap_subsets == ["Cu_FEFF8L", "Ti_FEFF8L"]
    assert planned.subset_above("Cu_FEFF8L") == "Cu_FEFF"
    assert several(chunks={"Ti_FEFF": 3, "Cu_FEFF": 5}).n_chunks("Cu_FEFF8L") == 5


def test_what_is_computed_is_run_and_nothing_imported():
    planned = campaign(subsets=["Cu_FEFF8L", "Ti_VASP"], **RUN)
    assert (planned.imported_subsets, planned.run_subsets) == ([], ["Cu_FEFF8L", "Ti_VASP"])
    assert (planned.elements, planned.theories) == (["Cu", "Ti"], ["FEFF8L", "VASP"])
    assert planned.subsets_of(theory="VASP") == planned.subsets_of(element="Ti") == ["Ti_VASP"]


def test_delta_models_add_the_cheaper_runs_to_their_features():
    planned = several()
    assert planned.models[-2:] == [("delta", "chgnet+feff8l"), ("delta", "m3gnet+radial+feff8l")]
    assert planned.featurizers == ["chgnet", "feff8l", "m3gnet", "radial"]
    assert planned.mapped_features == ["chgnet", "m3gnet+radial", "chgnet+feff8l", "m3gnet+radial+feff8l"]


def test_files_of_chunks_inputs_and_failures():
    planned = campaign(subsets=["Cu_FEFF", "Cu_FEFF8L"], chunks=2, **RUN)
    assert planned.runs("Cu_FEFF") == [f"results/simulations/Cu_FEFF/000{k}.zip" for k in (0, 1)]
    assert planned.inputs("Cu_FEFF") == [f"results/inputs/Cu_FEFF/000{k}.zip" for k in (0, 1)]
    assert planned.inputs("Cu_FEFF8L") == []
    assert planned.failed_sites("Cu_FEFF") == ["results/simulations/Cu_FEFF/failed.csv"]
    assert planned.rejected_before_curation("Cu_FEFF") == ["results/structures/Cu_FEFF_rejected.parquet"]
    imported = several()
    assert imported.failed_sites("Cu_FEFF") == []
    assert imported.failed_sites("Cu_FEFF8L") == ["results/simulations/Cu_FEFF8L/failed.csv"]
    assert imported.rejected_before_curation("Cu_FEFF") == ["results/simulations/Cu_FEFF/rejected.parquet"]


def test_files_of_models():
    planned = several()
    assert planned.checkpoints_for("universal", "chgnet", "Cu_FEFF") == [
        f"results/models/universal_chgnet_FEFF/seed{seed}.safetensors" for seed in (0, 2)
    ]
    assert planned.for_models(paths.PREDICTIONS)[:3] == [
        "results/evaluation/predictions/expert_chgnet_Ti_FEFF.h5",
        "results/evaluation/predictions/expert_chgnet_Cu_FEFF.h5",
        "results/evaluation/predictions/expert_m3gnet+radial_Ti_FEFF.h5",
    ]
    assert planned.for_simple_models("{model} on {features}, {subset}") == [
        f"linear on {features}, {subset}" for features in ("chgnet", "m3gnet+radial") for subset in planned.subsets
    ]
    assert len(planned.for_all_models(paths.PREDICTIONS)) == 3 * 2 * 2 + 2 * 2
    universal = planned.for_trainings(paths.CHECKPOINT, kind="universal")
    assert len(universal) == 2 * 2, "one over all subsets of a level of theory"
    assert universal[0] == "results/models/universal_chgnet_FEFF/seed0.safetensors"
    assert planned.for_trainings(paths.LEARNING_CURVE, kind="tuned") == []


def test_files_of_the_dataset_and_its_package():
    planned = several(campaign="mine")
    assert planned.dataset == "results/dataset/mine.h5"
    assert planned.package[0] == "results/package/mine/mine.h5" and planned.package[-1].endswith("mine/SHA256SUMS")
    assert planned.dataset_parts(["{subset}"]) == [
        paths.SPECTRA,
        paths.SPLIT,
        *(f"results/features/{name}/{{subset}}.h5" for name in ("chgnet", "feff8l", "m3gnet", "radial")),
    ]


def test_materials_project_is_asked_for_an_element():
    ids = {"ids": {"Cu": ["mp-30"], "Ti": "ti.txt"}, "systems": ["E", "E-O"]}
    source = {"source": "materials_project", "materials_project": ids}
    planned = campaign(subsets=["Cu_FEFF8L", "Ti_FEFF8L"], simulations={"source": "run"}, structures=source)
    assert planned.query_of("Cu") | {"ids": ["mp-30"], "element": "Cu", "systems": ["Cu", "Cu-O"]} == planned.query_of(
        "Cu"
    )
    assert planned.query_of("Ti")["ids"] is None and planned.material_ids("Ti_FEFF8L") == "ti.txt"
    assert planned.queried_structures("Cu_FEFF8L")[0] == "results/structures/materials_project/Cu.parquet"
    assert several().queried_structures("Cu_FEFF") == []


def test_filling_a_pattern_leaves_other_wildcards():
    assert fill(paths.CHECKPOINT, model="expert", of="{subset}") == (
        "results/models/expert_{features}_{subset}/seed{seed}.safetensors"
    )
    assert log_of("make_report") == "results/logs/make_report.log"
    assert (
        benchmark_of("simulate_chunk", "{subset}_{chunk}") == "results/benchmarks/simulate_chunk/{subset}_{chunk}.tsv"
    )


def test_every_result_path_is_below_results_and_stands_once():
    patterns = [value for name, value in vars(paths).items() if name.isupper() and isinstance(value, str)]
    assert len(patterns) > 40 and len(set(patterns)) == len(patterns)
    assert all(each == "results" or each.startswith("results/") for each in patterns)


def test_named_files_are_looked_for_before_anything_is_planned(tmp_path):
    with pytest.raises(XanesflowError, match=r"archive"):
        check_named_files(several(simulations={"archive": str(tmp_path / "none")}))
    with pytest.raises(XanesflowError, match=r"structures\.directory is .*none, which is no folder"):
        directory = {"source": "directory", "directory": str(tmp_path / "none")}
        check_named_files(campaign(subsets=["Cu_FEFF8L"], structures=directory, simulations={"source": "run"}))
    with pytest.raises(XanesflowError, match=r"Cu_FEFF8L_train\.txt does not exist"):
        check_named_files(campaign(subsets=["Cu_FEFF8L"], splits={"files": str(tmp_path)}, **RUN))
    measured = {"files": str(tmp_path / "absent.xdi"), "candidates": "examples"}
    with pytest.raises(XanesflowError, match=r"measured\.files: There is no file or folder .*absent\.xdi"):
        check_named_files(campaign(subsets=["Cu_FEFF8L"], measured=measured, **RUN))
    planned = campaign(subsets=["Cu_FEFF8L"], **RUN)
    check_named_files(planned)
    with pytest.raises(
        XanesflowError, match=r"measured\.files is not set; name files or folders of measured spectra\."
    ):
        planned.config.measured.scans()


def test_archives_of_cheaper_runs_and_lists_of_sites_are_looked_for_too(tmp_path):
    over_feff = {"models": {"kinds": ["delta"], "delta_from": "FEFF"}}
    archives = {"archive": {"Ti_VASP": str(tmp_path), "Ti_FEFF": str(tmp_path / "none")}}
    with pytest.raises(XanesflowError, match=r"archive is .*none, which does not exist .* finished runs of Ti_FEFF\."):
        check_named_files(campaign(subsets=["Ti_VASP"], simulations=archives, **over_feff))
    plan = tmp_path / "plan.csv"
    planned = campaign(
        **RUN | {"simulations": {"source": "run", "sites": {"Cu_FEFF8L": str(plan)}}, "subsets": ["Cu_FEFF8L"]}
    )
    check_named_files(planned)
    (warning,) = warnings_of(planned)
    assert f"Cu_FEFF8L: simulations.sites names {plan}, which does not exist" in warning
    plan.write_text("material,site\nmp-1,0\n")
    assert warnings_of(planned) == []
    with pytest.raises(XanesflowError, match=r"The list of sites .*plan\.csv cannot be read \(it has no column"):
        check_named_files(planned)


def test_the_program_of_a_cheaper_theory_is_looked_for_too(tmp_path):
    simulations = {"source": "run", "feff_command": str(tmp_path / "none")}
    models = {"kinds": ["delta"], "delta_from": "FEFF"}
    found = warnings_of(campaign(subsets=["Ti_VASP"], models=models, **RUN | {"simulations": simulations}))
    assert [said for said in found if said.startswith("Ti_FEFF: ")]


def test_what_will_stop_a_job_later_is_a_warning(tmp_path):
    run = {"source": "run", "feff_command": str(tmp_path / "none")}
    feff, other, vasp = warnings_of(
        campaign(subsets=["V_VASP", "Cu_OCEAN", "Cu_FEFF"], structures={"source": "examples"}, simulations=run,
                 inputs={"vasp": {"e_range": {"V": 30}}})
    )[::-1]  # fmt: skip
    assert vasp.startswith("The spectra of V_VASP need an entry for V in curation.vasp.core_level")
    assert other.startswith("Cu_OCEAN: this version makes structures and inputs of these")
    assert feff.startswith("Cu_FEFF: ")
    assert warnings_of(campaign(subsets=["Cu_FEFF8L"], **RUN)) == []


def test_a_campaign_stands_beside_the_paper_where_one_of_its_models_does():
    assert has_paper_value([("expert", "chgnet"), ("expert", "m3gnet")], ["Cu_FEFF"], "test")
    assert not has_paper_value([("expert", "m3gnet")], ["Cu_FEFF"], "val")
    assert not has_paper_value([("expert", "m3gnet")], ["Zn_FEFF"], "test")


def test_a_changed_source_of_structures_is_seen(tmp_path):
    (tmp_path / "a.cif").write_text("x")
    before = state_of_source("directory", str(tmp_path))
    (tmp_path / "b.cif").write_text("x")
    assert before != state_of_source("directory", str(tmp_path))
    assert "spinels.yaml" in state_of_source("examples", None)
    assert state_of_source("archive", None) == state_of_source("directory", None) == ""
