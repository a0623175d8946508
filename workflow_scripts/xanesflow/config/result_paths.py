"""Every path below `results/` that rules read or write, relative to the working directory.

A path is a pattern with wildcards in braces. Rules use the patterns directly, and `fill` replaces the wildcards. Files
that one room keeps for itself beside them (the progress of a chunk, the state of a training) are named in that room.
"""

from __future__ import annotations

from pathlib import Path

RESULTS = "results"

# Stage 1: structures
STRUCTURES = "results/structures/{subset}.parquet"
SITES = "results/structures/{subset}_sites.parquet"
REJECTED_STRUCTURES = "results/structures/{subset}_rejected.parquet"
NEAR_DUPLICATES = "results/structures/{subset}_near_duplicates.csv"
COST = "results/structures/cost.csv"
QUERIED_STRUCTURES = "results/structures/materials_project/{element}.parquet"
QUERY_MANIFEST = "results/structures/materials_project/{element}.json"
MINERALS = "results/structures/amcsd/{element}.parquet"
MINERALS_MANIFEST = "results/structures/amcsd/{element}.json"

# Stage 2: inputs
INPUTS = "results/inputs/{subset}/{chunk}.zip"
REJECTED_INPUTS = "results/inputs/{subset}/{chunk}_rejected.parquet"

# Stage 3: simulations
SIMULATIONS = "results/simulations/{subset}"
RUNS = "results/simulations/{subset}/{chunk}.zip"
FINISHED_RUNS = "results/simulations/{subset}/kept"
RETRY_REQUEST = "results/simulations/{subset}/retry/{chunk}.json"
REJECTED_RUNS = "results/simulations/{subset}/rejected.parquet"
FAILED_SITES = "results/simulations/{subset}/failed.csv"
PLAN = "results/plan/{subset}.csv"

# Not a stage: options of a code tried on a few sites
RUNG = "results/convergence/{subset}/{rung}.zip"
RUNG_KEPT = "results/convergence/{subset}/{options}/kept"
CONVERGENCE_TABLE = "results/convergence/{subset}.csv"
CONVERGED_OPTIONS = "results/convergence/{subset}.yaml"
CONVERGENCE_FIGURE = "results/report/figures/convergence_{subset}.svg"

# Stages 4 and 5: spectra and features
SPECTRA = "results/spectra/{subset}.h5"
REJECTED_SPECTRA = "results/spectra/{subset}_rejected.csv"
FEATURES = "results/features/{featurizer}/{subset}.h5"

# Stage 6: the dataset
SPLIT = "results/dataset/splits/{subset}.csv"
SITE_COUNT = "results/dataset/splits/{subset}_sites.json"
UNMATCHED = "results/dataset/splits/{subset}_unmatched.csv"
DATASET = "results/dataset/{campaign}.h5"
PACKAGED = "results/package/{campaign}/{name}"

# Stage 7: models; {of} is a subset, or the level of theory of a universal model
CHECKPOINT = "results/models/{model}_{features}_{of}/seed{seed}.safetensors"
TRAINING_HISTORY = "results/models/{model}_{features}_{of}/history.csv"
LEARNING_CURVE = "results/models/{model}_{features}_{of}/learning_curve.svg"
DELTA_CURVE = "results/models/{model}_{features}_{of}/learning_curve.csv"
UNSEEN_ELEMENTS = "results/models/{model}_{features}_{of}/unseen_elements.csv"
UNSEEN_ELEMENTS_FIGURE = "results/models/{model}_{features}_{of}/unseen_elements.svg"
FOUND_SETTINGS = "results/models/search/{features}_{searched}.yaml"
SEARCH_TRIALS = "results/models/search/{features}_{searched}_trials.csv"
SEARCH_FIGURE = "results/models/search/{features}_{searched}.svg"
SEARCH_STUDY = "results/models/search/{features}_{searched}/study.journal"

# Stage 8: evaluation
CALIBRATION = "results/evaluation/calibration/{model}_{features}_{subset}.h5"
PREDICTIONS = "results/evaluation/predictions/{model}_{features}_{subset}.h5"
METRICS = "results/evaluation/metrics.csv"
CALIBRATION_TABLE = "results/evaluation/calibration.csv"
INTERVALS = "results/evaluation/intervals.csv"
SIGNIFICANCE = "results/evaluation/significance.csv"

