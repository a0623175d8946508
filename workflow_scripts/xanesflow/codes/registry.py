"""The levels of theory: one record (`codes.theory.Theory`) for each, and functions that read the records.

Only this file, `codes/<theory>/` and the tuple of names in `core/sites.py` know a theory by its name. All other code
calls `theory_of(name)` and reads the record. Records name code as `module:object`, so that it loads when it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import entry_points
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

from xanesflow.codes.run_files import FEFF_LOGS, FEFF_REFERENCE, RUN_FILES, VASP_FILES, XSPECTRA_FILES
from xanesflow.codes.theory import Theory
from xanesflow.core.errors import XanesflowError
from xanesflow.core.sites import ADDED_THEORIES, known_theories

if TYPE_CHECKING:
    from xanesflow.codes.engine import Engine, InputWriter, ManifestEntries, Reader

_COMMON_SCALE = "xanesflow.codes.common_scale:processing_of"
_COMMON_WIDTH = "Lorentzian to a common full width, curation.<code>.broadening of the recorded configuration"
_COMMON_ENERGY = "curation.<code>.shift, or half of the tabulated jump placed 13 eV above the tabulated edge"

FEFF = Theory(
    name="FEFF",
    title="FEFF 9 or 10, real-space multiple scattering",
    folder="FEFF-XANES",
    other_folders=("FEFF-EXAFS",),
    files=(*RUN_FILES, *FEFF_LOGS),
    spectrum_file="xmu.dat",
    engine="xanesflow.codes.feff.engine:FeffEngine",
    options="xanesflow.codes.feff.options:FeffOptions",
    options_section="feff",
    command_key="feff_command",
    find_program="xanesflow.codes.feff.find_feff:find_program",
    reader="xanesflow.codes.feff.read_run:read_finished_run",
    run_settings="xanesflow.codes.feff.read_cards:physics_of_run",
    absorber_charge="xanesflow.codes.feff.read_charge:charge_of_run",
    input_settings="xanesflow.codes.feff.read_cards:physics_of_inputs",
    importable=True,
    parse_spectrum="xanesflow.codes.feff.read_xmu:parse_xmu",
    check_folder="xanesflow.codes.feff.read_run:check_folder",
    describe_folder="xanesflow.codes.feff.read_run:describe_folder",
    signs=frozenset({*RUN_FILES, "log1.dat"}),
    writer="xanesflow.codes.feff.write_inputs:Feff",
    inputs_section="feff",
    datacard_key="cards",
    memory_mb=2000,
    cost="xanesflow.codes.feff.core_hours:feff_costs",
    cost_options=("command", "inputs"),
    cost_basis="fitted to runs of the FEFF 10 of pip, or of FEFF 9.9.1 for a FEFF of your own",
    broadening="core-hole lifetime and quasiparticle self-energy as computed by FEFF; nothing added",
    reference=FEFF_REFERENCE,
    envelope_sigma=2.5,
    run_features="feff",
    ladder={
        "inputs.feff.cards.SCF": ("4.0 0 100 0.2 3", "5.0 0 100 0.2 3", "6.0 0 100 0.2 3", "7.0 0 100 0.2 3"),
        "inputs.feff.cards.FMS": ("6.0 0", "7.0 0", "8.0 0", "9.0 0"),
    },
    quick_look="xanesflow.codes.feff.quick_look:FeffLook",
    look_options=("settings",),
)

VASP = Theory(
    name="VASP",
    title="VASP 6, core hole in a supercell",
    folder="VASP",
    shared_folder="SCF",
    files=VASP_FILES,
    spectrum_file="OUTCAR",
    gzipped=True,
    member_limit=2**30,
    engine="xanesflow.codes.vasp.engine:VaspEngine",
    options="xanesflow.codes.vasp.options:VaspOptions",
    options_section="vasp",
    command_key="vasp_command",
    reader="xanesflow.codes.vasp.read_run:VaspReader",
    processing="xanesflow.codes.vasp.constants:processing_of",
    curation_section="vasp",
    importable=True,
    kept_content="xanesflow.codes.vasp.step_outputs:kept_content",
    check_folder="xanesflow.codes.vasp.read_run:check_folder",
    describe_folder="xanesflow.codes.vasp.read_run:describe_folder",
    signs=frozenset({"INCAR", "OUTCAR", "OUTCAR.gz", "vasprun.xml", "vasprun.xml.gz"}),
    only_in_tree=True,
    writer="xanesflow.codes.vasp.write_inputs:Vasp",
    inputs_section="vasp",
    element_key="e_range",
    manifest="xanesflow.codes.vasp.potcar:NeededPotcars",
    memory_mb=4000,
    broadening="Lorentzian of the element's full width, curation.vasp.broadening of the recorded configuration",
    energy_reference=(
        "absolute photon energy by the difference of total energies with and without core hole, plus a shift"
    ),
    envelope_sigma=5.0,
    tuned_from="FEFF",
)

FEFF8L = Theory(
    name="FEFF8L",
    title="the embedded engine of xanesflow: potentials of FEFF 8 Lite, own full multiple scattering",
    folder="FEFF8L-XANES",
    files=RUN_FILES,
    spectrum_file="xmu.dat",
    engine="xanesflow.codes.feff8l.engine:Feff8lEngine",
    options="xanesflow.codes.feff8l.options:EngineSettings",
    options_section="feff8l",
    reader="xanesflow.codes.feff8l.read_run:read_finished_run",
    absorber_charge="xanesflow.codes.feff8l.read_run:charge_of_run",
    parse_spectrum="xanesflow.codes.feff8l.read_run:parse_xmu",
    core_hours=5.4 / 3600,  # median 4.8 s, 90 % under 8.8 s; the log-normal distribution with these has this mean
    cost_basis="mean of the embedded engine with its default options",
    broadening="core-hole lifetime and quasiparticle self-energy as computed by the embedded engine; nothing added",
    limits="Spectra of the embedded engine are an approximation to those of FEFF 9 and are no substitute.",
    envelope_sigma=2.5,
    run_features="feff8l",
    as_cheap_run={"fermi_level": "scf"},  # the learned level was fitted to published spectra of FEFF
    runs_at_prediction=True,
    ladder={
        "simulations.feff8l.fms_radius": (3.5, 4.5, 5.5, 6.5),
        "simulations.feff8l.scf_radius": (2.0, 2.6, 3.2, 3.8),
    },
    quick_look="xanesflow.codes.feff8l.quick_look:Feff8lLook",
    look_options=("core_hole", "fms_radius"),
)

FEFFQ = Theory(
    name="FEFFQ",
    title="quick FEFF: FEFF 10 at small radii",
    folder="FEFFQ-XANES",
    files=(*RUN_FILES, *FEFF_LOGS),
    spectrum_file="xmu.dat",
    engine="xanesflow.codes.feffq.engine:FeffqEngine",
    options="xanesflow.codes.feffq.options:FeffqOptions",
    options_section="feffq",
    reader="xanesflow.codes.feff.read_run:read_finished_run",
    absorber_charge="xanesflow.codes.feff.read_charge:charge_of_run",
    parse_spectrum="xanesflow.codes.feff.read_xmu:parse_xmu",
    check_folder="xanesflow.codes.feff.read_run:check_folder",
    describe_folder="xanesflow.codes.feff.read_run:describe_folder",
    signs=frozenset({*RUN_FILES, "log1.dat"}),
    only_in_tree=True,
    cost="xanesflow.codes.feffq.core_hours:feffq_costs",
    cost_options=("settings",),
    cost_basis="fitted to runs of the FEFF 10 of pip",
    broadening="core-hole lifetime and quasiparticle self-energy as computed by FEFF; nothing added",
    reference=FEFF_REFERENCE,
    limits="Spectra of quick FEFF are an approximation to those of FEFF at larger radii.",
    envelope_sigma=2.5,
    run_features="feffq",
    runs_at_prediction=True,
    quick_look="xanesflow.codes.feffq.quick_look:FeffqLook",
    look_options=("settings",),
)

OCEAN = Theory(
    name="OCEAN",
    title="OCEAN",
    folder="OCEAN",
    shared_folder="{element}",
    one_run=True,
    files=("*.in", "photon*", "absspct*", "CNBSE/absspct*", "CNBSE/photon*"),
    spectrum_file="CNBSE/absspct_*",
    reader="xanesflow.codes.ocean.read_run:OceanReader",
    check_folder="xanesflow.codes.ocean.read_run:check_folder",
    describe_folder="xanesflow.codes.ocean.read_run:describe_folder",
    recognise="xanesflow.codes.ocean.read_run:recognise",
    processing=_COMMON_SCALE,
    curation_section="ocean",
    importable=True,
    broadening=_COMMON_WIDTH,
    energy_reference=_COMMON_ENERGY,
    writer="xanesflow.codes.ocean.write_inputs:Ocean",
    inputs_section="ocean",
)

EXCITING = Theory(
    name="EXCITING",
    title="exciting",
    folder="EXCITING",
    files=("input.xml", "INFO.OUT", "INFOXS.OUT", "EPSILON_BSE*_OC??.OUT", "EPSILON/EPSILON_BSE*_OC??.OUT"),
    spectrum_file="INFOXS.OUT",
    reader="xanesflow.codes.exciting.read_run:ExcitingReader",
    check_folder="xanesflow.codes.exciting.read_run:check_folder",
    describe_folder="xanesflow.codes.exciting.read_run:describe_folder",
    recognise="xanesflow.codes.exciting.read_run:recognise",
    processing=_COMMON_SCALE,
    curation_section="exciting",
    importable=True,
    broadening=_COMMON_WIDTH,
    energy_reference=_COMMON_ENERGY,
    writer="xanesflow.codes.exciting.write_inputs:Exciting",
    inputs_section="exciting",
    element_key="energy_window",
)

XSPECTRA = Theory(
    name="XSPECTRA",
    title="XSpectra of Quantum ESPRESSO, core hole in a supercell",
    folder="XSpectra",
    other_folders=("XSPECTRA",),
    shared_folder="GS",
    files=XSPECTRA_FILES,
    spectrum_file="es.out",
    engine="xanesflow.codes.xspectra.engine:XspectraEngine",
    options="xanesflow.codes.xspectra.options:XspectraRunOptions",
    options_section="xspectra",
    command_key="xspectra_command",
    memory_mb=1500,
    cost="xanesflow.codes.xspectra.step_plan:xspectra_costs",
    cost_options=("inputs", "hole_distance", "ecutwfc", "field_length", "spectrum_length"),
    cost_basis="scaled from runs of anatase with 6, 24 and 48 atoms",
    ladder={
        "simulations.xspectra.spectrum_length": (10.0, 15.0, 20.0, 25.0),
        "simulations.xspectra.ecutwfc": (25.0, 30.0, 40.0),
        "simulations.xspectra.hole_distance": (4.0, 5.3, 7.5),
    },
    limits="Spectra of XSPECTRA are computed non-spin-polarised and without a Hubbard U, also for magnetic oxides.",
    reader="xanesflow.codes.xspectra.read_run:XspectraReader",
    check_folder="xanesflow.codes.xspectra.read_run:check_folder",
    describe_folder="xanesflow.codes.xspectra.read_run:describe_folder",
    recognise="xanesflow.codes.xspectra.read_run:recognise",
    processing=_COMMON_SCALE,
    curation_section="xspectra",
    importable=True,
    broadening=_COMMON_WIDTH,
    energy_reference=_COMMON_ENERGY,
    writer="xanesflow.codes.xspectra.write_inputs:Xspectra",
    inputs_section="xspectra",
)

FDMNES = Theory(
    name="FDMNES",
    title="FDMNES",
    folder="FDMNES",
    shared_folder=".",
    one_run=True,
    files=("*.txt",),
    spectrum_file="*_conv.txt",
    reader="xanesflow.codes.fdmnes.read_run:FdmnesReader",
    check_folder="xanesflow.codes.fdmnes.read_run:check_folder",
    describe_folder="xanesflow.codes.fdmnes.read_run:describe_folder",
    recognise="xanesflow.codes.fdmnes.read_run:recognise",
    processing=_COMMON_SCALE,
    curation_section="fdmnes",
    importable=True,
    broadening="FDMNES's own: the width of the 1s level at the edge, rising above it",
    energy_reference=_COMMON_ENERGY,
    writer="xanesflow.codes.fdmnes.write_inputs:Fdmnes",
    inputs_section="fdmnes",
)

_OWN = {record.name: record for record in (FEFF, VASP, FEFF8L, FEFFQ, OCEAN, EXCITING, XSPECTRA, FDMNES)}


@cache
def theory_of(name: str) -> Theory:
    """Return the record of a level of theory.

    Args:
        name: as in the name of a subset.

    Raises:
        XanesflowError: there is no such theory, or the package that adds it does not provide its record.
    """
    if name in _OWN:
        return _OWN[name]
    for entry in entry_points(group=ADDED_THEORIES, name=name):
        record = entry.load()
        if not isinstance(record, Theory) or record.name != name:
            raise XanesflowError(
                f"The entry point {name} of the group {ADDED_THEORIES} is {entry.value}, which is no record of {name}; "
                f"name a codes.theory.Theory with the name {name}."
            )
        return record
    raise XanesflowError(f"There is no level of theory {name}; use one of {', '.join(known_theories())}.")


@cache
def theories() -> tuple[Theory, ...]:
    """Return all records: those of this version in the order of `core.sites.THEORIES`, then those of packages."""
    return tuple(theory_of(name) for name in known_theories())


def computed() -> list[str]:
    """Name the theories that this version can run."""
    return [each.name for each in theories() if each.engine]


def importable() -> list[str]:
    """Name the theories whose finished runs can be imported."""
    return [each.name for each in theories() if each.importable]


def with_inputs() -> list[str]:
    """Name the theories that `snakemake inputs` writes inputs for; the others write theirs when they run."""
    return [each.name for each in theories() if each.writer]


def run_features() -> dict[str, str]:
    """Return the features that runs of a cheaper theory give to delta models: name -> theory."""
    return {each.run_features: each.name for each in reversed(theories()) if each.run_features}


def load(target: str) -> Any:
    """Import an object that a record names as `module:object`."""
    return resolve_name(target)


def engine_of(name: str, options: Mapping[str, Any]) -> Engine:
    """Make the engine of a level of theory.

    Args:
        name: of the theory.
        options: of this engine, as `Campaign.engine_options` returns them.

    Raises:
        XanesflowError: the theory has no engine.
    """
    record = theory_of(name)
    if not record.engine:
        raise XanesflowError(
            f"This version cannot run {name}: write the inputs with `snakemake inputs` and run them yourself, then "
            "import the runs."
        )
    engine: Engine = load(record.engine)(load(record.options)(**options))
    return engine


def check_readable(name: str) -> None:
    """Check that runs of a level of theory can be read.

    Raises:
        XanesflowError: they cannot.
    """
    if not theory_of(name).reader:
        readable = sorted(each.name for each in theories() if each.reader)
        raise XanesflowError(f"This version cannot read {name} runs, only those of {', '.join(readable)}.")


def processing_of(subset: str, name: str, values: Mapping[str, float] | None, *, start_ev: float) -> Any:
    """Make the argument of a theory's reader, such as shift and broadening; None if the reader needs none.

    Args:
        subset: such as `Ti_VASP`, for messages.
        name: its theory.
        values: the element's entries of `curation.<section>` by key, in eV.
        start_ev: first energy of the dataset's grid.

    Raises:
        XanesflowError: an entry is missing; names its key.
    """
    make = function_of(theory_of(name).processing)
    return make(subset, values or {}, start_ev=start_ev) if make else None


def reader_of(name: str, processing: Any = None) -> Reader:
    """Make the reader of a level of theory, for the runs of one chunk.

    Args:
        name: a theory that passes `check_readable`.
        processing: as `processing_of` returns it.
    """
    reader = load(theory_of(name).reader)
    return reader(processing) if theory_of(name).processing else reader


def writer_of(name: str, options: Mapping[str, Any], element: str) -> InputWriter:
    """Make the writer of a level of theory's inputs.

    Args:
        name: of the theory.
        options: its part of the section `inputs` of the configuration.
        element: the absorber.

    Raises:
        XanesflowError: the theory has no writer, or the options are wrong.
    """
    record = theory_of(name)
    if not record.writer:
        raise XanesflowError(
            f"No inputs are written for {name}, because its engine writes its own when it runs; name one of "
            f"{', '.join(with_inputs())}."
        )
    writer: InputWriter = load(record.writer)(options, element)
    return writer


def manifest_of(name: str, options: Mapping[str, Any]) -> ManifestEntries | None:
    """Make the object that adds entries to the manifest of a chunk of inputs; None if the theory adds none."""
    make = function_of(theory_of(name).manifest)
    return make(options) if make else None


def function_of(target: str) -> Callable[..., Any] | None:
    """Import the function that a record names; None if it names none."""
    return load(target) if target else None
