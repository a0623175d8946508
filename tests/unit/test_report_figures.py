"""The figures: always drawn, whatever the numbers, the same for the same data, and with nothing to load."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from xanesflow.core.figures import read_note
from xanesflow.core.reasons import Rejected
from xanesflow.core.text import plural
from xanesflow.evaluation.predictions_file import Predictions, write_predictions
from xanesflow.report.figures.comparison import draw_comparison
from xanesflow.report.figures.curation import draw_curation
from xanesflow.report.figures.model_errors import draw_evaluation
from xanesflow.report.figures.named_spectra import draw_named_spectra
from xanesflow.report.figures.together import draw_together, in_a_sentence, judged_together
from xanesflow.spectra.store import CuratedSpectra, write_spectra

ENERGY_EV = 8983.173 + 0.25 * np.arange(141)


def some_predictions(n):
    rng = np.random.default_rng(n)
    spectra = rng.uniform(5e-4, 1e-3, size=(n, 141))
    predictions = spectra + rng.normal(scale=1e-5, size=(n, 141))
    ids = [f"mp-{k}_000" for k in range(n)]
    return Predictions(
        "expert", "m3gnet", "Cu_FEFF", "test", 100, [0], ids, ENERGY_EV, spectra, predictions, predictions[None],
        np.full(141, 7e-4),
    )  # fmt: skip


def write_curated(path, materials, rejected=(), corrections=(), **more):
    """A file of curated spectra of these materials."""
    n = len(materials)
    index, spectra = np.zeros(n, dtype=np.int64), some_predictions(n).spectra
    found = CuratedSpectra("Cu_FEFF", ENERGY_EV, spectra, materials, index, index + 1, rejected, corrections, **more)
    write_spectra(path, found, {})
    return path


def draw(data, folder, how=draw_evaluation, names=("errors", "spectra", "energies", "heatmap")):
    folder.mkdir(exist_ok=True)
    write_predictions(folder / "p.h5", data, {})
    figures = {name: folder / f"{name}.svg" for name in names}
    how(folder / "p.h5", **figures)
    return {name: path.read_text() for name, path in figures.items()}


def spotless(texts):
    return all(text.endswith("</svg>\n") and 'href="http' not in text and "<script" not in text for text in texts)


def test_a_part_without_spectra_is_told_in_each_figure(tmp_path):
    texts = draw(some_predictions(0), tmp_path / "out")
    assert spotless(texts.values())
    assert all("Cu_FEFF has no spectrum in its test part" in text for text in texts.values())


def test_without_training_spectra_there_is_no_baseline_to_draw(tmp_path):
    texts = draw(replace(some_predictions(3), baseline=np.full(141, np.nan)), tmp_path / "out")
    assert spotless(texts.values())
    assert "mean training spectrum" not in texts["errors"]


@pytest.mark.parametrize("n", [1, 3, 25])
def test_few_spectra_can_be_drawn(tmp_path, n):
    texts = draw(some_predictions(n), tmp_path / "out")
    assert spotless(texts.values())
    assert texts["spectra"].count("_000") == min(n, 10)  # one of each decile, with its name


def test_one_spectrum_has_labelled_axes_whole_counts_and_no_endless_loss(tmp_path):
    data = replace(some_predictions(1), baseline=some_predictions(1).spectra[0] + 1e-9)  # the mean is nearly perfect
    texts = draw(data, tmp_path / "out")
    for shown in ("Photon energy (eV)", "Cross section (10⁻³ bohr²)", "9000", "0.6"):
        assert f">{shown}</text>" in texts["spectra"], shown
    counts = re.findall(r">([\d.]+)</text>", texts["errors"].split("matplotlib.axis_2")[1].split("legend_1")[0])
    assert counts == ["0", "1"]
    removed = texts["energies"].split("axes_2")[1].split("axes_3")[0]
    assert ">−100</text>" in removed and not re.search(r">−\d{4,}</text>", removed)


def test_a_perfect_model_and_a_perfect_baseline_can_be_drawn(tmp_path):
    data = some_predictions(4)
    perfect = replace(data, predictions=data.spectra, by_seed=data.spectra[None])
    assert spotless(draw(perfect, tmp_path / "model").values())
    equal = replace(perfect, spectra=np.tile(data.baseline, (4, 1)), predictions=np.tile(data.baseline, (4, 1)))
    assert spotless(draw(equal, tmp_path / "both").values())


def test_an_id_of_any_characters_is_drawn_as_it_is(tmp_path):
    ids = ["<script>alert(1)</script>_000", "$x^$_001", "a&b_002"]
    texts = draw(replace(some_predictions(3), ids=ids), tmp_path / "out")
    assert spotless(texts.values())
    assert "&lt;script&gt;alert(1)&lt;/script&gt;_000" in texts["spectra"] and "$x^$_001" in texts["spectra"]


def test_the_same_data_give_the_same_bytes(tmp_path):
    data = some_predictions(12)
    assert draw(data, tmp_path / "one") == draw(data, tmp_path / "two")


def test_all_models_stand_side_by_side_with_their_figures(tmp_path):
    head = "model,features,element,theory,eta,seed,part"
    rows = [
        "expert,m3gnet,Cu,FEFF,5.111,0,test",
        "expert,m3gnet,Cu,FEFF,5.222,1,test",
        "expert,m3gnet,Cu,FEFF,5.666,ensemble,test",
        "linear,m3gnet,Cu,FEFF,2.345,0,test",
        "linear,soap,Cu,FEFF,1.234,0,test",
        "linear,m3gnet,Ti,VASP,nan,0,test",
    ]
    (tmp_path / "m.csv").write_text("\n".join([head, *rows]) + "\n")
    bounds = ["model,features,element,theory,eta_low,eta_high", "expert,m3gnet,Cu,FEFF,4.9,6.1"]
    (tmp_path / "i.csv").write_text("\n".join([*bounds, "linear,m3gnet,Ti,VASP,nan,nan"]) + "\n")
    for name in ("one.svg", "two.svg"):
        draw_comparison(tmp_path / "m.csv", tmp_path / name, intervals=tmp_path / "i.csv")
    text = (tmp_path / "one.svg").read_text()
    assert spotless([text]) and text == (tmp_path / "two.svg").read_text()
    for shown in ("Cu_FEFF", "Ti_VASP", "m3gnet", "soap", "5.67", "2.35", "1.23", "–"):
        assert f">{shown}</text>" in text
    assert "5.11" not in text, "a seed is a stroke, not a bar"
    assert ">paper</text>" in text, "of Cu by the expert on m3gnet"
    (tmp_path / "m.csv").write_text(head + "\nlinear,m3gnet,Cu,FEFF,nan,0,test\n")
    draw_comparison(tmp_path / "m.csv", tmp_path / "none.svg")
    assert spotless([(tmp_path / "none.svg").read_text()])


@pytest.mark.parametrize("rejected", [[], [Rejected("mp-9", 0, "no_output", "")] * 3])
@pytest.mark.parametrize("n", [1, 7])
def test_what_curation_left_is_drawn_with_its_numbers(tmp_path, n, rejected):
    changed = ["SCF ca1 0.2 -> 0.1"] * 2 + [""] * (n - 2) if n > 1 else []
    draw_curation(
        write_curated(tmp_path / "s.h5", [f"mp-{k}" for k in range(n)], rejected, changed), tmp_path / "s.svg"
    )
    text = (tmp_path / "s.svg").read_text()
    assert spotless([text])
    assert (
        f"{plural(n, 'spectrum', 'spectra')} kept" in text
        and (f"{len(rejected)} left out" if rejected else "none left out") in text
    )
    assert ("no_output" in text) == bool(rejected)
    assert ("spectra kept, 2 of corrected runs" in text) == (n > 1)


def test_few_spectra_are_drawn_from_the_element_to_its_poorest_compound_each_with_its_name(tmp_path):
    compounds = {"b-oxide": ("Cu2O", "cuprite"), "a-mix": ("CaCuO2", ""), "d-metal": ("Cu", "copper"), "c": ("CuO", "")}
    rows = [(material, "{}", formula, 2, name, "") for material, (formula, name) in compounds.items()]
    columns = ["material_id", "structure", "formula", "n_atoms", "name", "reference"]
    pd.DataFrame(rows, columns=columns).to_parquet(tmp_path / "structures.parquet")
    write_curated(tmp_path / "s.h5", list(compounds))
    draw_named_spectra(tmp_path / "s.h5", tmp_path / "structures.parquet", tmp_path / "s.svg")
    text = (tmp_path / "s.svg").read_text()
    places = [text.index(f">{site}_000<") for site in ("d-metal", "b-oxide", "c", "a-mix")]
    assert spotless([text]) and places == sorted(places) and ">Cu₂O, cuprite<" in text and ">Cu, copper<" in text
    draw_named_spectra(tmp_path / "s.h5", None, tmp_path / "t.svg")
    assert ">c_000<" in (tmp_path / "t.svg").read_text()


def test_many_spectra_are_not_drawn_by_name(tmp_path):
    draw_named_spectra(write_curated(tmp_path / "s.h5", [f"mp-{k}" for k in range(20)]), None, tmp_path / "s.svg")
    assert "20 spectra" in read_note(tmp_path / "s.svg")


def test_subsets_of_few_evaluated_spectra_are_judged_together(tmp_path):
    """Errors of 3 % of the level against 10 % at two spectra, and 20 % against 10 % at the third."""
    level = np.linspace(1.0, 2.0, 141)
    cu = replace(
        some_predictions(2),
        spectra=np.array([level, 2 * level]),
        predictions=np.array([1.03 * level, 2 * 1.03 * level]),
        baseline=1.1 * level,
    )
    ni = replace(cu, subset="Ni_FEFF", ids=["mp-7_001"], spectra=cu.spectra[:1], predictions=1.2 * cu.spectra[:1])
    found = judged_together([cu, ni])
    assert [each.site for each in found] == ["mp-0_000", "mp-1_000", "mp-7_001"]
    of_level = np.sqrt(np.mean(level**2)) / level.mean()
    assert [each.error for each in found] == pytest.approx([0.03 * of_level, 0.03 * of_level, 0.2 * of_level])
    assert found[0].of_baseline == pytest.approx(0.1 * of_level) and found[0].spectrum.mean() == pytest.approx(1)
    assert "at 2 of 3 spectra" in in_a_sentence(found) and "3.33" in in_a_sentence(found)
    paths = []
    for each in (cu, ni):
        paths.append(tmp_path / f"{each.subset}.h5")
        write_predictions(paths[-1], replace(each, by_seed=each.predictions[None]), {})
    draw_together(paths, spectra=tmp_path / "s.svg", errors=tmp_path / "e.svg")
    assert spotless([(tmp_path / name).read_text() for name in ("s.svg", "e.svg")])
    assert "Ni in mp-7_001" in (tmp_path / "s.svg").read_text() and read_note(tmp_path / "e.svg") is None


def test_subsets_with_enough_spectra_are_not_judged_together(tmp_path):
    for n, name in ((5, "a.h5"), (2, "b.h5"), (0, "c.h5")):
        write_predictions(tmp_path / name, some_predictions(n), {})
    for names in (("a.h5", "b.h5"), ("c.h5", "c.h5")):
        draw_together([tmp_path / name for name in names], spectra=tmp_path / "s.svg", errors=tmp_path / "e.svg")
        assert read_note(tmp_path / "s.svg") and read_note(tmp_path / "e.svg")
