# What the rules share: the campaign, its paths and its wildcards. No rules stand here.
import sys
from functools import cache
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

# The rules import the library from the folder in which the scripts find it.
sys.path.insert(0, str(Path(str(workflow.current_basedir)).parent / "workflow_scripts"))

from xanesflow.config import result_paths as paths
from xanesflow.config.campaign import Campaign
from xanesflow.config.kinds import KINDS, SIMPLE_MODELS
from xanesflow.config.load import load_config
from xanesflow.config.preflight import check_named_files, check_working_directory, warnings_of
from xanesflow.config.result_paths import benchmark_of, fill, log_of
from xanesflow.core.errors import XanesflowError
from xanesflow.core.sites import Subset
from xanesflow.running.hold_results import hold_results
from xanesflow.structures.list_files import state_of_source
from xanesflow.structures.materials_project.material_ids import id_files


def or_workflow_error(function, *arguments):
    """Call a function of the library; when it finds a mistake of the user, show its sentence without a traceback."""
    try:
        return function(*arguments)
    except XanesflowError as error:
        raise WorkflowError(str(error)) from None


or_workflow_error(check_working_directory)
CONFIG = or_workflow_error(load_config, config)
CAMPAIGN = Campaign(CONFIG)
SUBSETS = CAMPAIGN.subsets


wildcard_constraints:
    subset="|".join(sorted({*CAMPAIGN.all_subsets})),
    element="|".join(CAMPAIGN.elements),
    featurizer="|".join(CAMPAIGN.featurizers),
    features=r"[a-z0-9_+]+",
    theory="|".join(CAMPAIGN.theories),
    model="|".join(KINDS),
    simple_model="|".join(SIMPLE_MODELS),
    searched="|".join([*SUBSETS, "universal"]),
    seed=r"\d+",
    chunk=r"\d{4}",


def updated(files):
    """Outputs that a job updates, so Snakemake does not delete the good ones first."""
    return [update(file) for file in files]


def checkpoints_of(wildcards):
    """Checkpoints of the model that predicts a subset, one for each seed."""
    return CAMPAIGN.checkpoints_for(wildcards.model, wildcards.features, wildcards.subset)


def files_of_ids(*subsets):
    """Files with the ids of the materials to fetch from Materials Project; none if the configuration lists the ids."""
    found = [file for name in subsets for file in id_files(CAMPAIGN.material_ids(name), name)]
    return list(dict.fromkeys(found))


@cache  # the same for all subsets
def state_of_structures():
    """A text that changes when the folder or library of structures changes."""
    return state_of_source(CONFIG.structures.source, CONFIG.structures.directory)


def retry_requests(subset, chunk):
    """The file that requests failed sites of a chunk again (`xanesflow retry`), in a list; empty if there is none."""
    request = fill(paths.RETRY_REQUEST, subset=subset, chunk=chunk)
    return [request] if Path(request).exists() else []


def more_each_time(amount):
    """A resource for a job that grows by this amount with every attempt (see `retries` in profiles/slurm)."""
    return lambda wildcards, attempt: amount * attempt


def refuse_stage(stage):
    """Raise an error: this campaign does not have the stage."""
    raise WorkflowError(
        f"dataset.source is features_file, so this campaign makes no {stage}; choose the target spectra, features, "
        "dataset, models, evaluation or report."
    )


# The linter reads the rules with the default configuration, which names no archive.
if "--lint" not in sys.argv:
    or_workflow_error(check_named_files, CAMPAIGN)
    if CONFIG.dataset.from_files:
        from xanesflow.dataset.feature_files import check_feature_files

        or_workflow_error(check_feature_files, CAMPAIGN)
    elif CONFIG.structures.source == "materials_project":
        or_workflow_error(lambda: files_of_ids(*SUBSETS))
    elif CONFIG.structures.source == "amcsd":
        or_workflow_error(state_of_structures)
    for warning in warnings_of(CAMPAIGN):
        logger.warning(warning)


def for_models_together(pattern):
    """Paths from `pattern`, which names no subset, for every model; none of a campaign with one subset."""
    return list(dict.fromkeys(CAMPAIGN.for_all_models(pattern))) if len(SUBSETS) > 1 else []


def model_figure(name, category):
    """A figure of one model on one subset, as an output that Snakemake's own report shows too."""
    labels = {"figure": name, "model": "{model}", "features": "{features}"}
    path, caption = fill(paths.MODEL_FIGURE, figure=name), f"../report/{name}.rst"
    return report(path, caption=caption, category=category, subcategory="{subset}", labels=labels)
