"""From a dataset to tables, figures, the report's section and the command, without Snakemake."""

import csv

import numpy as np
import pandas as pd
import pytest
from command_line import answer
from dataset_files import write_dataset
from feff_runs import PARTNERS, perovskite
from measured_files import mu, xdi

from xanesflow.core.templates import environment
from xanesflow.interpretation import draw_interpretation as figures
from xanesflow.interpretation import readers
from xanesflow.interpretation.describe_sites import describe_sites
from xanesflow.interpretation.draw_interpretation import draw_interpretation
from xanesflow.interpretation.evaluate_interpretation import AXES, METRICS, ROBUSTNESS, evaluate_interpretation
from xanesflow.interpretation.figure_names import FIGURES
from xanesflow.interpretation.interpret_spectra import OUTPUT_COLUMNS
from xanesflow.interpretation.rank_aae.train_axes import RankAaePlan
from xanesflow.interpretation.rank_aae.train_seed import train_seed
from xanesflow.interpretation.train_interpreter import train_interpreter
from xanesflow.report.interpretation_section import interpretation_part

SIDES = (3.8, 3.85, 3.9, 3.95, 4.0, 4.05)  # Å


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """`results` of a campaign of perovskites, whose copper sites differ by their distances alone."""
    base = tmp_path_factory.mktemp("campaign")
    structures = {
        f"mp-{k}{n}": perovskite("Cu", partner, side)
        for k, partner in enumerate(PARTNERS[:8])
        for n, side in enumerate(SIDES)
    }
    parts = (["train"] * 4 + ["val", "test"]) * 8
    dataset = write_dataset(base, subsets=("Cu_FEFF",), structures=structures, parts=parts)
    results = base / "results/interpretation"
    sites = results / "sites.parquet"
    describe_sites(dataset, sites, answers_file=base / "kept.jsonl")

    def named(model, folder, suffix):
        return results / folder / f"{model}-Cu_FEFF-campaign-0.{suffix}"

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(readers.TREES, "trees", 10)
        train_interpreter(
            dataset, sites, model="trees", name="Cu_FEFF", split="campaign", seed=0,
            output=named("trees", "models", "safetensors"), predictions=named("trees", "predictions", "parquet"),
            robustness=named("trees", "predictions", "csv"),
        )  # fmt: skip
    train_seed(
        dataset, sites, name="Cu_FEFF", split="campaign", seed=0, plan=RankAaePlan(epochs=3, decoder_epochs=2),
        output=named("rank_aae", "models", "safetensors"), predictions=named("rank_aae", "predictions", "parquet"),
    )  # fmt: skip
    read = [named(model, "predictions", "parquet") for model in ("trees", "rank_aae")]
    tables = {f"{name}_csv": results / f"{name}.csv" for name in ("metrics", "robustness", "axes")}
    axes = [named("rank_aae", "models", "safetensors")]
    evaluate_interpretation(read, [named("trees", "predictions", "csv")], axes, **tables)
    draw_interpretation(
        "Cu_FEFF", robustness=tables["robustness_csv"], axes=tables["axes_csv"], predictions=read, models=axes,
        outputs={name: results / "figures" / f"{name}_Cu_FEFF.svg" for name in FIGURES},
    )  # fmt: skip
    return base


def test_tables_have_their_columns_and_the_report_its_section(folder):
    results = folder / "results/interpretation"
    metrics, robust, axes = (pd.read_csv(results / f"{name}.csv") for name in ("metrics", "robustness", "axes"))
    assert (list(metrics), list(robust), list(axes)) == (METRICS, ROBUSTNESS, AXES)
    assert set(metrics["model"]) == {"trees", "trees_exact", "trees_aligned", "rank_aae"}
    assert (metrics["n_test"] == 8).all() and "charge_transfer" not in set(metrics["descriptor"])
    assert {-1.0, 0.0, 1.0} <= set(robust["shift_ev"]) and axes["chosen"].all() and set(axes["part"]) == {"val", "test"}
    part = interpretation_part(results, ["Cu_FEFF"])
    assert list(part["figures"]["Cu_FEFF"]) == list(FIGURES) and part["splits"] == 0
    page = environment("xanesflow.report").get_template("interpretation.html").render(interpretation=part)
    assert page.count("<figure>") == len(FIGURES) and "trees_aligned" in page


