"""Convergence studies: which rungs there are, and which values count as converged."""

from dataclasses import replace

import made_up_runs as made_up
import pandas as pd
import pytest
import yaml
from fake_engine import WorkingDirectory

from xanesflow.codes.registry import engine_of
from xanesflow.codes.run_zip import ChunkWriter
from xanesflow.config import result_paths as paths
from xanesflow.config.campaign import Campaign
from xanesflow.config.convergence_rungs import as_config, rungs_of
from xanesflow.config.load import load_config
from xanesflow.config.result_paths import fill
from xanesflow.core.errors import XanesflowError
from xanesflow.report.figures.draw_convergence import draw_convergence
from xanesflow.spectra import convergence_study
from xanesflow.spectra.convergence_study import RungFile, choose_sites, compare_rungs, run_rung
from xanesflow.structures.material import describe
from xanesflow.structures.site_table import write_site_table, write_structures

RUN = {"subsets": ["Ti_XSPECTRA"], "structures": {"source": "examples"}, "simulations": {"source": "run"}}


def campaign(**convergence):
    return Campaign(load_config({**RUN, "convergence": {"subset": "Ti_XSPECTRA", **convergence}}))


def test_each_rung_changes_one_option_of_the_engine():
    rungs = rungs_of(campaign(ladder={"simulations.xspectra.ecutwfc": [25, 40], "inputs.xspectra.supercell": [6, 8.5]}))
    assert [(rung.key.rpartition(".")[2], rung.value) for rung in rungs] == [
        ("ecutwfc", 25), ("ecutwfc", 40), ("supercell", 6), ("supercell", 8.5),
    ]  # fmt: skip
    assert [rung.options["ecutwfc"] for rung in rungs] == [25, 40, 30, 30]
    assert [rung.options["inputs"]["supercell"] for rung in rungs] == [None, None, 6, 8.5]
    assert engine_of("XSPECTRA", rungs[1].options).options.ecutwfc == 40
    own = rungs_of(campaign())
    assert len(own) == 10, "the code's own ladder"
    assert len({rung.run for rung in own}) == 8, "the configured options, once for each of three options, are one run"


def test_runs_are_kept_by_their_options_and_not_by_their_place(tmp_path):
    """A coarser value in front, or other sites and back, compute only what is new."""
    short = rungs_of(campaign(ladder={"simulations.xspectra.ecutwfc": [30, 40]}))
    longer = rungs_of(campaign(ladder={"simulations.xspectra.ecutwfc": [25, 30, 40]}))
    assert [rung.folder for rung in longer[1:]] == [rung.folder for rung in short]
    assert len({rung.folder for rung in longer}) == 3
    made = WorkingDirectory(tmp_path).write("Sr", "Ca")

    def compute(place, rung, site):
        run_rung(
            made.structures, made.site_table, tmp_path / f"{place}.zip",
            tmp_path / fill(paths.RUNG_KEPT, subset=made.subset, options=rung.folder), subset=made.subset, sites=[site],
            engine=made.engine(options={"value": rung.value}),
        )  # fmt: skip
        return made.computed()

    assert [compute(k, rung, "m-sr_001") for k, rung in enumerate(short)] == [{"Sr": 1}] * 2
    assert [compute(k, rung, "m-sr_001") for k, rung in enumerate(longer)] == [{"Sr": 1}, {}, {}]
    assert [compute(0, longer[0], site) for site in ("m-ca_001", "m-sr_001", "m-ca_001")] == [{"Ca": 1}, {}, {}]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"subset": None}, "convergence.subset is not set.*such as Ti_XSPECTRA"),
        ({"subset": "Cu_FEFF"}, "Cu_FEFF, which this campaign does not compute; name one of Ti_XSPECTRA"),
        (
            {"ladder": {"simulations.xspectra.nothing": [1, 2]}},
            "xspectra.nothing, which is no option",
        ),
        ({"ladder": {"simulations.xspectra.ecutwfc": [1, -2]}}, "the value -2, .*; the configuration has 30.0"),
        ({"ladder": {"models.kinds": [1, 2]}}, "models.kinds is not of a simulation"),
        ({"ladder": {"simulations.xspectra.ecutwfc": [1]}}, "needs two values or more"),
        (
            {"ladder": {"simulations.xspectra.ecutwfc": [3.0, 3.0]}},
            "the values 3.0 and 3.0, with which .* leave one out",
        ),
        ({"ladder": {"simulations.xspectra.ecutwfc": [3, 4, 3.0]}}, "the values 3 and 3.0"),
    ],
)
def test_a_ladder_that_leads_nowhere_is_told(given, said):
    with pytest.raises(XanesflowError, match=said):
        rungs_of(campaign(**given))


