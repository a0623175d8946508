"""Checks before anything is planned, for mistakes that would otherwise show after hours of work."""

from __future__ import annotations

import os
from pathlib import Path

from xanesflow.codes.lightshow_tree import check_archive
from xanesflow.codes.registry import computed, function_of, processing_of, theories
from xanesflow.config.campaign import Campaign
from xanesflow.config.named_files import check_directory, check_split_files
from xanesflow.core.errors import XanesflowError
from xanesflow.core.site_list import read_site_list
from xanesflow.core.sites import Subset


def check_working_directory() -> None:
    """Check that results can be written into the working directory.

    Raises:
        XanesflowError: they cannot.
    """
    here = Path.cwd()
    if not os.access(here, os.W_OK | os.X_OK):
        raise XanesflowError(
            f"The working directory {here} is read-only or not yours, so no results can be written; name another one "
            "with --directory."
        )


def elements_with_codes(campaign: Campaign) -> list[str]:
    """Return the elements with subsets of several levels of theory.

    Raises:
        XanesflowError: there is none, so `snakemake codes` has nothing to compare.
    """
    if not campaign.compared_elements:
        raise XanesflowError(
            f"No element has several levels of theory (subsets: {', '.join(campaign.subsets)}), so there are no codes "
            "to compare; name more subsets of an element, such as Ti_FEFF8L beside Ti_XSPECTRA."
        )
    return campaign.compared_elements


def check_named_files(campaign: Campaign) -> None:
    """Check that the files and folders that a configuration names exist.

    The rooms that read files of material ids and of features check those themselves.

    Raises:
        XanesflowError: one is missing, or is no list of sites; the message names it and its key.
    """
    config = campaign.config
    campaign.found_settings()
    if not config.dataset.from_files and config.structures.directory and config.structures.source == "directory":
        check_directory(config.structures.directory)
    if config.measured.files is not None:
        config.measured.scans()
    for name in [] if config.dataset.from_files else campaign.imported_subsets:
        check_archive(campaign.archive_of(name), name)
    for listed in config.simulations.sites.values():
        if Path(listed).exists():  # it may be one that `xanesflow plan` is still to write
            read_site_list(listed)
    for name in campaign.subsets:
        check_split_files(campaign.split_files(name), name)


def warnings_of(campaign: Campaign) -> list[str]:
    """Sentences on what will stop a job later, although planning works without it."""
    config = campaign.config
    if config.dataset.from_files:
        return []
    found = []
    for name in campaign.subsets:
        if (entries := campaign.processing_of(name)) is not None:
            try:
                processing_of(name, Subset.parse(name).theory, entries, start_ev=campaign.energy_start(name))
            except XanesflowError as error:  # no error: runs need no entries, and finding the shift needs a run
                found.append(f"{error} Until then the job that makes the spectra will stop.")
    for name, listed in config.simulations.sites.items():
        if not Path(listed).exists():
            found.append(
                f"{name}: simulations.sites names {listed}, which does not exist (looked from {Path.cwd()}); write it "
                f"with `xanesflow plan --subset {name}`, or name another. Until then no site of {name} is simulated."
            )
    if unrun := [name for name in campaign.run_subsets if Subset.parse(name).theory not in computed()]:
        found.append(
            f"{', '.join(unrun)}: this version makes structures and inputs of these (`snakemake inputs`), but runs "
            f"{', '.join(computed())} only; jobs that simulate them will stop."
        )
    for record in theories():
        by_it = [name for name in campaign.run_subsets if Subset.parse(name).theory == record.name]
        if by_it and (find_program := function_of(record.find_program)):
            try:
                find_program(getattr(config.simulations, record.command_key))
            except XanesflowError as error:  # no error: the jobs' machine may have it, and inputs need no program
                found.append(f"{', '.join(by_it)}: {error}")
    return found
