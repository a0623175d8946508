"""Curate the spectra of a subset: check the raw runs in its chunks, and put the good ones on one grid."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from pymatgen.core import Structure

from xanesflow.codes.damaged_run import explain_bad_run
from xanesflow.codes.finished_run import FinishedRun
from xanesflow.codes.registry import check_readable, function_of, processing_of, reader_of, theory_of
from xanesflow.codes.run_zip import check_record, read_chunk, sites_in_chunk
from xanesflow.core.array_types import Floats
from xanesflow.core.energy_grid import MAX_FLAT_START_EV, energy_grid, envelope, onto_grid
from xanesflow.core.errors import BadRunError, GridNotCoveredError, XanesflowError
from xanesflow.core.parallel import map_in_processes
from xanesflow.core.provenance import provenance
from xanesflow.core.reasons import Rejected
from xanesflow.core.site_list import planned_sites
from xanesflow.core.sites import WHOLE_MATERIAL, Site, Subset
from xanesflow.core.tables import (
    count_reasons,
    describe_counts,
    read_parquet,
    read_rejected,
    read_structures,
    write_rejected,
)
from xanesflow.core.text import plural
from xanesflow.simulations.state.failures import check_failures, how_to_retry
from xanesflow.spectra.mixed_settings import RunSettings, describe_settings, differing_settings, other_settings
from xanesflow.spectra.rejected_examples import RejectedExample, choose_examples, spectrum_anyway
from xanesflow.spectra.store import CuratedSpectra, write_spectra

log = logging.getLogger(__name__)


def curate_spectra(
    chunks: list[Path],
    *,
    subset: str,
    structures: Path,
    site_table: Path,
    rejected: list[Path],
    failed: Sequence[Path] = (),
    max_failed: float | None = None,
    only: Path | None = None,
    output: Path,
    rejected_csv: Path,
    energy_start_ev: float,
    envelope_sigma: float | None,
    max_flat_start_ev: float = MAX_FLAT_START_EV,
    processing: Mapping[str, float] | None = None,
    inputs: Mapping[str, Any] | None = None,
    mixed_settings: bool = False,
    workers: int = 1,
    config: str | None = None,
) -> None:
    """Check every run, put the good ones on the grid, and take out those that leave the σ envelope.

    Args:
        chunks: zips of finished runs.
        subset: such as `Cu_FEFF`.
        structures: Parquet of the subset's structures.
        site_table: Parquet of all sites of the subset.
        rejected: Parquet tables of what earlier stages left out; materials without the element are skipped.
        failed: tables of the sites that could not be simulated (`simulations.state.failures`).
        max_failed: largest share of the planned sites that may have failed; None: any.
        only: list of the sites that were to be simulated (`site_list.read_site_list`); None: all.
        output: HDF5 to write.
        rejected_csv: CSV to write, the table of all that was left out, for people.
        energy_start_ev: first energy of the grid.
        envelope_sigma: c of the σ envelope; None: no envelope.
        max_flat_start_ev: how far above the grid's start the first computed point may be.
        processing: the element's entries of `curation.<section>` by key, in eV, for theories that have one (VASP).
        inputs: options of the theory's inputs, which our own runs are compared with; None: they are not compared.
        mixed_settings: whether runs with other physics settings than their subset's are kept.
        workers: processes that read chunks.
        config: the configuration as JSON, to be stored in the file.

    Raises:
        XanesflowError: too many sites failed; or the list names a site that the subset lacks; or no spectrum is left
            (the error says why); or runs of this theory cannot be read; or an entry of `processing` is missing.
    """
    parsed = Subset.parse(subset)
    check_readable(parsed.theory)
    made = processing_of(subset, parsed.theory, processing, start_ev=energy_start_ev)
    # Too many failed sites stop the curation before anything is read.
    sites = read_parquet(site_table, ["material_id", "site_index", "multiplicity"])
    multiplicity = {(m, i): n for m, i, n in sites.itertuples(index=False)}
    planned = planned_sites(only, multiplicity, subset)
    for table in failed:
        check_failures(table, subset=subset, sites=len(planned), max_failed=max_failed)
    # Read the chunks in parallel; what earlier stages left out comes first in the list.
    read = partial(
        read_spectra_of_chunk,
        structures=structures,
        sites=frozenset(multiplicity),
        subset=parsed,
        start_ev=energy_start_ev,
        max_flat_start_ev=max_flat_start_ev,
        processing=made,
    )
    # A folder or library serves many elements; those without this one were counted when they were read.
    found = SpectraOfChunk(bad=[r for table in rejected for r in read_rejected(table) if r.reason != "no_absorber"])
    for chunk in map_in_processes(read, chunks, workers):
        found.add(chunk)
    if found.not_compared:
        log.warning(
            "%s: %s no feff.inp with ATOMS, so only the name of the folder says which site is meant; check the names.",
            subset, plural(found.not_compared, "run has", "runs have"),
        )  # fmt: skip
    spectra, left_out, examples = found.good, found.bad, found.drawable
    corrections, settings, steps = found.corrections, found.settings, found.steps
    left_out += _take_out_with_their_structure(spectra, left_out)
    # Spectra with other physics do not belong to the subset, and they would widen its envelope.
    configured = function_of(theory_of(parsed.theory).input_settings) if inputs is not None else None
    others = other_settings(
        {site: settings[site] for site in spectra.keys() & settings.keys()},
        configured(inputs) if configured else None,
        subset=subset,
        keep=mixed_settings,
    )
    for site, detail in {} if mixed_settings else others.items():
        left_out.append(Rejected(*site, "other_settings", detail))
        examples.append(RejectedExample(*site, "other_settings", detail, spectra.pop(site)))
    # Every site must be accounted for: as a spectrum, as left out, as not planned, or as missing.
    seen = spectra.keys() | {(r.material_id, r.site_index) for r in left_out}
    left_out += _without_run(multiplicity.keys() - seen, planned, only)
    if not spectra:
        raise _nothing_left(subset, left_out, failed)

    # The envelope compares each spectrum with all others of the subset, so it comes last.
    keys = sorted(spectra)
    values = np.array([spectra[key] for key in keys])
    energy_ev = energy_grid(energy_start_ev)
    inside = envelope(values, envelope_sigma)
    for k in np.flatnonzero(~inside.kept):
        detail = f"{inside.worst_sigma[k]:.2f} σ from the mean at {energy_ev[inside.worst_index[k]]:.2f} eV"
        left_out.append(Rejected(*keys[k], "outside_envelope", detail))
        examples.append(RejectedExample(*keys[k], "outside_envelope", detail, values[k], float(inside.worst_sigma[k])))
    kept = [key for key, inside_too in zip(keys, inside.kept, strict=True) if inside_too]
    if not kept:
        raise _nothing_left(subset, left_out, failed)
    # Write the spectra, and all that was left out with its reason.
    settings = {key: settings[key] for key in kept if key in settings}
    differing = differing_settings(settings)
    curated = CuratedSpectra(
        subset=subset,
        energy_ev=energy_ev,
        spectra=values[inside.kept],
        material_id=[m for m, _ in kept],
        site_index=np.array([i for _, i in kept], dtype=np.int64),
        multiplicity=np.array([multiplicity[key] for key in kept], dtype=np.int64),
        rejected=sorted(left_out),
        corrections=[corrections.get(key, "") for key in kept],
        settings=[differing.get(key, "") for key in kept] if differing else (),
        described=_describe(list(settings.values()), [steps[key] for key in kept if key in steps]),
        examples=choose_examples(examples),
        envelope=inside.bounds,
    )
    record = provenance([*chunks, structures, site_table], config=config)
    counts = json.dumps({"kept": len(kept), **count_reasons(left_out)})
    write_rejected(rejected_csv, left_out)
    write_spectra(output, curated, {**record, "counts": counts})
    log.info("%s: %s", subset, describe_counts(len(kept), left_out))
    if number := sum(key in corrections for key in kept):
        log.info("%s: %d of the spectra come from runs whose inputs were corrected", subset, number)


def _without_run(sites: set[Site], planned: set[Site], only: Path | None) -> list[Rejected]:
    """Sites of which nothing is known: not planned, or missing."""
    return [
        Rejected(*site, "no_output", "the run is missing from its chunk")
        if site in planned
        else Rejected(*site, "not_planned", f"it is not in {only}")
        for site in sites
    ]


def _describe(settings: list[RunSettings], steps: list[str]) -> dict[str, str]:
    """What the file of spectra says about them: physics settings, and what was done to each code's spectrum."""
    described = {"settings": describe_settings(settings)}
    if steps:
        counts = Counter(steps).most_common()
        described["processing"] = " | ".join(
            f"{plural(number, 'spectrum', 'spectra')}: {what}" for what, number in counts
        )
    return {key: value for key, value in described.items() if value}


