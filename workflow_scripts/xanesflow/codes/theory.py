"""The record of a level of theory: everything that the rest of the library asks of it (see `codes.registry`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Theory:
    """What the library asks of a level of theory. Code is named as `module:object`; empty: the theory has none.

    Attributes:
        name: as in the name of a subset, `Cu_FEFF`.
        title: what computes it and how, for the datacard.

        folder: of its runs, below the material's in Lightshow's tree.
        other_folders: of other calculations by the same code; a POSCAR in them is no material's.
        shared_folder: of the step that the sites of a material share, beside those of the sites; empty: none.
        files: names of a run's files that are read.
        spectrum_file: the one that holds the spectrum.
        gzipped: whether archives often pack these files one by one, as `OUTCAR.gz`.
        member_limit: greatest size of a file on import, in bytes; None: `archive.MEMBER_LIMIT`.

        engine: class that runs a site (`engine.Engine`), made from its options.
        options: dataclass of the engine's options.
        options_section: key of `simulations` with these options.
        command_key: key of `simulations` with the command, which is the engine's option `command`; empty: no command.
        find_program: function that takes the command and raises XanesflowError if nothing can be run by it.
        reader: reads and checks a run (`engine.Reader`); of a theory with `processing` the class of it.
        processing: makes, from the entries of the subset's element, what the reader is made from (see `processing_of`).
        curation_section: key of `curation` with these entries, each a mapping by element.
        importable: whether finished runs of other campaigns can be imported.
        kept_content: function of a file's name and content that leaves out what must not be kept on import.
        parse_spectrum: function that parses the spectrum file of a refused run, so that the report can draw it.
        check_folder: function that judges a run in a folder (`xanesflow check`); it takes the folder, and element,
            structure and site index where it lies in Lightshow's tree.
        signs: files by which such a folder is found.
        only_in_tree: whether such a folder counts in Lightshow's tree alone.

        writer: class that writes inputs (`engine.InputWriter`).
        inputs_section: key of `inputs` with the writer's options.
        element_key: key of `inputs.<section>` that needs an entry for the absorber's element; empty: the inputs do not
            depend on the element.
        manifest: class that adds entries to the manifest of a chunk of inputs (`engine.ManifestEntries`).
        datacard_key: key of `inputs.<section>` that the datacard quotes.

        memory_mb: MB that one core needs at the first attempt.
        core_hours: of any site; None: not known, or see `cost`.
        cost: function of a structure and sites that gives (n,) cluster sizes in atoms and (n,) core hours.
        cost_basis: what the core hours rest on.
        broadening: of the spectra, one phrase.
        energy_reference: of the spectra, one phrase.
        limits: a sentence on its limits for the datacard.
        envelope_sigma: default of `curation.envelope`; None: no envelope.
        tuned_from: default of `models.tuned_from`; empty: its own universal model.
        run_features: name of the features that its runs give to delta models; empty: it cannot be corrected.
        as_cheap_run: options of the engine that differ where models learn from its runs beside expensive ones.
        runs_at_prediction: whether these runs are made where structures are predicted.
    """

    name: str
    title: str

    folder: str
    other_folders: tuple[str, ...] = ()
    shared_folder: str = ""
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
    parse_spectrum: str = ""
    check_folder: str = ""
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
    cost_basis: str = "no run times known"
    broadening: str = "as the code gives it"
    energy_reference: str = "absolute photon energy as the code gives it"
    limits: str = ""
    envelope_sigma: float | None = None
    tuned_from: str = ""
    run_features: str = ""
    as_cheap_run: Mapping[str, Any] = field(default_factory=dict)
    runs_at_prediction: bool = False