def test_figures_show_the_interpreter_that_the_command_takes(folder, tmp_path, monkeypatch):
    results = folder / "results/interpretation"
    trees = results / "predictions/trees-Cu_FEFF-campaign-0.parquet"
    blend = tmp_path / trees.name.replace("trees", "blend")
    pd.read_parquet(trees).replace({"model": {"trees": "blend"}}).to_parquet(blend)
    drawn = []
    monkeypatch.setattr(figures, "_truth", lambda figure, read, kind: drawn.append((kind, set(read["model"]))))
    draw_interpretation(
        "Cu_FEFF", robustness=results / "robustness.csv", axes=results / "axes.csv", predictions=[trees, blend],
        models=[], outputs={name: tmp_path / f"{name}.svg" for name in FIGURES},
    )  # fmt: skip
    assert [(kind, kind in models) for kind, models in drawn] == [("blend", True)]


def test_the_command_reads_measured_and_computed_spectra_and_refuses_in_a_sentence(folder, monkeypatch):
    monkeypatch.chdir(folder)
    energy = np.unique(
        np.concatenate([np.arange(8800, 8970, 5.0), np.arange(8970, 9040, 0.5), np.arange(9040, 9500, 4)])
    )
    xdi(folder / "scan.xdi", "mutrans", energy, mu(energy, e0=8990.0), element="Cu")
    rows = zip(energy, mu(energy, e0=8990.0) - mu(np.array([8800.0]), e0=8990.0), strict=True)
    head = "# energy_eV in eV, absolute; cross sections in bohr^2\n"
    (folder / "computed.csv").write_text(f"{head}energy_eV,Cu_0\n" + "".join(f"{e},{m}\n" for e, m in rows))
    code, said = answer("interpret", "scan.xdi", "computed.csv", "--output", "site.csv")
    assert code == 0, said
    with (folder / "site.csv").open() as file:
        table = list(csv.DictReader(file))
    assert tuple(table[0]) == OUTPUT_COLUMNS and {row["file"] for row in table} == {"scan.xdi", "computed.csv"}
    assert {row["foreign"] for row in table} <= {"True", "False"}
    assert "no more than the prior" in " ".join(said.split()) and "Nearest simulated sites" in said
    xdi(folder / "iron.xdi", "mutrans", energy - 1870, mu(energy - 1870))
    (folder / "short.csv").write_text(f"{head}energy_eV,one\n" + "".join(f"{8980 + k},{k / 15}\n" for k in range(16)))
    for arguments, said in (
        (["iron.xdi"], "is the K edge of Fe, and this interpreter reads the K edge of Cu"),
        (["scan.xdi", "--output", "scan.xdi"], "must be a file that ends with .csv"),
        (["scan.xdi", "--model", "computed.csv"], "is no interpreter"),
        (["scan.xdi", "--model", "nowhere.safetensors"], "nowhere.safetensors does not exist; name a file of results"),
        (["scan.xdi", "--model", "results"], "results is a folder and no interpreter"),
        (["scan.xdi", "--model", "builtin:Cu_FEFF"], "predicts spectra and is no interpreter"),
        (["short.csv"], "give a spectrum that covers that"),
        (["computed.csv", "--element", "Fe"], "is not near that of Fe K (7112 eV) but near that of Cu K"),
        (["computed.csv", "--edge", "L3"], "and this interpreter reads the K edge of Cu"),
        (["computed.csv", "--e0", "8990", "--group", "a"], "and --group and --e0 cannot be used with one; leave out"),
        (["computed.csv", "--columns", "energy=1,mu=2"], "and --columns cannot be used with one; leave out"),
        (["iron.xdi", "short.csv"], "None of the 2 files can be used, for the reasons above"),
    ):
        code, found = answer("interpret", *arguments)
        assert code and said in " ".join(found.split()), found
    assert answer("interpret", "computed.csv", "--element", "cu", "--edge", "k")[0] == 0
    # Of several files a bad one is left out, and two of one name are told apart.
    (folder / "a").mkdir()
    (folder / "a/scan.xdi").write_text((folder / "scan.xdi").read_text())
    code, said = answer("interpret", "scan.xdi", "iron.xdi", "a/scan.xdi", "computed.csv", "--output", "site.csv")
    assert code == 0 and "Left out: iron.xdi is the K edge of Fe" in " ".join(said.split()), said
    assert set(pd.read_csv(folder / "site.csv")["file"]) == {"scan.xdi", "a/scan.xdi", "computed.csv"}
    monkeypatch.chdir(folder.parent)
    code, said = answer("interpret", folder / "scan.xdi")
    assert code == 2 and "run snakemake interpretation here" in " ".join(said.split())