def compare(folder, rungs):
    compare_rungs(
        rungs, subset="Ti_EXCITING", structures=folder / "structures.parquet", energy_start_ev=4964.504,
        max_flat_start_ev=10.0, processing={"broadening": 0.89}, spearman=0.99, rms=0.05, table=folder / "t.csv",
        answer=folder / "a.yaml", as_config=as_config,
    )  # fmt: skip


def test_a_value_is_converged_if_all_finer_ones_are_too(tmp_path):
    """Spectra of one edge, ever sharper: the answer is the coarsest that stays within both limits."""
    material = describe("rutile", made_up.rutile(), symprec=0.01)
    write_structures(tmp_path / "structures.parquet", [material])
    write_site_table(tmp_path / "sites.parquet", [(material, 0)], chunks=1)
    rungs = []
    for value, width in ((1, 8.0), (2, 1.2), (3, 1.0)):
        path = tmp_path / f"{value}.zip"
        with ChunkWriter([path]) as writer:
            for name, text in made_up.exciting(width).items():
                writer.add(0, f"Ti/rutile/EXCITING/000_Ti/{name}", text.encode())
            writer.add_record(0, "Ti/rutile/EXCITING/000_Ti", {"seconds": 10.0 * value})
        rungs.append(RungFile("simulations.code.points", value, path))
    compare(tmp_path, rungs)
    table = pd.read_csv(tmp_path / "t.csv")
    assert table["converged"].tolist() == [False, True, True] and table["finest"].tolist() == [3, 3, 3]
    assert table["seconds"].tolist() == [10.0, 20.0, 30.0] and table["spearman"].iloc[2] == pytest.approx(1.0)
    assert table["rms"].iloc[0] > 0.05 > table["rms"].iloc[1] > 0 == pytest.approx(table["rms"].iloc[2], abs=1e-9)
    assert yaml.safe_load((tmp_path / "a.yaml").read_text()) == {"simulations": {"code": {"points": 2}}}
    assert "as good as 3" in (tmp_path / "a.yaml").read_text()
    draw_convergence(tmp_path / "t.csv", tmp_path / "f.svg", spearman=0.99, rms=0.05)
    assert "Spearman ρ to the finest" in (tmp_path / "f.svg").read_text()
    # Two values that are the same calculation do not show that it is converged.
    compare(tmp_path, [rungs[0], RungFile(rungs[0].key, 2, rungs[-1].runs), rungs[-1]])
    assert "points: 2 (no coarser value is converged, so try finer ones)" in (tmp_path / "a.yaml").read_text()
    # The finest value failed: nothing is known, and the answer names no value.
    with ChunkWriter([rungs[-1].runs]) as writer:
        record = {"seconds": 1.0, "outcome": "failed", "reason": "not_converged", "detail": "no field"}
        writer.add_record(0, "Ti/rutile/EXCITING/000_Ti", record)
    compare(tmp_path, rungs)
    assert yaml.safe_load((tmp_path / "a.yaml").read_text()) == {}
    assert "not known: 3, its finest value, has no spectrum of a site" in (tmp_path / "a.yaml").read_text()


def test_a_spectrum_without_a_shape_to_compare_is_told_and_ends_nothing(tmp_path, monkeypatch):
    material = describe("rutile", made_up.rutile(), symprec=0.01)
    write_structures(tmp_path / "structures.parquet", [material])
    rungs = []
    for value in (1, 2):
        with ChunkWriter([tmp_path / f"{value}.zip"]) as writer:
            for name, text in made_up.exciting(1.0).items():
                writer.add(0, f"Ti/rutile/EXCITING/000_Ti/{name}", text.encode())
            writer.add_record(0, "Ti/rutile/EXCITING/000_Ti", {"seconds": 1.0})
        rungs.append(RungFile("simulations.code.points", value, tmp_path / f"{value}.zip"))
    read = convergence_study.read_spectra_of_chunk

    def with_zeros(runs, **given):
        found = read(runs, **given)
        return (
            replace(found, good={site: 0 * spectrum for site, spectrum in found.good.items()})
            if "2" in runs.name
            else found
        )

    monkeypatch.setattr(convergence_study, "read_spectra_of_chunk", with_zeros)
    compare(tmp_path, rungs)
    table = pd.read_csv(tmp_path / "t.csv")
    assert table["spearman"].isna().all() and not table["converged"].any()
    assert (table["failed"] == "not compared: the spectrum is nowhere positive").all()
    assert "not known: 2" in (tmp_path / "a.yaml").read_text()


def test_sites_that_are_named_are_found(tmp_path):
    material = describe("rutile", made_up.rutile(), symprec=0.01)
    write_site_table(tmp_path / "sites.parquet", [(material, 0)], chunks=1)
    assert choose_sites(tmp_path / "sites.parquet", []) == [("rutile", 0)]
    with pytest.raises(XanesflowError, match="names rutile_001, which is no site of the subset; it has rutile_000"):
        choose_sites(tmp_path / "sites.parquet", ["rutile_001"])
