"""What the configuration means by `models.baseline`: the cheaper level of theory under delta models.

Its runs are of the same sites as a subset's own, so they form a subset that nobody has to name: `Cu_FEFF8L` below
`Cu_FEFF`. It is simulated (or imported) like any other, and its spectra become features of the subset's sites.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from xanesflow.codes.registry import run_features, theory_of
from xanesflow.core.sites import Subset
from xanesflow.models.model_kinds import DELTA

if TYPE_CHECKING:
    from xanesflow.config.model import Config

MEAN = "mean"


def theory_of_baseline(baseline: str) -> str | None:
    """The level of theory of `models.baseline`, which may be named by it or by a subset; None for the mean."""
    return None if baseline == MEAN else baseline.rsplit("_", maxsplit=1)[-1]


def baselines_of(config: Config) -> dict[str, str]:
    """For each subset the one whose runs are its baseline, `{"Cu_FEFF": "Cu_FEFF8L"}`; empty if there is none."""
    theory = theory_of_baseline(config.models.baseline)
    if theory is None:
        return {}
    return {name: f"{Subset.parse(name).element}_{theory}" for name in config.subsets}


def baseline_features(config: Config) -> str | None:
    """Name of the features that the baseline's runs give, as `feff8l`."""
    theory = theory_of_baseline(config.models.baseline)
    return None if theory is None else theory_of(theory).run_features


def models_of(config: Config) -> list[tuple[str, str]]:
    """The models of a subset: kind and features. A delta model has those of the baseline besides."""
    features = config.features.models or []
    return [
        (kind, f"{name}+{baseline_features(config)}" if kind == DELTA else name)
        for kind in config.models.kinds
        for name in features
    ]


def check_baseline(config: Config) -> None:
    """Check that a delta model can be had where one is asked for.

    Raises:
        ValueError: it cannot; says why.
    """
    baseline, wanted = config.models.baseline, DELTA in config.models.kinds
    theory = theory_of_baseline(baseline)
    if theory is None:
        if wanted:
            raise ValueError(
                "models.kinds has delta, and models.baseline is mean: name the cheaper level of theory whose runs its "
                "models correct, such as FEFF8L"
            )
        return
    if theory not in run_features().values():
        raise ValueError(
            f"models.baseline is {baseline}; runs of {' or '.join(run_features().values())} can be corrected"
        )
    if not wanted:
        raise ValueError(
            f"models.baseline is {baseline}, which only delta models use, and models.kinds has none; add delta to it"
        )
    if config.from_files:
        raise ValueError(
            "dataset.source: features_file simulates nothing, so there are no runs for models.baseline: "
            f"{baseline}; take delta out of models.kinds"
        )
    elements: dict[str, str] = {}
    for name in config.subsets:
        subset = Subset.parse(name)
        if "_" in baseline and Subset.parse(baseline).element != subset.element:
            raise ValueError(f"models.baseline is {baseline}, and {name} is of another element; name {theory} instead")
        if subset.theory == theory:
            raise ValueError(
                f"models.baseline is {baseline}, and {name} is a subset itself; take it out of subsets: its runs are "
                "made for the models of the others"
            )
        if subset.element in elements:
            raise ValueError(
                f"the subsets {elements[subset.element]} and {name} would share the runs of {subset.element}_{theory}, "
                "and their structures may differ; make a campaign for each"
            )
        elements[subset.element] = name
    if (
        theory_of(theory).importable
        and config.simulations.source == "archive"
        and isinstance(config.simulations.archive, dict)
    ):
        missing = [name for name in baselines_of(config).values() if name not in config.simulations.archive]
        if missing:
            raise ValueError(
                f"simulations.archive has no entry for {missing[0]}, the baseline; add the path of its runs"
            )


def computed_baselines(config: Config) -> list[str]:
    """The baselines' subsets that this campaign runs; those of an archive are imported, where runs of them can be."""
    names: Sequence[str] = sorted(set(baselines_of(config).values()))
    run = config.simulations.source == "run"
    return [name for name in names if run or not theory_of(Subset.parse(name).theory).importable]


def check_planned(config: Config) -> None:
    """Check that `simulations.sites` has lists of what this campaign runs.

    Raises:
        ValueError: a list would do nothing; says why.
    """
    runs = [] if config.from_files else [*config.subsets, *computed_baselines(config)]
    if config.simulations.source != "run":
        runs = [name for name in runs if name not in config.subsets]
    for name in config.simulations.sites:
        if name not in runs:
            why = "are imported" if name in config.subsets else "are none of this campaign"
            those = f"lists can be given for {', '.join(runs)}" if runs else "this campaign computes none"
            raise ValueError(f"simulations.sites has a list for {name}, whose runs {why}; {those}")
