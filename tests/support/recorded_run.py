"""What Snakemake 9.27 and its jobs print with profiles/demo, recorded."""


def job(at: str, number: int, what: str) -> str:
    return f"[Sat Nov 21 {at} 2026]\nJob {number}: {what}\n"


def ended(at: str, number: int, rule: str, steps: int) -> str:
    done = f"Finished jobid: {number} (Rule: {rule})\n{steps} of 7 steps ({steps / 7:.0%}) done\n"
    return f"[Sat Nov 21 {at} 2026]\n{done}"


SELECT, ONE_MORE = "Select jobs to execute...\n", "Execute 1 jobs...\n\n"
BEFORE_THE_FIRST_JOB = f"""\
Using profiles profiles/demo and workflow specific profile profiles/default for setting default command line arguments.
Building DAG of jobs...
Provided cores: 2
Rules claiming more threads will be scaled down.
Job stats:
job                   count
------------------  -------
collect_structures        2
simulate_chunk            2
curate_spectra            2
spectra                   1
total                     7

{SELECT}{ONE_MORE}"""

# Recorded from Snakemake 9.27 with profiles/demo, two subsets of two structures up to `spectra`.
RECORDED = "".join([
    BEFORE_THE_FIRST_JOB,
    job("08:18:41", 3, "Collecting the structures of Ni_FEFF8L"), SELECT,
    "08:18:48 Ni_FEFF8L: 2 sites in 2 structures, 2 left out: 2 no_absorber\n",
    ended("08:18:50", 3, "collect_structures", 1), ONE_MORE,
    job("08:18:50", 6, "Collecting the structures of Cu_FEFF8L"), SELECT,
    "08:18:57 Cu_FEFF8L: 2 sites in 2 structures, 2 left out: 2 no_absorber\n",
    ended("08:18:58", 6, "collect_structures", 2), "Execute 2 jobs...\n\n",
    job("08:18:58", 5, "Simulating chunk 0000 of Cu_FEFF8L"), job("08:18:58", 2, "Simulating chunk 0000 of Ni_FEFF8L"),
    "08:19:12 Cu_FEFF8L chunk 0: 1/2 cu2o-cuprite_000 8.1 s\n",
    "08:19:13 Ni_FEFF8L chunk 0: 1/2 ni-fcc_000 9.8 s\n",
    "08:19:37 Cu_FEFF8L chunk 0: 2/2 cuo-tenorite_000 25.3 s\n",
    "08:19:39 Cu_FEFF8L chunk 0: 2 sites: 2 computed, 0 kept from before, 0 failed\n",
    ended("08:19:40", 5, "simulate_chunk", 3), SELECT,
    "08:19:40 Ni_FEFF8L chunk 0: 2/2 nio-rocksalt_000 27.4 s\n",
    "08:19:42 Ni_FEFF8L chunk 0: 2 sites: 2 computed, 0 kept from before, 0 failed\n",
    ended("08:19:43", 2, "simulate_chunk", 4), ONE_MORE,
    job("08:19:43", 1, "Curating the spectra of Ni_FEFF8L"), SELECT,
    "08:19:48 Ni_FEFF8L: 2 spectra kept, none left out\n", ended("08:19:49", 1, "curate_spectra", 5), ONE_MORE,
    job("08:19:49", 4, "Curating the spectra of Cu_FEFF8L"),
    "08:19:53 Cu_FEFF8L: 2 spectra kept, none left out\n", ended("08:19:54", 4, "curate_spectra", 6), SELECT, ONE_MORE,
    "[Sat Nov 21 08:19:54 2026]\nlocalrule spectra:\n"
    "    input: results/spectra/Ni_FEFF8L.h5, results/spectra/Cu_FEFF8L.h5\n"
    "    jobid: 0\n    resources: tmpdir=/tmp\n",
    ended("08:19:54", 0, "spectra", 7),
    "Complete log(s): /there/a/.snakemake/log/2026-11-21T081840.524709.snakemake.log\n",
])  # fmt: skip

# The same with an id that does not exist.
SENTENCE = (
    "structures.only names bogus, which is not among the 129 structures that were read; correct the id, or remove it."
)
FAILED = f"""\
[Sat Nov 21 08:22:38 2026]
Job 3: Collecting the structures of Ni_FEFF8L
08:22:44 ERROR: {SENTENCE}
RuleException:
CalledProcessError in file "/somewhere/xanesflow/rules/structures.smk", line 42:
Command 'set -euo pipefail;  python /there/tmpk9xmwnau.collect_structures.py' returned non-zero exit status 1.
[Sat Nov 21 08:22:46 2026]
Error in rule collect_structures:
    message: None
    jobid: 3
    output: results/structures/Ni_FEFF8L.parquet, results/structures/Ni_FEFF8L_sites.parquet
    log: results/logs/collect_structures/Ni_FEFF8L.log (check log file(s) for error details)
Logfile results/logs/collect_structures/Ni_FEFF8L.log:
================================================================================
08:22:44 ERROR: {SENTENCE}
================================================================================
Exiting because a job execution failed. Look above for error messages
Complete log(s): /there/fail/.snakemake/log/2026-11-21T082237.927386.snakemake.log
WorkflowError:
At least one job did not complete successfully.
"""
