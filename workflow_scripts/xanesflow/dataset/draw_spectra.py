"""Draw spectra of a dataset as a figure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from xanesflow.core.errors import XanesflowError
from xanesflow.core.figures import BAND, COLOURS, CROSS_SECTION, ENERGY, MODEL, figure, panels
from xanesflow.core.text import plural
from xanesflow.dataset.read_dataset import DatasetFile, SiteView, SubsetView

SUFFIXES = (".svg", ".png", ".pdf")
MOST_SITES = 12
"""The most sites that you can still tell apart in one figure."""


def draw_spectra(data: DatasetFile, sites: Sequence[str], subsets: Sequence[str], output: str | Path) -> str:
    """Draw the spectra of some sites, or the mean and spread of each subset.

    Args:
        data: an open dataset.
        sites: site ids. If empty, each subset is drawn as its mean and the band that holds 68 % of its
            spectra at each energy.
        subsets: draw only these. If empty, all subsets are drawn, or all that have one of the sites.
        output: SVG, PNG or PDF file.

    Returns:
        A phrase that says what was drawn.

    Raises:
        XanesflowError: no subset has one of the sites, there are too many sites, or the file name has another suffix.
    """
    output = Path(output)
    if output.suffix not in SUFFIXES:
        raise XanesflowError(
            f"{output} does not end with {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}; choose a name that does."
        )
    if len(sites) > MOST_SITES:
        raise XanesflowError(f"{plural(len(sites), 'site')} are too many for one figure; name up to {MOST_SITES}.")
    chosen = [data[name] for name in subsets or data.subsets]
    if not sites:
        return _draw_means(chosen, output)
    found = {subset.name: [subset[each] for each in sites if each in set(subset.ids)] for subset in chosen}
    shown = {name: there for name, there in found.items() if there}
    for each in sites:
        if not any(site.id == each for there in shown.values() for site in there):
            names = ", ".join(subset.name for subset in chosen)
            raise XanesflowError(f"{data.path} has no site {each} in {names}; `xanesflow dataset export` lists them.")
    with figure(output, 5.2, 1 + 2.6 * len(shown)) as drawn:
        for axes, (name, there) in zip(panels(drawn, len(shown), 1), shown.items(), strict=True):
            _draw_sites(axes, name, there)
    number = sum(map(len, shown.values()))
    return f"{plural(number, 'spectrum', 'spectra')} of {', '.join(shown)}"


def _draw_sites(axes: Axes, subset: str, sites: Sequence[SiteView]) -> None:
    for k, site in enumerate(sites):
        style = "-" if k < len(COLOURS) else "--"
        axes.plot(site.energy, 1e3 * site.spectrum, style, color=COLOURS[k % len(COLOURS)], lw=1.3, label=site.id)
    axes.legend(fontsize=7)
    _label(axes, subset)


def _draw_means(subsets: Sequence[SubsetView], output: Path) -> str:
    columns = min(len(subsets), 2)
    rows = -(-len(subsets) // columns)
    with figure(output, 4.6 * columns, 0.4 + 2.6 * rows) as drawn:
        for axes, subset in zip(panels(drawn, len(subsets), columns), subsets, strict=True):
            spectra = 1e3 * subset.spectra[:]
            bounds = np.percentile(spectra, [16, 84], axis=0)
            axes.fill_between(subset.energy, *bounds, color=BAND, lw=0, label="68 % of them")
            axes.plot(subset.energy, spectra.mean(axis=0), color=MODEL, lw=1.5, label=f"mean of {len(subset)}")
            axes.legend(fontsize=7, loc="lower right")
            _label(axes, subset.name)
    return f"mean and spread of {', '.join(subset.name for subset in subsets)}"


def _label(axes: Axes, title: str) -> None:
    axes.set_title(title)
    axes.set_xlabel(ENERGY)
    axes.set_ylabel(CROSS_SECTION)
    axes.set_ylim(bottom=min(0.0, float(np.min(axes.get_ylim()[0]))))
