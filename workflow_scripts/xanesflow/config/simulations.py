"""The section `simulations` of config.yaml: where simulated spectra come from, and how each code is run."""

from __future__ import annotations

import shlex
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from xanesflow.codes.archive import FORMS
from xanesflow.config.base import Count, Positive, Section, SubsetName, not_bool


def _switch(value: Any) -> Any:
    """Turn true and false back into `on` and `off`, which YAML reads as booleans."""
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else value


def _words(command: str) -> str:
    try:
        shlex.split(command)
    except ValueError as error:
        raise ValueError(f"it cannot be read as a command ({error})") from None
    return command


def _command(command: str) -> str:
    if not shlex.split(_words(command)):
        raise ValueError("give a command")
    return command


CoreHole = Annotated[Literal["off", "on", "average"], BeforeValidator(_switch)]


_BY_RETRY = "\nanother value computes failed sites again only after `xanesflow retry`"
"""Ends the description of an option that no good run depends on (`codes.engine.Engine.settings` leaves it out)."""


class Feff8lRun(Section):
    """Options of the embedded engine, FEFF8L; defaults as in `xanesflow.codes.feff8l.options.EngineSettings`."""

    scf_radius: Positive = Field(
        2.6, description="radius in Å of the cluster around each atom for the self-consistent field (SCF)"
    )
    scf_iterations: Count = Field(
        2, description="SCF iterations (the first three count as one); continues until converged"
    )
    fms_radius: Positive = Field(5.5, description="radius in Å around the absorber for full multiple scattering")
    single_radius: Positive = Field(8.0, description="radius in Å up to which atoms beyond fms_radius scatter once")
    l_max: Annotated[int, BeforeValidator(not_bool), Field(ge=1, le=6)] = Field(
        3, description="largest angular momentum in multiple scattering"
    )
    core_hole: CoreHole = Field(
        "off", description="off, on, or average: the mean of both spectra, which takes twice as long"
    )
    energy_step: Positive = Field(0.1, description="step of the computed spectrum in eV")
    fermi_level: Literal["learned", "scf"] = Field(
        "learned",
        description=(
            "learned: the SCF's Fermi level, for Cu corrected by a model that learned from published FEFF 9.9.1 runs\n"
            "(docs/guide/embedded-engine.md); scf: uncorrected; choose it if your own models learn from such runs too"
        ),
    )
    fermi_offset: Annotated[float, BeforeValidator(not_bool), Field(allow_inf_nan=False)] = Field(
        0.6, description="eV added to the Fermi level of the SCF, chosen on Cu; 0: none"
    )
    time_limit: Positive = Field(120.0, description="seconds that one run of one of its programs may take")


class FeffRun(Section):
    """How FEFF is run on a site; `inputs.feff` sets what it computes."""

    time_limit: Positive = Field(
        43200.0,
        description="seconds for all attempts at a site (of 4,831 published runs the longest took 34,770)",
    )
    max_corrections: Annotated[int, BeforeValidator(not_bool), Field(ge=0, le=20)] = Field(
        5,
        description="corrections of feff.inp, each followed by a new attempt, before a site counts as failed"
        + _BY_RETRY,
    )
    smaller_scf_radius: bool = Field(
        False,
        description=(
            "true: reduce the SCF radius by a fifth if neither more iterations nor a smaller convergence factor helps"
            + _BY_RETRY
        ),
    )
    own_scattering: bool = Field(
        True,
        description=(
            "true: the FEFF 10 of pip leaves full multiple scattering to xanesflow's solver, which is much faster and\n"
            "equal to 1e-4 of the maximum (docs/studies/feff10.md); false: all modules are FEFF's"
        ),
    )


class FeffqRun(Section):
    """How quick FEFF is run; defaults as in `xanesflow.codes.feffq.options.FeffqOptions`."""

    settings: Literal["fast", "near"] = Field(
        "fast",
        description=(
            "fast: half a minute to two minutes a site; near: about twice as long, closer to FEFF at the paper's\n"
            "settings (docs/guide/quick-feff.md has radii and accuracy of both)"
        ),
    )
    time_limit: Positive = Field(3600.0, description="seconds for all attempts at a site")
    max_corrections: Annotated[int, BeforeValidator(not_bool), Field(ge=0, le=20)] = Field(
        3,
        description="corrections of feff.inp, each followed by a new attempt, before a site counts as failed"
        + _BY_RETRY,
    )


class VaspRun(Section):
    """How VASP is run; `inputs.vasp` sets what it computes."""

    time_limit: Positive = Field(
        86400.0,
        description="seconds that a step (the ground state, or a site's core hole) may take, corrections included",
    )
    frozen_after: Positive = Field(
        7200.0, description="seconds without output after which VASP counts as hung and is stopped"
    )
    max_errors: Count = Field(5, description="corrections by custodian before a step counts as failed" + _BY_RETRY)
    at_a_time: Count = Field(1, description="steps that a chunk runs at once, each with its own call of vasp_command")


