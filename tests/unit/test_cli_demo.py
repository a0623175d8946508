"""`xanesflow demo`: what it makes of Snakemake's lines, and how it ends; Snakemake itself is a fake here."""

import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pandas as pd
import pytest
from command_line import call
from processes import is_alive, until
from recorded_run import BEFORE_THE_FIRST_JOB, FAILED, RECORDED, SENTENCE
from rich.console import Console

import xanesflow
from xanesflow.cli import demo
from xanesflow.cli.run_progress import STAGES, RunProgress

ROOT = Path(xanesflow.__file__).parents[2]


def progress_of(text, **given):
    progress = RunProgress(**given)
    for line in text.splitlines():
        progress.feed(line)
    progress.close()
    return progress


def upto(end):
    """What was recorded, up to some words."""
    assert end in RECORDED
    return RECORDED.partition(end)[0] + end


def counts(progress):
    return {name: (stage.ended, stage.jobs) for name, stage in progress.stages.items() if stage.jobs}


def test_sites_are_counted_not_chunks():
    progress = progress_of(upto("ni-fcc_000 9.8 s"), names={"ni-fcc": "Ni fcc"})
    assert counts(progress)["simulations"] == (0, 2)
    assert (progress.sites_done, progress.sites_total) == (2, 4)
    assert progress.last == "Ni fcc, Ni site 0: 9.8 s"


def test_more_sites_may_come_until_all_structures_are_there():
    progress = progress_of(upto("Job 6: Collecting the structures of Cu_FEFF8L"))
    assert (progress.sites_total, progress.sites_known) == (2, False)
    assert progress.last == "Collecting the structures of Cu_FEFF8L"


def test_stages_are_timed_by_their_first_and_last_job():
    now = [0.0]
    progress = RunProgress(clock=lambda: now[0])
    for line in RECORDED.splitlines():
        if stamp := re.match(r"\[Sat Nov 21 (\d\d):(\d\d):(\d\d)", line):
            hours, minutes, seconds = map(int, stamp.groups())
            now[0] = 3600.0 * hours + 60 * minutes + seconds
        progress.feed(line)
    took = {stage.name: stage.end - stage.begin for stage in progress.stages.values() if stage.done}
    assert took == {"structures": 17, "simulations": 45, "curation": 11}


def test_going_on_with_an_earlier_run():
    given = {"sites": {"Ni_FEFF8L": 9, "Cu_FEFF8L": 9}, "simulated": {("Ni_FEFF8L", 0): 9, ("Cu_FEFF8L", 0): 9}}
    progress = progress_of("Job stats:\njob  count\n----  ---\nsimulate_chunk  1\ntotal  1\n", **given)
    assert (progress.sites_done, progress.sites_total, progress.sites_known) == (18, 18, True)
    progress.feed("Job 5: Simulating chunk 0000 of Cu_FEFF8L")
    assert progress.sites_done == 9
    progress.feed("08:19:12 Cu_FEFF8L chunk 0: 5/9 cu2o-cuprite_000 8.1 s")
    assert (progress.sites_done, progress.sites_total) == (14, 18)


def test_a_site_without_a_spectrum_is_told_and_fails_nothing():
    line = "08:19:12 Cu_FEFF8L chunk 0: 1/2 cu2o-cuprite_003 failed (timed_out): it did not end within 300 s"
    progress = progress_of(upto("Simulating chunk 0000 of Ni_FEFF8L") + "\n" + line)
    assert progress.site_failures == ["cu2o-cuprite, Cu site 3: no spectrum: it did not end within 300 s"]
    assert progress.sites_done == 1
    assert not progress.failures


