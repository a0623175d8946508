# Helpers of the rules; no rules here.
import sys
from functools import cache
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

# The scripts find the library beside them; the rules look for it in the same place.
sys.path.insert(0, str(Path(str(workflow.current_basedir)).parent / "workflow_scripts"))

from xanesflow.config.model import load_config
from xanesflow.config.delta_from import (
    baseline_features,
    baselines_of,
    computed_baselines,
    models_of,
)
from xanesflow.config.named_files import check_directory, check_split_files
from xanesflow.core.errors import XanesflowError
from xanesflow.evaluation.table_one import obstacle, paper_eta
from xanesflow.core.files import sha256_file
from xanesflow.running.locks import hold_directory
from xanesflow.simulations.job_resources import chunk_memory, chunk_minutes
from xanesflow.codes.feff.find_feff import find_program
from xanesflow.codes.lightshow_tree import check_archive, folder_state
from xanesflow.core.sites import COMPUTED, WITH_INPUTS, chunk_name
from xanesflow.core.source_tree import example_files
from xanesflow.codes.vasp.constants import processing_of
from xanesflow.structures.materials_project.manifest import request_of
from xanesflow.structures.materials_project.material_ids import id_files

try:
    CONFIG = load_config(config)
    # The linter only reads the rules, and the default configuration names no archive.
    if "--lint" not in sys.argv:
        CONFIG.found_settings()
    if CONFIG.from_files:
        from xanesflow.dataset.feature_files import check_feature_file

        paths = [CONFIG.features_file(name) for name in CONFIG.subsets]
        for name, path in zip(CONFIG.subsets, paths):
            check_feature_file(path, name, alone=paths.count(path) == 1)
            check_split_files(CONFIG.split_files(name), name)
    elif "--lint" not in sys.argv:
        if CONFIG.structures.source == "directory":
            check_directory(CONFIG.structures.directory)
        for name in CONFIG.subsets:
            if CONFIG.simulations.source == "archive":
                check_archive(CONFIG.archive_of(name), name)
            check_split_files(CONFIG.split_files(name), name)
            if CONFIG.structures.source == "materials_project":
                id_files(CONFIG.structures.materials_project.ids_of(name.split("_")[0]), name)
except XanesflowError as error:
    raise WorkflowError(str(error)) from None

for name in [] if CONFIG.from_files else CONFIG.subsets:
    if (entries := CONFIG.processing_of(name)) is not None:
        try:
            processing_of(name, entries, start_ev=CONFIG.curation.energy_start[name.split("_")[0]])
        except (
            XanesflowError
        ) as error:  # runs need none of it, and the shift can only be found with one
            logger.warning(f"{error} Until then the job that makes them will stop.")
if (
    not CONFIG.from_files
    and CONFIG.simulations.source == "run"
    and (unrun := [name for name in CONFIG.subsets if name.split("_")[1] not in COMPUTED])
):
    logger.warning(
        f"{', '.join(unrun)}: this version makes structures and inputs of these (`snakemake inputs`), but runs "
        f"{', '.join(COMPUTED)} only; jobs that simulate them will stop."
    )

if not CONFIG.from_files and CONFIG.simulations.source == "run" and "--lint" not in sys.argv:
    if by_feff := [name for name in CONFIG.subsets if name.endswith("_FEFF")]:
        try:
            find_program(CONFIG.simulations.feff_command)
        except XanesflowError as error:  # it may be there where the jobs run, and inputs need none
            logger.warning(f"{', '.join(by_feff)}: {error}")

