"""Shortened figures look the same."""

import re

import numpy as np

from xanesflow.core.figures import figure, shorten_svg


def points(path):
    """Absolute points of a path of M, L, l and z, as a renderer would follow it."""
    number = r"-?(?:\d+\.?\d*|\.\d+)"
    found, here = [], np.zeros(2)
    for command, x, y in re.findall(rf"([MLl]) ?({number}) ?({number})", path):
        here = np.array([float(x), float(y)]) + (here if command == "l" else 0)
        found.append(here)
    return np.array(found)


def test_a_long_line_stays_within_a_tenth_of_a_point():
    there = np.cumsum(np.random.default_rng(0).normal(scale=3, size=(200, 2)), axis=0)
    path = "".join(f"{'L' if k else 'M'} {x:.6f} {y:.6f} \n" for k, (x, y) in enumerate(there))
    text = f'<svg>\n  <path d="{path}"/>\n  <text x="1.234567" y="2">5.678901 eV</text>\n</svg>\n'
    short = shorten_svg(text)
    assert len(short) < 0.5 * len(text)
    found = points(re.search(r' d="([^"]*)"', short)[1])
    assert np.abs(found - there).max() <= 0.05 + 1e-9, "and the errors do not add up"
    assert ">5.678901 eV</text></svg>\n" in short and 'x="1.23"' in short


def test_other_paths_keep_their_form():
    circle = "M 0 1.5 \nC 0.397805 1.5 0.779298 1.341956 1.060624 1.060624 \nz\n"
    assert shorten_svg(f'<path d="{circle}"/>') == '<path d="M0 1.5C0.4 1.5 0.78 1.34 1.06 1.06z"/>'


def test_a_figure_is_an_svg_with_its_texts_and_nothing_of_its_making(tmp_path):
    with figure(tmp_path / "f.svg", 3, 2) as drawn:
        drawn.subplots().set(xlabel="Photon energy (eV)")
    text = (tmp_path / "f.svg").read_text()
    assert ">Photon energy (eV)</text>" in text and text.endswith("</svg>\n") and "metadata" not in text
