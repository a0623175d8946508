"""The section `simulations` of config.yaml: where spectra come from, and how each code is run."""

from __future__ import annotations

import shlex
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from xanesflow.config.base import Count, Positive, Section, SubsetName, not_bool


def _switch(value: Any) -> Any:
    """YAML takes a bare `on` or `off` for true or false."""
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else value


def _command(command: str) -> str:
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise ValueError(f"it cannot be read as a command ({error})") from None
    if not words:
        raise ValueError("a command is wanted")
    return command


CoreHole = Annotated[Literal["off", "on", "average"], BeforeValidator(_switch)]


class Feff8lRun(Section):
    """Options of the embedded engine, FEFF8L (the defaults are those of its own EngineSettings)."""

    scf_radius: Positive = Field(2.6, description="Å around each atom within which the self-consistent field scatters")
    scf_iterations: Count = Field(
        2, description="so many iterations of the field, the first three count as one; more where it has not settled"
    )
    fms_radius: Positive = Field(5.5, description="Å around the absorber for full multiple scattering")
    single_radius: Positive = Field(8.0, description="Å; atoms beyond fms_radius up to here scatter once")
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
            "learned: the self-consistent field's Fermi level, for Cu corrected by a model that learned it from\n"
            "published FEFF 9.9.1 runs (docs/engine.md); scf: the field's alone, for whoever learns from such runs too"
        ),
    )
    fermi_offset: Annotated[float, BeforeValidator(not_bool), Field(allow_inf_nan=False)] = Field(
        0.6, description="eV added to the Fermi level of the self-consistent field, chosen on Cu; 0: as it is"
    )
    time_limit: Positive = Field(120.0, description="seconds that one attempt at the potentials of a site may take")


class FeffRun(Section):
    """How FEFF is run on a site."""

    time_limit: Positive = Field(
        43200.0,
        description="seconds for all attempts at a site (of 4,831 published runs the longest took 34,770)",
    )
    max_corrections: Annotated[int, BeforeValidator(not_bool), Field(ge=0, le=20)] = Field(
        5, description="corrections of feff.inp, and so attempts beside the first, after which a site has failed"
    )
    smaller_scf_radius: bool = Field(
        False,
        description=(
            "true: where neither more iterations nor a smaller convergence factor help, the radius of the\n"
            "self-consistent field may be made smaller by a fifth"
        ),
    )


class VaspRun(Section):
    """How VASP is run; what it computes stands in inputs.vasp."""

    time_limit: Positive = Field(
        86400.0, description="seconds that a step (ground state, or core hole of a site) may take with its corrections"
    )
    frozen_after: Positive = Field(
        7200.0, description="seconds without a line printed after which VASP is taken to hang and stopped"
    )
    max_errors: Count = Field(5, description="corrections by custodian after which a step is given up")
    at_a_time: Count = Field(
        1, description="steps that a chunk runs at a time, each by a call of vasp_command of its own"
    )


class SimulationsSection(Section):
    """Where the simulated spectra come from."""

    source: Literal["archive", "run"] = Field(
        "archive",
        description=(
            "archive: import finished runs (subsets of FEFF and VASP); run: compute them (subsets of FEFF8L by the\n"
            "embedded engine, of FEFF and VASP by your own); of others only the inputs are written then"
        ),
    )
    archive: str | dict[SubsetName, str] | None = Field(
        None,
        description=(
            "folder, .tar, .tar.gz, .tar.xz, .tar.zst or .zip with finished runs in Lightshow's tree,\n"
            "<element>/<material id>/FEFF-XANES/<site>_<element>/{feff.inp,feff.out,xmu.dat}, or VASP/{SCF,\n"
            "<site>_<element>}/{INCAR,POSCAR,OSZICAR,OUTCAR,vasprun.xml}, beside\n"
            "<element>/<material id>/POSCAR; one path for all subsets, or one per subset {Cu_FEFF: path, ...};\n"
            "relative to the working directory (snakemake --directory)"
        ),
    )
    sites: dict[SubsetName, str] = Field(
        {},
        description=(
            "lists of the only sites to be simulated, {Cu_FEFF: results/plan/Cu_FEFF.csv}, as `xanesflow plan`\n"
            "writes them; the others are counted as not planned (docs/delta.md)"
        ),
    )
    max_failed: Annotated[float, BeforeValidator(not_bool), Field(ge=0, le=1)] | None = Field(
        0.1,
        description=(
            "share of a subset's sites that may fail: the campaign goes on without them, and stops before the spectra\n"
            "where more fail (`xanesflow retry` has them computed again); up to 5 are always borne; null: no limit"
        ),
    )
    longest_job: Positive = Field(
        24.0,
        description=(
            "hours that a chunk's job may ask a cluster for, at most the limit of its partition; a chunk that needs\n"
            "more stops a little before and goes on where it was at the next attempt"
        ),
    )
    feff8l: Feff8lRun = Field(Feff8lRun(), description="the embedded engine (FEFF8L), for source run")
    feff_command: str = Field(
        "feff",
        description=(
            "what runs FEFF 9 or 10 in the current folder, for source run: a script, or a command such as\n"
            "`mpirun -n 4 /opt/feff10/bin/feff_mpi.sh`; or the folder with FEFF's modules (rdinp, pot, ...)"
        ),
    )
    feff: FeffRun = Field(FeffRun(), description="runs of FEFF; what it computes is told in inputs.feff")
    vasp_command: Annotated[str, AfterValidator(_command)] = Field(
        "vasp_std",
        description=(
            "command that runs VASP 6 in a folder, such as srun vasp_std or mpirun -n 32 vasp_std, for source run;\n"
            "its POTCARs come from your library, PMG_VASP_PSP_DIR in the environment or in pymatgen's settings"
        ),
    )
    vasp: VaspRun = Field(VaspRun(), description="how VASP is run, for source run")