SUBSETS = CONFIG.subsets
ELEMENTS = sorted({name.split("_")[0] for name in SUBSETS})
THEORIES = sorted({name.split("_")[1] for name in SUBSETS})
MODELS = models_of(CONFIG)  # kind and features
FEATURIZERS = sorted(
    {
        part
        for name in [*CONFIG.features.models, *(features for _, features in MODELS)]
        for part in name.split("+")
    }
)
# The cheaper runs under delta models: subsets that nobody named, in the tree of results like any other.
BASELINES = baselines_of(CONFIG)
COMPUTED_BASELINES = computed_baselines(CONFIG)
IMPORTED_SUBSETS = (
    sorted({*SUBSETS, *BASELINES.values()} - set(COMPUTED_BASELINES))
    if CONFIG.simulations.source == "archive"
    else []
)
RUN_SUBSETS = sorted({*SUBSETS, *BASELINES.values()} - set(IMPORTED_SUBSETS))
DATASET = f"results/dataset/{CONFIG.campaign}.h5"


wildcard_constraints:
    subset="|".join(sorted({*SUBSETS, *BASELINES.values()})),
    element="|".join(ELEMENTS),
    featurizer="|".join(FEATURIZERS),
    features=r"[a-z0-9_+]+",
    theory="|".join(THEORIES),
    model=r"expert|universal|tuned|delta",
    baseline=r"linear|trees",
    searched="|".join([*SUBSETS, "universal"]),
    seed=r"\d+",
    chunk=r"\d{4}",


def chunk_zips(subset):
    """Zips of the finished runs of a subset, one a chunk."""
    return [
        f"results/simulations/{subset}/{chunk_name(k)}.zip" for k in range(CONFIG.n_chunks(subset))
    ]


def theory_of(subset):
    """The level of theory of a subset."""
    return subset.split("_")[1]


def above(baseline):
    """The subset whose sites a baseline has."""
    return next(subset for subset, below in BASELINES.items() if below == baseline)


def input_zips(subset):
    """Zips of the input files of a subset, one a chunk; none where the code writes its own when it runs."""
    numbers = range(CONFIG.n_chunks(subset) if theory_of(subset) in WITH_INPUTS else 0)
    return [f"results/inputs/{subset}/{chunk_name(k)}.zip" for k in numbers]


def more_each_time(amount):
    """A resource for a job: so much at first, and once more of it at every retry (see `retries` in profiles/slurm)."""
    return lambda wildcards, attempt: amount * attempt


def time_of_chunk(wildcards, threads, attempt):
    """Minutes to ask for a chunk's job, from the cost in the site table; before that is there, a usual value."""
    return chunk_minutes(
        f"results/structures/{wildcards.subset}_sites.parquet",
        int(wildcards.chunk),
        cores=threads,
        attempt=attempt,
        longest=CONFIG.simulations.longest_job,
    )


def folder_of_structures():
    """The user's folder of structures, in a list; empty for the example library."""
    return [CONFIG.structures.directory] if CONFIG.structures.source == "directory" else []


def from_materials_project(subset):
    """The structures of a subset's element from Materials Project and their manifest; empty for another source."""
    if CONFIG.structures.source != "materials_project":
        return []
    element = subset.split("_")[0]
    return [
        f"results/structures/materials_project/{element}.{ending}" for ending in ("parquet", "json")
    ]


def files_of_ids(*subsets):
    """Files with the material ids that Materials Project is asked for; none if they stand in the configuration."""
    given = CONFIG.structures.materials_project
    found = [file for name in subsets for file in id_files(given.ids_of(name.split("_")[0]), name)]
    return list(dict.fromkeys(found))


def query_of(element):
    """What Materials Project is asked for an element, but for the ids that stand in files."""
    given = CONFIG.structures.materials_project
    ids = given.ids_of(element)
    return {
        **given.model_dump(exclude={"ids"}),
        "element": element,
        "systems": [system.replace("E", element, 1) for system in given.systems],
        "ids": ids if isinstance(ids, list) else None,
    }


@cache  # the same for all subsets
def state_of_structures():
    """What tells that the folder or library of structures has changed."""
    if folders := folder_of_structures():
        from xanesflow.structures.list_files import directory_state

        return directory_state(folders[0])
    if CONFIG.structures.source != "examples":
        return ""
    return {path.name: sha256_file(path) for path in example_files()}


