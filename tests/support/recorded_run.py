"""What Snakemake 9.27 and its jobs print with profiles/demo, recorded."""

# Recorded from Snakemake 9.27 with profiles/demo, two subsets of two structures up to `spectra`.
RECORDED = """\
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

Select jobs to execute...
Execute 1 jobs...

[Sat Nov 21 08:18:41 2026]
Job 3: Collecting the structures of Ni_FEFF8L
Select jobs to execute...
08:18:48 Ni_FEFF8L: 2 sites in 2 structures, 2 left out: 2 no_absorber
[Sat Nov 21 08:18:50 2026]
Finished jobid: 3 (Rule: collect_structures)
1 of 7 steps (14%) done
Execute 1 jobs...

[Sat Nov 21 08:18:50 2026]
Job 6: Collecting the structures of Cu_FEFF8L
Select jobs to execute...
08:18:57 Cu_FEFF8L: 2 sites in 2 structures, 2 left out: 2 no_absorber
[Sat Nov 21 08:18:58 2026]
Finished jobid: 6 (Rule: collect_structures)
2 of 7 steps (29%) done
Execute 2 jobs...

[Sat Nov 21 08:18:58 2026]
Job 5: Simulating chunk 0000 of Cu_FEFF8L
[Sat Nov 21 08:18:58 2026]
Job 2: Simulating chunk 0000 of Ni_FEFF8L
08:19:12 Cu_FEFF8L chunk 0: 1/2 cu2o-cuprite_000 8.1 s
08:19:13 Ni_FEFF8L chunk 0: 1/2 ni-fcc_000 9.8 s
08:19:37 Cu_FEFF8L chunk 0: 2/2 cuo-tenorite_000 25.3 s
08:19:39 Cu_FEFF8L chunk 0: 2 sites: 2 computed, 0 kept from before, 0 failed
[Sat Nov 21 08:19:40 2026]
Finished jobid: 5 (Rule: simulate_chunk)
3 of 7 steps (43%) done
Select jobs to execute...
08:19:40 Ni_FEFF8L chunk 0: 2/2 nio-rocksalt_000 27.4 s
08:19:42 Ni_FEFF8L chunk 0: 2 sites: 2 computed, 0 kept from before, 0 failed
[Sat Nov 21 08:19:43 2026]
Finished jobid: 2 (Rule: simulate_chunk)
4 of 7 steps (57%) done
Execute 1 jobs...

[Sat Nov 21 08:19:43 2026]
Job 1: Curating the spectra of Ni_FEFF8L
Select jobs to execute...
08:19:48 Ni_FEFF8L: 2 spectra kept, none left out
[Sat Nov 21 08:19:49 2026]
Finished jobid: 1 (Rule: curate_spectra)
5 of 7 steps (71%) done
Execute 1 jobs...

[Sat Nov 21 08:19:49 2026]
Job 4: Curating the spectra of Cu_FEFF8L
08:19:53 Cu_FEFF8L: 2 spectra kept, none left out
[Sat Nov 21 08:19:54 2026]
Finished jobid: 4 (Rule: curate_spectra)
6 of 7 steps (86%) done
Select jobs to execute...
Execute 1 jobs...

[Sat Nov 21 08:19:54 2026]
localrule spectra:
    input: results/spectra/Ni_FEFF8L.h5, results/spectra/Cu_FEFF8L.h5
    jobid: 0
    resources: tmpdir=/tmp
[Sat Nov 21 08:19:54 2026]
Finished jobid: 0 (Rule: spectra)
7 of 7 steps (100%) done
Complete log(s): /there/a/.snakemake/log/2026-11-21T081840.524709.snakemake.log
"""
BEFORE_THE_FIRST_JOB = RECORDED.partition("[Sat")[0]

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