def _take_out_with_their_structure(spectra: dict[Site, Floats], left_out: list[Rejected]) -> list[Rejected]:
    """Take out the spectra of structures with atoms too close together, which a run of another site has shown.

    The cluster around a site need not hold such a pair, but the structure is wrong for all of its sites.
    """
    close = {r.material_id: r for r in sorted(left_out, reverse=True) if r.reason == "atoms_too_close"}
    wrong = [site for site in sorted(spectra) if site[0] in close]
    for site in wrong:
        del spectra[site]
    return [
        Rejected(*site, "atoms_too_close", f"as of site {close[site[0]].site_index}: {close[site[0]].detail}")
        for site in wrong
    ]


def _nothing_left(subset: str, left_out: list[Rejected], failed: Sequence[Path]) -> XanesflowError:
    counts = describe_counts(0, left_out)
    retry = how_to_retry(failed, subset=subset)
    return XanesflowError(f"{subset}: no spectrum is left: {counts}. {_examples(left_out)}{retry}")


def _examples(rejected: list[Rejected]) -> str:
    lines = [f"{r.material_id} site {r.site_index}: {r.detail}" for r in sorted(rejected)[:3]]
    return "For example " + "; ".join(lines) + "." if lines else "The chunks hold no run."


@dataclass
class SpectraOfChunk:
    """One chunk's spectra on the grid, its rejections, corrections and settings of its runs, some rejected spectra.

    `steps` says what was done to the spectra of codes that need it, `not_compared` how many good runs do not show of
    which site they are.
    """

    good: dict[Site, Floats] = field(default_factory=dict)
    bad: list[Rejected] = field(default_factory=list)
    corrections: dict[Site, str] = field(default_factory=dict)
    settings: dict[Site, RunSettings] = field(default_factory=dict)
    drawable: list[RejectedExample] = field(default_factory=list)
    steps: dict[Site, str] = field(default_factory=dict)
    not_compared: int = 0

    def add(self, other: SpectraOfChunk) -> None:
        """Add what another chunk holds."""
        self.good |= other.good
        self.bad += other.bad
        self.corrections |= other.corrections
        self.settings |= other.settings
        self.drawable += other.drawable
        self.steps |= other.steps
        self.not_compared += other.not_compared


