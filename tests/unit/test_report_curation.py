"""What curation left out: examples that are kept with the spectra, and their figure."""

import numpy as np
import pytest
from test_report_figures import write_curated

from xanesflow.codes.finished_run import FinishedRun
from xanesflow.core.reasons import Rejected
from xanesflow.core.templates import environment
from xanesflow.report.figures.left_out import draw_examples
from xanesflow.spectra.rejected_examples import PER_REASON, RejectedExample, choose_examples, spectrum_anyway
from xanesflow.spectra.store import read_spectra

BOUNDS = np.array([np.full(141, 4e-4), np.full(141, 1e-3)])


def write(folder, examples, rejected=(), bounds=None):
    """A file of five spectra, and of what was left out."""
    materials = [f"mp-{k}" for k in range(5)]
    return write_curated(folder / "s.h5", materials, rejected, examples=examples, envelope=bounds)


def example(number=0, reason="outside_envelope", badness=3.0, detail="3.00 σ from the mean at 8990.00 eV"):
    return RejectedExample(f"mp-{number}", 0, reason, detail, np.full(141, 2e-3), badness)


def test_the_worst_of_each_reason_are_kept():
    many = [example(k, badness=float(k)) for k in range(20)] + [example(50, "negative"), example(51, "not_converged")]
    chosen = choose_examples(many)
    assert [each.material_id for each in chosen[-PER_REASON:]] == [f"mp-{k}" for k in range(19, 19 - PER_REASON, -1)]
    assert [each.reason for each in chosen[:2]] == ["not_converged", "negative"], "in the documented order"


def test_examples_and_envelope_come_back_from_the_file(tmp_path):
    write(tmp_path, [example(7)], bounds=BOUNDS)
    found = read_spectra(tmp_path / "s.h5")
    (one,) = found.examples
    assert (one.material_id, one.reason, one.detail) == ("mp-7", "outside_envelope", example().detail)
    assert np.array_equal(one.spectrum, example().spectrum) and np.array_equal(found.envelope, BOUNDS)
    write(tmp_path, [])
    assert read_spectra(tmp_path / "s.h5").examples == [] and read_spectra(tmp_path / "s.h5").envelope is None


def test_a_refused_run_is_read_as_far_as_it_goes():
    rows = "\n".join(f"{energy:.3f} {1e-3:.6f} {1e-3:.6f}" for energy in np.arange(8990.0, 9000.0, 0.5))
    content = f"# absorber Z=29 K\n{rows}\n".encode()
    spectrum = spectrum_anyway(FinishedRun("mp-1", 0, {"xmu.dat": content}), "FEFF8L", 8983.173)
    assert np.isnan(spectrum[0]) and np.isnan(spectrum[-1]) and np.nanmax(spectrum) == pytest.approx(1e-3)
    assert spectrum_anyway(FinishedRun("mp-1", 0, {"xmu.dat": b"\x00"}), "FEFF", 8983.173) is None
    assert spectrum_anyway(FinishedRun("mp-1", 0, {}), "FEFF8L", 8983.173) is None
    assert spectrum_anyway(FinishedRun("mp-1", 0, {"OUTCAR": b""}), "VASP", 4964.504) is None


def test_examples_are_drawn_by_reason_with_their_sites(tmp_path):
    gaps = RejectedExample("mp-$x^$", 3, "not_converged", "", np.where(np.arange(141) > 50, 7e-4, np.nan))
    write(tmp_path, [gaps, example(7), example(8)], bounds=BOUNDS)
    draw_examples(tmp_path / "s.h5", tmp_path / "f.svg")
    text = (tmp_path / "f.svg").read_text()
    for told in ("not_converged", "outside_envelope", "mp-7_000", "mp-$x^$_003", "3.00 σ", "envelope"):
        assert f">{told}</text>" in text, told


@pytest.mark.parametrize("rejected", [[], [Rejected("mp-9", 0, "no_output", "")]])
def test_without_examples_the_figure_says_so(tmp_path, rejected):
    write(tmp_path, [], rejected)
    draw_examples(tmp_path / "s.h5", tmp_path / "f.svg")
    said = "no rejected site left a spectrum to draw" if rejected else "nothing was left out"
    assert said in (tmp_path / "f.svg").read_text()


def test_the_part_of_the_page_tells_reasons_by_subset_and_what_is_not_known():
    subset = {"name": "Cu_FEFF", "kept": 90, "materials": 40, "parts": {"train": 80}, "energy": (1.0, 2.0), "total": 10}
    subset |= {"rejected": {"no_output": 4, "<b>odd</b>": 6}, "unmatched": {}, "figure": "data:x", "examples": "data:y"}
    subset |= {"named": None}
    render = environment("xanesflow.report").get_template("curation.html").render
    page = render(
        subsets=[subset], reasons={"no_output": "none"}, reasons_found=["no_output", "<b>odd</b>"], from_files=False
    )
    assert "<code>no_output</code></td><td>4</td>" in page and "10.0 %" in page and 'src="data:y"' in page
    assert "<b>odd" not in page and "a reason from another version" in page
    subset |= {"rejected": {}, "total": 0}
    page = render(subsets=[subset], reasons={}, reasons_found=[], from_files=True)
    assert "is not known" in page and "Nothing was left out." in page and 'src="data:y"' not in page
