"""Asking for one stage, or one file, plans the rules that it needs and no other."""

import re
from collections import Counter

import pytest
from workflow import run, write_import_config, write_run_config

IMPORT = {"import_archive_Cu_FEFF": 1}
SPECTRA = IMPORT | {"curate_spectra": 1}
DATASET = SPECTRA | {"split_sites": 1, "compute_features": 2, "build_dataset": 1}
MODELS = DATASET | {"train_expert": 2}
EVALUATION = MODELS | {"calibrate_model": 2, "predict_spectra": 2, "evaluate_models": 1}
REPORT = EVALUATION | {
    "draw_curation": 1, "draw_comparison": 1, "draw_evaluation": 2, "draw_uncertainty": 2, "make_report": 1,
    "describe_sites": 1, "map_features": 2,
}  # fmt: skip

PLANS = {
    "structures": IMPORT,
    "inputs": IMPORT | {"write_inputs": 3},
    "simulations": IMPORT,
    "spectra": SPECTRA,
    "features": IMPORT | {"compute_features": 2},
    "dataset": DATASET,
    "package": DATASET | {"package_dataset": 1},
    "models": MODELS,
    "evaluation": EVALUATION,
    "report": REPORT,
    "results/features/chgnet/Cu_FEFF.h5": IMPORT | {"compute_features": 1},
    "results/dataset/splits/Cu_FEFF.csv": SPECTRA | {"split_sites": 1},
    "results/models/expert_chgnet_Cu_FEFF/seed3.safetensors": DATASET | {"train_expert": 1},
    "results/evaluation/metrics.csv": EVALUATION,
}


@pytest.mark.parametrize("target", PLANS)
def test_a_target_plans_what_it_needs(tmp_path, runs, target):
    """Two featurizers and two seeds: so a count tells whether it is planned once a subset or once a model."""
    write_import_config(tmp_path, runs, "chgnet", "m3gnet", models={"seeds": [0, 3]})
    assert planned_for(tmp_path, target) == PLANS[target]
    assert not (tmp_path / "results").exists()


def planned_for(directory, target):
    """How many jobs of each rule a target plans."""
    printed = run(directory, target, "--dry-run")
    table = printed[printed.index("Job stats:") :].split("\n\n")[0]
    planned = Counter({rule: int(number) for rule, number in re.findall(r"^(\w+) +(\d+)$", table, re.MULTILINE)})
    del planned["total"], planned[target]  # a named target is a rule of its own
    return planned


def test_where_spectra_are_computed_the_structures_come_with_what_they_will_cost(tmp_path):
    write_run_config(tmp_path, "Cu_FEFF8L", "Ni_FEFF8L", structures={"source": "examples"})
    assert planned_for(tmp_path, "structures") == {"collect_structures": 2, "estimate_cost": 1}
    assert "estimate_cost" not in planned_for(tmp_path, "simulations")


def test_below_imported_spectra_the_engine_runs_at_the_same_sites_and_a_delta_model_is_fitted(tmp_path, runs):
    write_import_config(tmp_path, runs, "chgnet", models={"kinds": ["expert", "delta"], "delta_from": "FEFF8L"})
    assert planned_for(tmp_path, "models") == SPECTRA | {
        "split_sites": 1, "copy_site_table": 1, "simulate_chunk": 3, "collect_cheap_runs": 1, "compute_features": 1,
        "build_dataset": 1, "train_expert": 1, "train_delta": 1,
    }  # fmt: skip
    assert planned_for(tmp_path, "report")["leave_out_elements"] == 1