def _sites_here(chunk: Path, theory: str, sites: frozenset[Site]) -> set[Site]:
    """The sites of a subset that have a run in a chunk."""
    there = sites_in_chunk(chunk, theory)
    if not theory_of(theory).one_run:
        return there & sites
    materials = {material_id for material_id, _ in there}
    return {site for site in sites if site[0] in materials}


def _runs_of_sites(chunk: Path, theory: str, here: set[Site]) -> Iterator[tuple[FinishedRun, FinishedRun | None]]:
    """The runs of sites in a chunk, each with the step that its material's sites share (None: there is none).

    They come one by one, as a run of VASP has tens of MB. A run of all sites of a material comes once for each of them.
    """
    shared: FinishedRun | None = None
    for run in read_chunk(chunk, theory, shared=True):
        if run.site_index == WHOLE_MATERIAL:
            shared = run
            if theory_of(theory).one_run:
                yield from ((replace(run, site_index=i), None) for m, i in sorted(here) if m == run.material_id)
        elif run.site in here and not theory_of(theory).one_run:
            yield run, shared if shared is not None and shared.material_id == run.material_id else None


def read_spectra_of_chunk(
    chunk: Path,
    *,
    structures: Path,
    sites: frozenset[Site],
    subset: Subset,
    start_ev: float,
    max_flat_start_ev: float,
    processing: Any,
) -> SpectraOfChunk:
    """Check the runs of a chunk, and put the good ones on the grid.

    Args:
        chunk: its zip.
        structures: Parquet of the subset's structures.
        sites: those that count.
        subset: element and theory.
        start_ev: first energy of the grid.
        max_flat_start_ev: how far above the grid's start the first computed point may be.
        processing: as `codes.registry.processing_of` makes it.
    """
    here = _sites_here(chunk, subset.theory, sites)
    if not here:
        return SpectraOfChunk()
    as_json = read_structures(structures, {material_id for material_id, _ in here})
    read = reader_of(subset.theory, processing)
    found = SpectraOfChunk()
    settings_of = function_of(theory_of(subset.theory).run_settings)
    parsed: dict[str, Structure] = {}
    for run, of_material in _runs_of_sites(chunk, subset.theory, here):
        site = (run.material_id, run.site_index)
        if run.material_id not in parsed:  # runs come sorted by material: one structure at a time is enough
            parsed = {run.material_id: Structure.from_dict(json.loads(as_json[run.material_id]))}
        if run.corrections:
            found.corrections[site] = run.corrections
        # Read the run with the reader of its theory. Its curve must cover the grid and be nowhere negative.
        try:
            check_record(run)
            with explain_bad_run():
                read_one = read(run, of_material, element=subset.element, structure=parsed[run.material_id])
            spectrum = onto_grid(
                read_one.energy_ev, read_one.cross_section, start_ev=start_ev, max_flat_start_ev=max_flat_start_ev
            )
            if spectrum.min() < 0:
                at = energy_grid(start_ev)[spectrum.argmin()]
                raise BadRunError("negative", f"the cross section is {spectrum.min():.2e} bohr² at {at:.2f} eV")
            if settings_of is not None and (physics := settings_of(run)) is not None:
                found.settings[site] = RunSettings(physics, run.imported)
            found.good[site] = spectrum
            found.not_compared += not getattr(read_one, "compared", True)
            if steps := getattr(read_one, "steps", ""):
                found.steps[site] = steps
        except GridNotCoveredError as error:
            found.bad.append(Rejected(*site, "grid_not_covered", str(error)))
        except BadRunError as error:
            found.bad.append(Rejected(*site, error.reason, error.detail))
        else:
            continue
        # Keep what a rejected run has of a spectrum, for the report to draw.
        if (refused := spectrum_anyway(run, subset.theory, start_ev)) is not None:
            found.drawable.append(RejectedExample(*site, found.bad[-1].reason, found.bad[-1].detail, refused))
    found.drawable = choose_examples(found.drawable)
    return found
