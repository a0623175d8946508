"""The record of a level of theory: everything that the rest of the library needs to know (see `codes.registry`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Theory:
    """The record of a level of theory. Code is named as `module:object`; empty: the theory has none.

    Attributes:
        name: as in the name of a subset, such as `FEFF` in `Cu_FEFF`.
        title: code and method, for the datacard.

        folder: of its runs, inside the material's folder in Lightshow's tree.
        other_folders: of other calculations with the same code; a POSCAR in them is not the material's.
        shared_folder: of the step that the sites of a material share, next to those of the sites; empty: none. For
            `one_run`, the folder of that run: `{element}` is the absorber's symbol, `.` the code's own folder.
        one_run: whether one run holds all sites of a material, as the step that they share.
        files: names of a run's files that are read, or patterns with `*`, `?` and `[]`.
        spectrum_file: the file with the spectrum.
        gzipped: whether archives often pack these files one by one, as `OUTCAR.gz`.
        member_limit: largest file that an import reads, in bytes; None: `archive.MEMBER_LIMIT`.

        engine: class that runs a site (`engine.Engine`), made from its options.
        options: dataclass of the engine's options.
        options_section: key of `simulations` with these options.
        command_key: key of `simulations` with the command, which is the engine's option `command`; empty: no command.
        find_program: function that takes the command and raises XanesflowError if it cannot run.
        reader: reads and checks a run (`engine.Reader`); if the theory has `processing`, the reader's class.
        processing: function that makes the reader's argument from the entries of the subset's element (see
            `processing_of`).
        curation_section: key of `curation` with these entries, each a mapping by element.
        importable: whether finished runs of other campaigns can be imported.
        kept_content: function of a file's name and content that removes what an import must not keep.
        run_settings: function of a `FinishedRun` that returns its physics settings as sorted texts, None if they are
            not known; empty: runs of this theory are not compared.
        absorber_charge: function of a `FinishedRun` that returns the absorber's charge transfer in e, None if the run
            does not say it; empty: runs of this theory never do.
        input_settings: function of the options in `inputs.<section>` that returns them as `run_settings` does.
        parse_spectrum: function that parses the spectrum file of a refused run, so that the report can draw it.
        check_folder: function that checks a run in a folder (`xanesflow check`). It takes the folder and, inside
            Lightshow's tree, element, structure and site index.
        describe_folder: function that says what the run in a folder is, good or not (`RunDescription`).
        recognise: function of a folder and the names in it that returns whether it is such a run; empty: by `signs`.
        signs: files by which such a folder is recognised.
        only_in_tree: whether such a folder counts only inside Lightshow's tree.

        writer: class that writes inputs (`engine.InputWriter`).
        inputs_section: key of `inputs` with the writer's options.
        element_key: key of `inputs.<section>` that needs an entry for the absorber's element; empty: the inputs do not
            depend on the element.
        manifest: class that adds entries to the manifest of a chunk of inputs (`engine.ManifestEntries`).
        datacard_key: key of `inputs.<section>` that the datacard quotes.

        memory_mb: MB that one core needs at the first attempt.
        core_hours: of any site; None: not known, or see `cost`.
        cost: function of a structure, sites and options that returns (n,) cluster sizes in atoms and (n,) core hours.
        cost_options: which of the engine's options `cost` needs.
        cost_basis: the source of the core hours.
        broadening: of the spectra, one phrase.
        energy_reference: of the spectra, one phrase.
        limits: a sentence on its limits for the datacard.
        reference: a sentence on how to cite the code, and on its licence; the dataset and the datacard quote it.
        envelope_sigma: default of `curation.envelope`; None: no envelope.
        tuned_from: default of `models.tuned_from`; empty: its own universal model.
        run_features: name of the features that its runs give to delta models; empty: delta models cannot use it.
        as_cheap_run: options of the engine that change when delta models learn from its runs.
        runs_at_prediction: whether a prediction makes these runs for new structures.
        ladder: options that `snakemake convergence` tries by default, each with its values from coarse to fine.
        quick_look: class that describes its spectra in `xanesflow xanes` (`codes.quick_look.QuickLook`); empty:
            `QuickLook` itself.
        look_options: options of that command that are this theory's, by name.
    """

    name: str
    title: str

    folder: str
    other_folders: tuple[str, ...] = ()
    shared_folder: str = ""
    one_run: bool = False
    files: tuple[str, ...] = ()
    spectrum_file: str = ""
    gzipped: bool = False
    member_limit: int | None = None

    engine: str = ""
    options: str = ""
    options_section: str = ""
    command_key: str = ""
    find_program: str = ""
    reader: str = ""
    processing: str = ""
    curation_section: str = ""
    importable: bool = False
    kept_content: str = ""
    run_settings: str = ""
    absorber_charge: str = ""
    input_settings: str = ""
    parse_spectrum: str = ""
    check_folder: str = ""
    describe_folder: str = ""
    recognise: str = ""
    signs: frozenset[str] = frozenset()
    only_in_tree: bool = False

    writer: str = ""
    inputs_section: str = ""
    element_key: str = ""
    manifest: str = ""
    datacard_key: str = ""

    memory_mb: int = 1000
    core_hours: float | None = None
    cost: str = ""
    cost_options: tuple[str, ...] = ()
    cost_basis: str = "no run times known"
    broadening: str = "as the code gives it"
    energy_reference: str = "absolute photon energy as the code gives it"
    limits: str = ""
    reference: str = ""
    envelope_sigma: float | None = None
    tuned_from: str = ""
    run_features: str = ""
    as_cheap_run: Mapping[str, Any] = field(default_factory=dict)
    runs_at_prediction: bool = False
    ladder: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    quick_look: str = ""
    look_options: tuple[str, ...] = ()