# Beside it: from a spectrum back to its site
SITE_DESCRIPTORS = "results/interpretation/sites.parquet"
SITE_DESCRIPTORS_KEPT = "results/interpretation/sites_kept.jsonl"
INTERPRETER = "results/interpretation/models/{interpreter}-{subset}-{split}-{seed}.safetensors"
READ_VALUES = "results/interpretation/predictions/{interpreter}-{subset}-{split}-{seed}.parquet"
SHIFTED_VALUES = "results/interpretation/predictions/{interpreter}-{subset}-{split}-{seed}.csv"
INTERPRETATION_METRICS = "results/interpretation/metrics.csv"
INTERPRETATION_ROBUSTNESS = "results/interpretation/robustness.csv"
INTERPRETATION_AXES = "results/interpretation/axes.csv"
INTERPRETATION_FIGURE = "results/interpretation/figures/{figure}_{subset}.svg"

# Beside the stages: which structures measured spectra belong to
MATCHES = "results/measured/ranking.csv"
MATCHES_RECORD = "results/measured/ranking.json"
UNMATCHED_SCANS = "results/measured/left_out.csv"
MATCH_FIGURES = "results/measured/figures"
MATCHED_SPECTRA_KEPT = "results/measured/kept"

# The report
REPORT = "results/report/report.html"
FEATURE_MAP = "results/report/map_{features}.parquet"
THEORIES_TABLE = "results/report/theories_{one}-{other}.csv"
THEORIES_FIGURE = "results/report/figures/theories_{one}-{other}.svg"
CODES_TABLE = "results/report/codes_{element}.csv"
CODES_FIGURE = "results/report/figures/codes_{element}.svg"
COMPARISON_FIGURE = "results/report/figures/comparison.svg"
SUBSET_FIGURE = "results/report/figures/{figure}_{subset}.svg"
TOGETHER_FIGURE = "results/report/figures/together_{figure}_{model}_{features}.svg"
MODEL_FIGURE = "results/report/figures/{figure}_{model}_{features}_{subset}.svg"

# Not part of the report: predictions for structures that were not simulated
PREDICTED_SPECTRA = "results/prediction/spectra.h5"
UNPREDICTED_STRUCTURES = "results/prediction/spectra_rejected.csv"

BENCHMARKS = "results/benchmarks"


def fill(pattern: str, **wildcards: object) -> str:
    """Replace the given wildcards of a pattern by values; all others stay."""
    for name, value in wildcards.items():
        pattern = pattern.replace(f"{{{name}}}", str(value))
    return pattern


def in_results(results: Path, pattern: str, **wildcards: object) -> Path:
    """Fill a pattern and return its path below the campaign's folder `results`, which may lie anywhere."""
    return results / fill(pattern, **wildcards).removeprefix(f"{RESULTS}/")


def log_of(rule: str, wildcards: str = "") -> str:
    """Path of the log of a rule's jobs; `wildcards`, such as `{subset}_{chunk}`, distinguish the jobs."""
    return f"results/logs/{rule}/{wildcards}.log" if wildcards else f"results/logs/{rule}.log"


def benchmark_of(rule: str, wildcards: str = "") -> str:
    """Path of Snakemake's measurements of a rule's jobs; `wildcards` distinguish the jobs."""
    return f"{BENCHMARKS}/{rule}/{wildcards}.tsv" if wildcards else f"{BENCHMARKS}/{rule}.tsv"


INTERPRETERS_BEST_FIRST = ("blend", "trees", "network")
"""Interpreters that read descriptors with error bars, in the order in which `interpret` and the figures prefer them."""


def trained_interpreters(directory: Path = Path()) -> list[list[Path]]:
    """The interpreters of a campaign: a list for each kind of model that there is, the preferred kind first.

    Args:
        directory: the campaign's working directory.
    """
    patterns = [
        directory / fill(INTERPRETER, interpreter=model, subset="*", split="campaign", seed="*")
        for model in INTERPRETERS_BEST_FIRST
    ]
    return list(filter(None, (sorted(each.parent.glob(each.name)) for each in patterns)))