class XspectraRun(Section):
    """How XSpectra is run; defaults as in `xanesflow.codes.xspectra.options.XspectraRunOptions`."""

    hole_distance: Positive = Field(
        5.3,
        description=(
            "least distance in Å between a hole and its images; the smallest cell that has it and keeps the symmetry\n"
            "is taken, unless inputs.xspectra.supercell names one"
        ),
    )
    ecutwfc: Positive = Field(30.0, description="cutoff of wave functions in Ry")
    ecutrho: Positive = Field(240.0, description="cutoff of the charge density in Ry")
    field_length: Positive = Field(8.5, description="size in Å of the crystal that the k-points of the field stand for")
    spectrum_length: Positive = Field(20.0, description="the same for the k-points of the spectrum")
    width: Positive = Field(
        0.8, description="full width in eV of the Lorentzian for which the recursion must converge; wider costs less"
    )
    steps: Count = Field(3000, description="most steps of the recursion at a k-point")
    metals: bool = Field(False, description="true: also compute materials whose ground state has no gap")
    time_limit: Positive = Field(86400.0, description="seconds that a step (the ground state, or a site) may take")
    max_corrections: Count = Field(4, description="corrections of a field that does not converge" + _BY_RETRY)


class SimulationsSection(Section):
    """Where the simulated spectra come from."""

    source: Literal["archive", "run"] = Field(
        "archive",
        description=(
            "archive: import finished runs; run: compute them, FEFF8L with the embedded engine, FEFFQ with the FEFF\n"
            "10 of pip at small radii, FEFF with the FEFF 10 of pip or your own, VASP with your own, XSPECTRA with\n"
            "Debian's quantum-espresso; for others run writes only inputs"
        ),
    )
    archive: str | dict[SubsetName, str] | None = Field(
        None,
        description=(
            f"{FORMS}, with finished runs in Lightshow's tree,\n"
            "<element>/<material id>/FEFF-XANES/<site>_<element>/{feff.inp,feff.out,xmu.dat}, or VASP/{SCF,\n"
            "<site>_<element>}/{INCAR,POSCAR,OSZICAR,OUTCAR,vasprun.xml}, beside\n"
            "<element>/<material id>/POSCAR; one path for all subsets, or one per subset {Cu_FEFF: path, ...};\n"
            "relative to the working directory (snakemake --directory)"
        ),
    )
    sites: dict[SubsetName, str] = Field(
        {},
        description=(
            "simulate, and write inputs for, only the sites in these lists, {Cu_FEFF: results/plan/Cu_FEFF.csv},\n"
            "which `xanesflow plan` writes; all other sites count as not planned (docs/guide/delta.md)"
        ),
    )
    max_failed: Annotated[float, BeforeValidator(not_bool), Field(ge=0, le=1)] | None = Field(
        0.1,
        description=(
            "share of a subset's planned sites that may fail; the campaign continues without them. If more fail, it\n"
            "stops before the spectra (`xanesflow retry` computes them again). Up to 5 never stop it; null: no limit"
        ),
    )
    longest_job: Positive = Field(
        24.0,
        description=(
            "longest time in hours that a chunk's job asks a cluster for, at most the limit of its partition; a chunk\n"
            "that needs longer stops shortly before and continues at the next attempt"
        ),
    )
    feff8l: Feff8lRun = Field(Feff8lRun(), description="the embedded engine (subsets of FEFF8L), for source run")
    feff_command: Annotated[str, AfterValidator(_command)] | None = Field(
        None,
        description=(
            "for source run: null takes the FEFF 10 that comes with pip. Your own FEFF 9 or 10 instead: a script or\n"
            "command that runs it in the current folder, such as `mpirun -n 4 /opt/feff10/bin/feff_mpi.sh`, or the\n"
            "folder with its modules (rdinp, pot, ...)"
        ),
    )
    feff: FeffRun = Field(FeffRun(), description="how FEFF is run; inputs.feff sets what it computes")
    feffq: FeffqRun = Field(
        FeffqRun(), description="quick FEFF: the FEFF 10 of pip at small radii (subsets of FEFFQ), for source run"
    )
    vasp_command: Annotated[str, AfterValidator(_command)] = Field(
        "vasp_std",
        description=(
            "for source run: command that runs VASP 6 in the current folder, such as srun vasp_std; POTCARs come from\n"
            "your library, PMG_VASP_PSP_DIR in the environment or in pymatgen's settings"
        ),
    )
    vasp: VaspRun = Field(VaspRun(), description="how VASP is run, for source run")
    xspectra_command: Annotated[str, AfterValidator(_words)] = Field(
        "", description="for source run: what stands before pw.x and xspectra.x, such as mpirun -n 4; empty: nothing"
    )
    xspectra: XspectraRun = Field(XspectraRun(), description="how XSpectra is run, for source run")