OF_ITS_LOG = "This is a fault of xanesflow.\nTraceback …\nValueError: too thin"
KILLED = FAILED.replace("returned non-zero exit status 1.", "died with <Signals.SIGKILL: 9>.").replace("ERROR: ", "")
COLLECTING = "Collecting the structures of Ni_FEFF8L: failed: "
FAILURES = {
    "a sentence": (BEFORE_THE_FIRST_JOB + FAILED, SENTENCE),
    "no sentence": (BEFORE_THE_FIRST_JOB + FAILED.replace(f"ERROR: {SENTENCE}", OF_ITS_LOG),
                    COLLECTING + "ValueError: too thin"),
    "killed": (BEFORE_THE_FIRST_JOB + KILLED, COLLECTING + "it was killed by SIGKILL"),
    "in use": ('WorkflowError in file "/somewhere/xanesflow/rules/common.smk", line 123:\n'
               "/demo/results is in use by another process; wait for that run to end.\n"
               '  File "/somewhere/xanesflow/Snakefile", line 39, in __onstart\n',
               "/demo/results is in use by another process; wait for that run to end."),
    "an input is missing": (
        'MissingInputException in rule curate_spectra in file "/somewhere/xanesflow/rules/spectra.smk", line 10:\n'
        "Missing input files for rule curate_spectra:\n    affected files:\n        a.zip\n",
        "Missing input files for rule curate_spectra: affected files: a.zip"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "sentence"), FAILURES.values(), ids=FAILURES)
def test_what_fails_is_told_once_in_a_sentence(text, sentence):
    progress = progress_of(text)
    assert progress.failures == [sentence]
    assert progress.stages["structures"].failed == text.startswith(BEFORE_THE_FIRST_JOB)
    assert not progress.stages["simulations"].failed


def test_every_rule_of_the_demo_has_its_stage():
    found = {}
    for path in (ROOT / "rules").glob("*.smk"):
        text = re.sub(r"\{[^}]*\}", "x", path.read_text())
        for rule, body in re.findall(r"^ *rule (\w+):\n(.*?)(?=^ *rule|\Z)", text, re.MULTILINE | re.DOTALL):
            if message := re.search(r'message:\s+"(.*)"', body):
                found[rule] = message[1]
    known = {rule: begin for rules in STAGES.values() for rule, begin in rules.items()}
    # The demo has structures and an engine of its own, one model, and asks for no more than the report.
    elsewhere = {"query_materials_project", "read_minerals", "write_inputs", "import_features", "search_settings"}
    elsewhere |= {"package_dataset", "draw_disordered", "train_interpreter", "train_rank_aae"}
    elsewhere |= {"evaluate_interpretation", "draw_interpretation", "match_spectra"}
    of_several_theories = {
        "copy_site_table",
        "collect_cheap_runs",
        "train_delta",
        "leave_out_elements",
        "draw_theories",
    }
    for rule in elsewhere | of_several_theories | {"draw_comparison", "predict_simple_models", "predict_structures"}:
        del found[rule]
    assert known.keys() == found.keys()
    for rule, message in found.items():
        assert [each for each, begin in known.items() if re.match(begin, message)] == [rule]


def test_the_live_display():
    names = {"cu2o-cuprite": "Cu2O cuprite"}
    progress = progress_of(upto("cu2o-cuprite_000 8.1 s"), names=names, clock=lambda: 65.0)
    progress.failures.append("Something [bold] failed.")
    console = Console(width=80, record=True, force_terminal=True, file=open(os.devnull, "w"))  # noqa: SIM115, PTH123
    display = demo.LiveDisplay(progress, console)
    display.update()
    display.update()
    console.print(display)
    lines = [line.rstrip() for line in console.export_text().splitlines()]
    assert lines[0] == "✗ Something [bold] failed."
    assert [line.split()[:2] for line in lines[1:3]] == [["✓", "structures"], ["▸", "simulations"]]
    assert lines[2].endswith("1 of 4 sites 0:00")
    assert [line.split()[0] for line in lines[3:5]] == ["curation", "✓"] and "done before" in lines[4]
    assert lines[-2:] == ["Cu2O cuprite, Cu site 0: 8.1 s", "0:00 in total"]
    assert len(lines) == 1 + len(STAGES) + 2


