"""Why a site is left out: the documented list of reasons, which every table of rejected sites uses."""

from __future__ import annotations

from dataclasses import dataclass

REASONS = {
    "no_run": "the material has a structure but no run of this element",
    "isolated_atom": "the absorber has no neighbour to scatter from, so there is no fine structure to simulate",
    "too_many_elements": "the absorber has more elements around it than the engine accepts",
    "no_potential": "an element has no POTCAR (inputs.vasp.potcars), or no pseudopotential for XSpectra",
    "no_potcar": "your library of POTCARs lacks one that the material needs, or has another one; the next run retries",
    "too_many_bands": "its supercell needs more bands than you allow (inputs.vasp.max_bands)",
    "cannot_simulate": "the engine could not write an input for the site",
    "timed_out": "the engine did not end within the time limit of a site; the next run of its chunk tries again",
    "killed": "the engine was killed from outside or ran out of memory; the next run of its chunk tries again",
    "shared_step_failed": "the step that all sites of the material share, its ground state, failed",
    "engine_failed": "the engine gave up or crashed; the detail quotes its last words",
    "not_planned": "the site is not in your list of sites to simulate (simulations.sites)",
    "no_output": "the run left no spectrum: xmu.dat, or a file of one of VASP's two steps, is missing or empty",
    "no_structure": "the structure is missing or cannot be read, so nothing is known about the site",
    "disordered": "the structure has partially occupied sites, so it has no single spectrum",
    "hydrogen_unknown": "the structure has hydrogen whose places are not known, so it is not complete",
    "atoms_too_close": "two atoms of the structure are closer than any bond is long",
    "duplicate_id": "two structures have the same material id, or one is named as a cell of the other (x.cell1 of x)",
    "near_duplicate": "another material is the same crystal and stands for it (structures.duplicates: merge)",
    "not_found": "Materials Project has no such material, or no longer offers it",
    "excluded": "the configuration excludes the material",
    "no_absorber": "the structure holds no atom of the subset's element",
    "bad_id": "its folder or, in a file of features, its id does not name a material and site as xanesflow does",
    "unsafe_file": "a file of the run is a link, too large, or has an unsafe name in the archive, and was not read",
    "duplicate": "another run of the site, or of an equivalent atom, counts, or another row of the file of features",
    "other_structure": "the archive holds the material twice, with two structures, and the run belongs to the second",
    "other_kind_of_spectrum": "the run is no plain XANES, but EXAFS, emission, of one polarisation or the like",
    "wrong_absorber": "the run's absorber or edge is not what its folder and structure say",
    "unreadable": "a file is not what its name says, such as a binary xmu.dat",
    "truncated": "a file ends before its time",
    "module_failed": "a module of the code stopped or left no trace in the log while later ones went on",
    "cluster_cut": "full multiple scattering took fewer atoms than lie within its radius",
    "not_converged": "the self-consistent field did not converge, or no file shows that it did",
    "steps_differ": "VASP's ground state and core hole differ in supercell, k-mesh, cutoff, POTCARs or INCAR",
    "not_a_number": "the spectrum holds NaN or infinite values",
    "all_zero": "the absorption is zero everywhere",
    "no_fine_structure": "chi is zero everywhere, so the spectrum is only the atomic background",
    "negative": "the absorption is negative within the grid",
    "grid_not_covered": "the computed energies do not cover the grid",
    "edge_elsewhere": "the energies of the run place the edge outside the grid, so they cannot be right",
    "other_settings": "core hole, radii or other physics of the run are not its subset's (curation.mixed_settings)",
    "outside_envelope": "the spectrum leaves mean ± c standard deviations of its subset",
    "no_features": "a featurizer cannot describe the structure",
    "not_in_split": "the published split files list sites of the subset, but not this one",
}
"""Reason -> what it means, in the order in which a run is checked; a site has one reason."""

TRIED_AGAIN = frozenset({"timed_out", "killed", "no_potcar"})
"""Failures of a run that the next run of its chunk tries again by itself; others would most likely happen again."""

MAY_SUCCEED = TRIED_AGAIN | {"engine_failed"}
"""Failures that another attempt may not meet, when a user asks for it (`xanesflow retry`)."""


@dataclass(frozen=True, order=True)
class Rejected:
    """A site that was left out.

    Attributes:
        material_id: its material.
        site_index: 0-based index into the structure; -1: the material as a whole.
        reason: one of `REASONS`.
        detail: one sentence about this site.
    """

    material_id: str
    site_index: int
    reason: str
    detail: str

    def __post_init__(self) -> None:
        if self.reason not in REASONS:
            raise ValueError(f"'{self.reason}' is not in the list of reasons")
