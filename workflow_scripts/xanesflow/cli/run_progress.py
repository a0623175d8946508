"""Follows the progress of a run of the workflow by the lines that Snakemake and its jobs print.

A logger plugin of Snakemake (9.27) would replace half of these patterns by events, but not those for the sites: jobs
print to the terminal themselves and no event says so, nor by which signal a job was killed. And it would have to be a
package of its own beside xanesflow, `snakemake_logger_plugin_<name>`, that passes its events on to this process, which
outlives Snakemake and must stop it. snakemake-logger-plugin-rich (0.5) shows jobs, not sites, which take the time.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from xanesflow.core.sites import parse_site_id

STAGES = {
    "structures": {
        "collect_structures": "Collecting the structures",
        "estimate_cost": "Estimating what",
        "check_site_count": "Checking whether",
    },
    "simulations": {"simulate_chunk": "Simulating chunk", "run_rung": "Trying option"},
    "curation": {"list_failures": "Listing the failed", "curate_spectra": "Curating the spectra"},
    "features": {"compute_features": r"Computing \S+ features"},
    "dataset": {"split_sites": "Splitting", "build_dataset": "Building the dataset"},
    "model": {
        "train_expert": "Training ExpertXAS",
        "train_universal": "Training UniversalXAS",
        "train_tuned": "Training Tuned",
    },
    "evaluation": {
        "calibrate_model": "Calibrating the error bars",
        "predict_spectra": "Predicting",
        "evaluate_models": "Evaluating",
    },
    "report": {
        "draw_curation": "Drawing what curation",
        "draw_evaluation": "Drawing the errors",
        "draw_together": "Drawing all subsets together",
        "draw_uncertainty": "Drawing the error bars",
        "describe_sites": "Describing all sites",
        "map_features": "Placing all sites",
        "draw_codes": "Drawing all codes",
        "compare_rungs": "Comparing the options",
        "make_report": "Writing the report",
    },
}
"""Stage -> its rules, each with the beginning of its jobs' message, in the workflow's order."""

_STAGE_OF = {rule: stage for stage, rules in STAGES.items() for rule in rules}

_STAMP = re.compile(r"\d\d:\d\d:\d\d (?P<said>.*)")  # `config.rule_script.rule_log` puts the time before each line
_DATE = re.compile(r"\[\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}\]")
_JOB_COUNT = re.compile(r"(?P<rule>\w+) +(?P<count>\d+)")
_JOB = re.compile(r"Job (?P<job>\d+): (?P<message>.*)")
_FINISHED = re.compile(r"Finished jobid: \d+ \(Rule: (?P<rule>\w+)\)")
_SITES = re.compile(r"(?P<subset>\w+): (?P<count>[\d,]+) sites? in [\d,]+ structures?, .*")
_SITE = re.compile(
    r"(?P<subset>[A-Z][a-z]?_\w+) chunk (?P<chunk>\d+): (?P<number>\d+)/(?P<of>\d+) (?P<site>\S+_\d+) (?P<end>.*)"
)
_CHUNK = re.compile(r"(?P<subset>\w+) chunk (?P<chunk>\d+): (?P<count>[\d,]+) sites?: .*")
_FAILED_SITE = re.compile(r"failed \(\w+\): (?P<why>.*)")
_FAILED_JOB = re.compile(r"Error in rule (?P<rule>\w+):")
_KILLED = re.compile(r"Command '.*' died with <Signals\.(?P<signal>\w+): \d+>\.")  # stands before `Error in rule`
_FAILED_RUN = re.compile(r"(?!RuleException|CalledProcessError)\w+(Error|Exception)( in .*)?:")
_COLLECTED = re.compile(r"Collecting the structures of (?P<subset>\w+)")
_SIMULATED = re.compile(r"Simulating chunk (?P<chunk>\d+) of (?P<subset>\w+)")
_NOTHING = "Nothing to be done"
_USUAL = "At least one job did not complete successfully."  # adds nothing to the failures reported before
_ERROR = "ERROR: "


@dataclass
class Stage:
    """One stage of the workflow."""

    name: str  # such as `structures`
    jobs: int = 0  # number of its jobs in this run; 0: none
    ended: int = 0  # number of them that have ended well
    failed: bool = False  # whether one of them failed
    begin: float | None = None  # clock when its first job began; None: not yet
    end: float | None = None  # clock when its last job ended; None: not yet

    @property
    def done(self) -> bool:
        """Whether all its jobs have ended; False if it has none."""
        return self.end is not None


@dataclass
class RunProgress:
    """What is known about a run; `feed` it line by line and `close` it at the end.

    Where more than one line is read, the lines must follow each other, as Snakemake writes them.

    Attributes:
        names: names to display for materials instead of their ids, such as `Fe2O3 hematite`.
        clock: function that returns seconds.
        stages: by name, in the workflow's order.
        sites: number of sites of each subset that has been collected. May be filled with the results of an earlier run,
            as may `simulated`.
        simulated: number of finished sites of each subset and chunk.
        last: the last event.
        site_failures: a sentence for each site without a spectrum; the run continues without it.
        failures: a sentence for each failed job, or for what kept the run from starting.
        planned: whether Snakemake has planned its jobs.
        nothing_to_do: whether everything was done before.
    """

    names: Mapping[str, str] = field(default_factory=dict)
    clock: Callable[[], float] = time.monotonic
    stages: dict[str, Stage] = field(default_factory=lambda: {name: Stage(name) for name in STAGES})
    sites: dict[str, int] = field(default_factory=dict)
    simulated: dict[tuple[str, int], int] = field(default_factory=dict)
    last: str = ""
    site_failures: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    planned: bool = False
    nothing_to_do: bool = False
    _in_table: bool = False
    _messages: dict[str, str] = field(default_factory=dict)
    _killed_by: str = ""
    _block: list[str] | None = None  # lines about a failed job or run that were read so far

    @property
    def sites_total(self) -> int:
        """Number of sites of all subsets that were collected."""
        return sum(self.sites.values())

    @property
    def sites_done(self) -> int:
        """Number of sites that have been simulated, in this run or before."""
        return min(sum(self.simulated.values()), self.sites_total)

    @property
    def sites_known(self) -> bool:
        """Whether `sites_total` includes all subsets."""
        structures = self.stages["structures"]
        return self.planned and structures.ended == structures.jobs

    def feed(self, line: str) -> None:
        """Read one line."""
        line = line.rstrip()
        if self._block is not None and not self._goes_on(line):
            self._end_block()
        if self._block is not None:
            self._block.append(line)
        stamped = _STAMP.fullmatch(line)
        if stamped:
            self._said_by_job(stamped["said"])
        elif self._block is None:
            self._said_by_snakemake(line)

    def close(self) -> None:
        """Say that no more lines follow."""
        if self._block is not None:
            self._end_block()

    def _said_by_job(self, said: str) -> None:
        if said.startswith(_ERROR):
            self._fail(said.removeprefix(_ERROR))
        elif self._block is not None:
            return  # Snakemake repeats the log of a failed job, which was read before
        elif site := _SITE.fullmatch(said):
            self._site_ended(site)
        elif chunk := _CHUNK.fullmatch(said):
            self.simulated[chunk["subset"], int(chunk["chunk"])] = _number(chunk["count"])
        else:
            if sites := _SITES.fullmatch(said):
                self.sites[sites["subset"]] = _number(sites["count"])
            self.last = said

    def _site_ended(self, match: re.Match[str]) -> None:
        self.simulated[match["subset"], int(match["chunk"])] = int(match["number"])
        self.sites.setdefault(match["subset"], int(match["of"]))
        material, index = parse_site_id(match["site"])
        site = f"{self.names.get(material, material)}, {match['subset'].split('_')[0]} site {index}"
        if failed := _FAILED_SITE.fullmatch(match["end"]):
            self.last = f"{site}: no spectrum: {failed['why']}"
            self.site_failures.append(self.last)
        else:
            self.last = f"{site}: {match['end']}"

    def _said_by_snakemake(self, line: str) -> None:
        if line == "Job stats:":
            self._in_table = True
        elif self._in_table and (row := _JOB_COUNT.fullmatch(line)):
            if row["rule"] == "total":
                self._in_table, self.planned = False, True
            elif row["rule"] in _STAGE_OF:
                self.stages[_STAGE_OF[row["rule"]]].jobs += int(row["count"])
        elif job := _JOB.fullmatch(line):
            self._messages[job["job"]] = job["message"]
            self._job_began(job["message"])
        elif finished := _FINISHED.fullmatch(line):
            self._job_ended(finished["rule"])
        elif failed := _FAILED_JOB.fullmatch(line):
            if failed["rule"] in _STAGE_OF:
                self.stages[_STAGE_OF[failed["rule"]]].failed = True
            self._block = [line]
        elif killed := _KILLED.fullmatch(line):
            self._killed_by = killed["signal"]
        elif _FAILED_RUN.fullmatch(line):
            self._block = [line]
        elif line.startswith(_NOTHING):
            self.planned = self.nothing_to_do = True

    def _job_began(self, message: str) -> None:
        self.last = message
        for name, rules in STAGES.items():
            if any(re.match(begin, message) for begin in rules.values()) and self.stages[name].begin is None:
                self.stages[name].begin = self.clock()
        if collected := _COLLECTED.fullmatch(message):
            self.sites.pop(collected["subset"], None)
        if simulated := _SIMULATED.fullmatch(message):
            self.simulated[simulated["subset"], int(simulated["chunk"])] = 0

    def _job_ended(self, rule: str) -> None:
        if rule not in _STAGE_OF:
            return
        stage = self.stages[_STAGE_OF[rule]]
        stage.ended += 1
        if stage.ended == stage.jobs:
            stage.end = self.clock()

    def _goes_on(self, line: str) -> bool:
        """Whether a line belongs to the block of a failure."""
        assert self._block is not None
        if _FAILED_JOB.fullmatch(self._block[0]):
            return not _DATE.fullmatch(line) and not line.startswith(
                ("RuleException", "Exiting because", "Complete log")
            )
        return bool(line) and not line.startswith("  File ") and not _DATE.fullmatch(line)

    def _end_block(self) -> None:
        """Report a failure by its last line, unless a line with ERROR has reported it."""
        # A run that failed as a whole: its lines are the sentence.
        assert self._block is not None
        first, *lines = self._block
        self._block = None
        if not _FAILED_JOB.fullmatch(first):
            sentence = " ".join(line.strip() for line in lines if line.strip())
            if sentence and sentence != _USUAL:
                self._fail(sentence)
            return

        # A failed job without ERROR in its log: the last line of the log says why, or the signal that killed the job.
        if any(_ERROR in line for line in lines):
            return
        job = next((line.split()[1] for line in lines if line.startswith("    jobid: ")), "")
        logs = [k for k, line in enumerate(lines) if line.startswith("Logfile ")]
        said = [line.strip() for line in lines[logs[-1] + 1 :] if line.strip("= ")] if logs else []
        why = said[-1] if said else "it said nothing"
        if self._killed_by:
            why, self._killed_by = f"it was killed by {self._killed_by}", ""
        self._fail(f"{self._messages.get(job, first.removeprefix('Error in ').rstrip(':'))}: failed: {why}")

    def _fail(self, sentence: str) -> None:
        if sentence not in self.failures:
            self.failures.append(sentence)


def _number(text: str) -> int:
    """A number of a log, whose thousands have commas."""
    return int(text.replace(",", ""))