def test_plain_lines():
    now = [0.0]
    progress = RunProgress(clock=lambda: now[0])
    console = Console(width=200, record=True, file=open(os.devnull, "w"))  # noqa: SIM115, PTH123
    shown = demo.PlainLines(progress, console)
    for line in RECORDED.splitlines():
        progress.feed(line)
        now[0] += 2
        shown.update()
    lines = console.export_text().splitlines()
    assert re.fullmatch(r" \d:\d\d  structures done: 2 of 2, took \d:\d\d", lines[0])
    assert any(re.fullmatch(r" \d:\d\d  simulations \d of 4 sites", line) for line in lines[1:-2])
    assert re.fullmatch(r" \d:\d\d  simulations done: 4 of 4 sites, took \d:\d\d", lines[-2])
    assert " curation done: 2 of 2" in lines[-1]


FAKE = """\
import os, signal, subprocess, sys, time
from pathlib import Path
folder = Path(sys.argv[sys.argv.index("--directory") + 1])
(folder / "arguments").write_text(" ".join(sys.argv))
def say(text):
    sys.stderr.write(text + "\\n"); sys.stderr.flush()
"""


@pytest.fixture
def start(tmp_path):
    """Start the command with a Snakemake that is a few lines of Python."""
    started = []

    def _start(fake, *arguments):
        (tmp_path / "fake").mkdir()
        (tmp_path / "fake/snakemake.py").write_text(FAKE + textwrap.dedent(fake), encoding="utf-8")
        command = [sys.executable, "-m", "xanesflow", "demo", *arguments]
        where = os.pathsep.join([str(tmp_path / "fake"), str(ROOT / "workflow_scripts")])
        environment = {**os.environ, "PYTHONPATH": where, "FORCE_COLOR": "1"}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "encoding": "utf-8"}
        started.append(subprocess.Popen(command, cwd=tmp_path, env=environment, **pipes))
        return started[-1]

    yield _start
    for process in started:
        process.kill()
        process.communicate()


def write_results(folder):
    """What is read of the campaign's eight subsets: nine sites each, all simulated, two of all left out."""
    for name in ("structures", "spectra"):
        (folder / "results" / name).mkdir(parents=True)
    for element in ("Ti", "V", "Cr", "Mn", "Fe", "Co", "Ni", "Cu"):
        sites = pd.DataFrame({"chunk": [0] * 9})
        sites.to_parquet(folder / f"results/structures/{element}_FEFF8L_sites.parquet")
        rows = {
            "Ti": "ti-hcp,0,timed_out,it did not end\n",
            "Cu": "x,-1,disordered,of no matter\ncu-fcc,0,not_converged,it did not\n",
        }
        text = "material_id,site_index,reason,detail\n" + rows.get(element, "")
        (folder / f"results/spectra/{element}_FEFF8L_rejected.csv").write_text(text)
        zip_file = folder / f"results/simulations/{element}_FEFF8L/0000.zip"
        zip_file.parent.mkdir(parents=True)
        zip_file.touch()


END = """\
72 sites were simulated: 70 spectra kept, 2 left out (1 timed_out, 1 not_converged).
Total time: 0:00.
Dataset: out/results/dataset/demo.h5
Metrics: out/results/evaluation/metrics.csv
Report:  out/results/report/report.html
So small a set says nothing about a model; it shows that the whole workflow works.
"""


def without_times(text):
    return re.sub(r"\d+:\d\d", "0:00", text)


def test_a_run_that_is_not_shown_on_a_terminal(start, tmp_path):
    write_results(tmp_path / "out")
    process = start(f"say({RECORDED!r})", "--directory", "out", "--cores", "3")
    out, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (0, "")
    assert without_times(out) == (
        "This runs the whole workflow on well-known structures. "
        "Everything goes into out, all messages into out/demo.log.\n"
        " 0:00  structures done: 2 of 2, took 0:00\n"
        " 0:00  simulations done: 58 of 58 sites, took 0:00\n"
        " 0:00  curation done: 2 of 2, took 0:00\n" + END
    )  # six subsets of nine sites were there before, of two the recorded run simulates two each
    header, _, log = (tmp_path / "out/demo.log").read_text(encoding="utf-8").partition("\n")
    assert header.startswith("=== ")
    assert log == RECORDED + "\n"
    arguments = (tmp_path / "out/arguments").read_text()
    assert f"--snakefile {ROOT}/Snakefile --configfile {ROOT}/campaigns/demo.yaml" in arguments
    assert f"--directory {tmp_path}/out --cores 3" in arguments


