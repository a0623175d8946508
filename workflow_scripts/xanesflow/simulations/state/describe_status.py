"""Says in words how far a campaign has come."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from xanesflow.core.text import plural
from xanesflow.simulations.state.campaign_status import CampaignStatus, SubsetStatus

_DAY = 86400
FORECAST = (
    "if the number of sites at work stays the same, and the others take as long, compared with what was expected, as "
    "those that ended"
)
"""The assumption of the forecast."""


def forecast(status: CampaignStatus) -> str:
    """When all sites will be simulated, or why that is not known."""
    total = status.total()
    if total.sites and total.done + total.n_failed >= total.sites:
        return f"All sites have ended: {total.done:,} good, {total.n_failed:,} failed."
    if not total.running:
        return "According to the chunks, no site is at work now; continue with `snakemake`."
    at_work = f"{plural(total.running, 'site is', 'sites are')} at work"
    if status.ends is None:
        return f"{at_work}; no forecast yet, because no run has ended and no run times are expected."
    return f"{at_work}; all sites will be simulated {when_text(status.ends, status.now)}, {FORECAST}."


def describe_stages(status: CampaignStatus) -> str:
    """`structures done, simulations of 3 of 10 subsets, spectra missing, ...`."""
    listed = []
    for stage in status.subsets[0].stages:
        states = [each.stages.get(stage, "missing") for each in status.subsets]
        if len(set(states)) == 1:
            listed.append(f"{stage} {states[0]}")
        else:
            outdated = f" ({states.count('outdated')} outdated)" if "outdated" in states else ""
            listed.append(f"{stage} of {states.count('done')} of {plural(len(states), 'subset')}{outdated}")
    return ", ".join([*listed, *(f"{stage} {state}" for stage, state in status.stages.items())])


def status_cells(each: SubsetStatus, now: float) -> dict[str, str]:
    """What tables show of a subset: counts of sites, packed chunks, core hours used and expected, and when it ends."""
    counts = {
        "sites": each.sites, "done": each.done, "at work": each.running, "failed": each.n_failed,
        "waiting": each.waiting, "left out": sum(each.rejected.values()),
    }  # fmt: skip
    hours = [core_hours_text(each.core_hours_used), core_hours_text(each.core_hours_expected)]
    used, expected = ["imported", ""] if each.imported else hours
    return {
        "subset": each.subset, **{name: f"{number:,}" for name, number in counts.items()},
        "chunks": f"{each.packed}/{each.chunks}", "core hours": used, "expected": expected,
        "ends": "" if each.ends is None else when_text(each.ends, now),
    }  # fmt: skip


def listed_counts(counts: Mapping[str, int]) -> str:
    """`3 timed_out, 1 killed`."""
    return ", ".join(f"{number:,} {reason}" for reason, number in counts.items())


def core_hours_text(hours: float | None) -> str:
    """Core hours with three digits; `?` if they are not known."""
    if hours is None:
        return "?"
    return f"{hours:,.0f}" if hours >= 100 else f"{hours:.3g}"


def when_text(at: float, now: float) -> str:
    """`in 5 min`, `17:30`, `Sun 04:00`, `2027-02-05`."""
    moment, today = datetime.fromtimestamp(at), datetime.fromtimestamp(now)
    if at - now < 3600:
        return f"in {max(at - now, 0) / 60:.0f} min"
    if moment.date() == today.date():
        return f"{moment:%H:%M}"
    return f"{moment:%a %H:%M}" if at - now < 6 * _DAY else f"{moment:%Y-%m-%d}"
