# What the rules share: the campaign, its paths and its wildcards; no rules here.
import sys
from functools import cache
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

# The scripts find the library beside them; the rules look for it in the same place.
sys.path.insert(0, str(Path(str(workflow.current_basedir)).parent / "workflow_scripts"))

from xanesflow.config import result_paths as paths
from xanesflow.config.campaign import Campaign
from xanesflow.config.load import load_config
from xanesflow.config.preflight import check_named_files, warnings_of
from xanesflow.config.result_paths import benchmark_of, fill, log_of
from xanesflow.core.errors import XanesflowError
from xanesflow.core.sites import Subset
from xanesflow.running.locks import hold_directory
from xanesflow.structures.list_files import state_of_source
from xanesflow.structures.materials_project.material_ids import id_files


def or_workflow_error(function, *arguments):
    """What a function of the library returns; a mistake of the user's that it finds ends in its sentence alone."""
    try:
        return function(*arguments)
    except XanesflowError as error:
        raise WorkflowError(str(error)) from None


CONFIG = or_workflow_error(load_config, config)
CAMPAIGN = Campaign(CONFIG)
SUBSETS = CAMPAIGN.subsets


wildcard_constraints:
    subset="|".join(sorted({*CAMPAIGN.all_subsets})),
    element="|".join(CAMPAIGN.elements),
    featurizer="|".join(CAMPAIGN.featurizers),
    features=r"[a-z0-9_+]+",
    theory="|".join(CAMPAIGN.theories),
    model=r"expert|universal|tuned|delta",
    simple_model=r"linear|trees",
    searched="|".join([*SUBSETS, "universal"]),
    seed=r"\d+",
    chunk=r"\d{4}",


def theory_of(subset):
    """The level of theory of a subset."""
    return Subset.parse(subset).theory


def updated(files):
    """Outputs in which what is still good is kept."""
    return [update(file) for file in files]


def members_of(wildcards):
    """All seeds of the model that predicts a subset."""
    return CAMPAIGN.checkpoints_for(wildcards.model, wildcards.features, wildcards.subset)


def files_of_ids(*subsets):
    """Files with the material ids that Materials Project is asked for; none if they stand in the configuration."""
    found = [file for name in subsets for file in id_files(CAMPAIGN.material_ids(name), name)]
    return list(dict.fromkeys(found))


@cache  # the same for all subsets
def state_of_structures():
    """What tells that the folder or library of structures has changed."""
    return state_of_source(CONFIG.structures.source, CONFIG.structures.directory)


def retry_requests(subset, chunk):
    """Request to compute failed sites of a chunk again, in a list; empty as long as none was ever made."""
    request = fill(paths.RETRY_REQUEST, subset=subset, chunk=chunk)
    return [request] if Path(request).exists() else []


def more_each_time(amount):
    """A resource for a job: so much at first, and once more of it at every retry (see `retries` in profiles/slurm)."""
    return lambda wildcards, attempt: amount * attempt


def nothing_is_made_of(stage):
    """Say that this campaign has no such stage, to whoever asks for it."""
    raise WorkflowError(
        f"dataset.source is features_file, so nothing is made of {stage}; ask for spectra, features, dataset, models, "
        "evaluation or report."
    )


def hold_working_directory():
    """One run at a time in a working directory; a killed one lets go by itself."""
    global _lock
    _lock = or_workflow_error(hold_directory, paths.RESULTS)


if (
    "--lint" not in sys.argv
):  # the linter only reads the rules, and the default configuration names no archive
    or_workflow_error(check_named_files, CAMPAIGN)
    if CONFIG.dataset.from_files:
        from xanesflow.dataset.feature_files import check_feature_files

        or_workflow_error(check_feature_files, CAMPAIGN)
    elif CONFIG.structures.source == "materials_project":
        or_workflow_error(lambda: files_of_ids(*SUBSETS))
    for warning in warnings_of(CAMPAIGN):
        logger.warning(warning)