def test_a_run_that_finds_nothing_to_do(start, tmp_path):
    write_results(tmp_path / "out")
    process = start("say('Nothing to be done (all requested files are present and up to date).')", "-d", "out")
    out, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (0, "")
    assert without_times(out).endswith("There was nothing to do: an earlier run has made everything.\n" + END)


def test_a_run_that_fails(start, tmp_path):
    process = start(f"say({BEFORE_THE_FIRST_JOB + FAILED!r}); sys.exit(1)")
    out, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert f"FAILED {SENTENCE}\n" in out and "\x1b" not in out
    assert without_times(err) == (
        f"{SENTENCE}\nThe demo failed after 0:00; all messages are in demo/demo.log. "
        "Nothing is lost: the same command continues where it was.\n"
    )
    assert (tmp_path / "demo/demo.log").read_text(encoding="utf-8").endswith(FAILED + "\n")


def test_a_snakemake_that_fails_without_a_sentence(start):
    process = start("say('one\\n\\ntwo'); sys.exit(7)")
    _, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert re.search(r"Snakemake ended with exit code 7: .*one \| two", err)


STUBBORN = """
signal.signal(signal.SIGINT, lambda *_: None) if {deaf} else None
# As an engine's program: in a session of its own, not reached by the group's signals.
stray = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"], start_new_session=True)
(folder / "stray").write_text(f"{{stray.pid}} ")
try:
    while True:
        time.sleep(0.1)
except KeyboardInterrupt:
    say("09:00:00 ERROR: This is not to be shown.")
    sys.exit(1)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere sessions of their own cannot be found")
@pytest.mark.parametrize(
    ("signals", "deaf"),
    [([signal.SIGINT], False), ([signal.SIGTERM], False), ([signal.SIGINT, signal.SIGINT], True)],
)
def test_stopping_leaves_nothing_at_work(start, tmp_path, signals, deaf):
    process = start(STUBBORN.format(deaf=deaf))
    stray = tmp_path / "demo/stray"
    until(lambda: process.poll() is None and stray.is_file() and stray.read_text().endswith(" "), "its program")
    for number in signals:
        process.send_signal(number)
        time.sleep(0.5)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert err == "stopped; the same command continues where it was\n"
    assert "FAILED" not in out
    assert not is_alive(int(stray.read_text()))


def test_what_an_earlier_run_left_is_counted(tmp_path):
    write_results(tmp_path)
    (tmp_path / "results/simulations/Ti_FEFF8L/0000.zip").unlink()
    (tmp_path / "results/structures/Ni_FEFF8L_sites.parquet").write_text("broken")
    progress = RunProgress()
    demo.count_finished(progress, tmp_path / "results", ["Cu_FEFF8L", "Ni_FEFF8L", "Ti_FEFF8L", "Os_FEFF8L"])
    assert (progress.sites_done, progress.sites_total) == (9, 18)


def test_a_package_without_the_source_tree(monkeypatch, tmp_path):
    monkeypatch.setattr(xanesflow, "__file__", str(tmp_path / "lib/site-packages/xanesflow/__init__.py"))
    code, _, err = call("demo", "--directory", tmp_path / "out")
    assert code == 1 and err.count("\n") == 1
    assert "needs the workflow's source tree" in err and "clone the repository" in err
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_none_or_in_use(tmp_path):
    (tmp_path / "file").touch()
    code, _, err = call("demo", "--directory", tmp_path / "file")
    assert code == 2 and "is not a folder" in err
    with demo.hold_directory(tmp_path / "used"):
        code, _, err = call("demo", "--directory", tmp_path / "used")
    assert code == 1 and f"in use by process {os.getpid()}" in err


def test_examples_have_names_for_people():
    names = demo._example_names()
    assert names["fe2o3-hematite"] == "Fe2O3 hematite"
    assert names["cr2sio4"] == "Cr2SiO4"