def rejected_before(subset):
    """Tables of what was left out of a subset before its spectra were read."""
    if CONFIG.simulations.source == "archive":
        return [f"results/simulations/{subset}/rejected.parquet"]
    return [f"results/structures/{subset}_rejected.parquet"]


def failed_before(subset):
    """Table of the sites of a subset that failed, in a list; empty for imported runs, which fail elsewhere."""
    run = CONFIG.simulations.source == "run"
    return [f"results/simulations/{subset}/failed.csv"] if run else []


def planned_sites(subset):
    """List of the sites of a subset that are to be simulated, in a list; empty: all of them."""
    planned = CONFIG.simulations.sites.get(subset)
    return [planned] if planned else []


def orders_of(subset, chunk):
    """Order to compute failed sites of a chunk again, in a list; empty as long as none was ever given."""
    order = f"results/simulations/{subset}/retry/{chunk}.json"
    return [order] if Path(order).exists() else []


def nothing_is_made_of(stage):
    """Tell who asks for a stage that this campaign does not have."""
    raise WorkflowError(
        f"dataset.source is features_file, so nothing is made of {stage}; ask for spectra, features, dataset, models, "
        "evaluation or report."
    )


def energy_start(subset):
    """First energy in eV of a subset's grid."""
    return CONFIG.curation.energy_start[subset.split("_")[0]]


def subsets_of(theory):
    """The subsets of a level of theory, in the order of their names."""
    return sorted(name for name in SUBSETS if name.endswith(f"_{theory}"))


def results_of_models(pattern):
    """`pattern` filled for every model, features and subset that the configuration asks for."""
    return [
        filled
        for model, features in MODELS
        for filled in expand(pattern, model=model, features=features, subset=SUBSETS)
    ]


def results_of_baselines(pattern):
    """The same for every baseline, whose name stands for {model}."""
    return expand(
        pattern, model=CONFIG.models.baselines, features=CONFIG.features.models, subset=SUBSETS
    )


def results_of_all(pattern):
    """The same for every model, and then for every baseline."""
    return results_of_models(pattern) + results_of_baselines(pattern)


def trained_on(model, subset):
    """What the model that predicts a subset is a model of: its level of theory, if it is universal, or the subset."""
    return subset.split("_")[1] if model == "universal" else subset


def members_of(wildcards):
    """All seeds of the model that predicts a subset."""
    return expand(
        "results/models/{model}_{features}_{of}/seed{seed}.safetensors",
        model=wildcards.model,
        features=wildcards.features,
        of=trained_on(wildcards.model, wildcards.subset),
        seed=CONFIG.models.seeds,
    )


def checkpoints_of(model):
    """Checkpoints of a model, one a seed, which its training updates: what is still good is kept."""
    folder = f"results/models/{model}"
    return [update(f"{folder}/seed{seed}.safetensors") for seed in CONFIG.models.seeds]


def results_of_trainings(pattern, kind=None):
    """`pattern` filled for every model and seed to be trained, if it names {seed}; {of} is a subset or a theory.

    With `kind` models of it alone.
    """
    filled = [
        pattern.format(model=model, features=features, of=trained_on(model, subset), seed=seed)
        for model, features in MODELS
        for subset in SUBSETS
        for seed in CONFIG.models.seeds
        if kind in (None, model)
    ]
    return list(dict.fromkeys(filled))


def told(function, *arguments):
    """What a function of the library gives; a user's mistake that it finds is told in its sentence alone."""
    try:
        return function(*arguments)
    except XanesflowError as error:
        raise WorkflowError(str(error)) from None


def has_paper_value():
    """Whether a result of this campaign stands in the paper's Table I."""
    return any(
        paper_eta(model, subset) and not obstacle(model, features, CONFIG.evaluation.part, SUBSETS)
        for model, features in MODELS
        for subset in SUBSETS
    )


def hold_working_directory():
    """One run at a time in a working directory; a killed one lets go by itself."""
    global _lock
    try:
        _lock = hold_directory("results")
    except XanesflowError as error:
        raise WorkflowError(str(error)) from None
