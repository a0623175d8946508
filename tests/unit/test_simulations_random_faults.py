"""Faults drawn at random lose nothing: 200 sites end with the results of a run without any.

XANESFLOW_FAULT_SEED repeats what a failed run of this test has printed.
"""

import multiprocessing
import os
import random
from collections import Counter

from faulty_campaign import CHUNKS, SUBSET, WORKERS, campaign, compute, write_tables

from xanesflow.codes.run_zip import read_chunk
from xanesflow.simulations.state.campaign_status import campaign_status
from xanesflow.simulations.state.request_retries import request_retries

PASSING, LASTING = {"kill": 12, "memory": 8, "hang": 4}, 8
KILLS, DAMAGES = 14, 12
PROCESSES = multiprocessing.get_context("forkserver")


class Faults:
    """Draws faults, inflicts them and counts them.

    Attributes:
        folder: working directory of the campaign.
        counts: how many of each kind have happened.
        lost: finished runs that were in files when these were damaged.
    """

    def __init__(self, folder, chance):
        self.folder, self.chance = folder, chance
        self.counts, self.lost = Counter(), 0

    def attempt(self, chunk, *, kill):
        """Begin a chunk as Snakemake does, and kill its process at some moment; whether it came to its end."""
        campaign(self.folder).output(chunk).unlink(missing_ok=True)
        process = PROCESSES.Process(target=compute, args=(self.folder, chunk))
        process.start()
        process.join(self.chance.uniform(0.1, 1.0) if kill else 300)
        if process.exitcode is None:
            process.kill()
            process.join()
            self.counts["killed chunk"] += 1
        return process.exitcode == 0

    def damage(self, chunk):
        """Cut or overwrite one of the files that a chunk keeps."""
        folder = campaign(self.folder).output(chunk).parent
        files = [*folder.glob(f"kept/{chunk:04d}/[!.]*.zip"), *folder.glob(f"progress/{chunk:04d}.json")]
        if packed := [path for path in folder.glob(f"kept/{chunk:04d}.zip") if not self.counts["damaged chunk"]]:
            files = packed  # once, as it costs a chunk
            self.counts["damaged chunk"] += 1
        if not files:
            return
        path = self.chance.choice(sorted(files))
        content = path.read_bytes()
        if path.suffix == ".zip":
            self.lost += content.count(b"run.json") // 2  # each name stands before the file and in the directory
        if self.chance.random() < 0.5:
            path.write_bytes(content[: self.chance.randrange(len(content))])
        else:
            at = self.chance.randrange(len(content))
            path.write_bytes(content[:at] + bytes(64) + content[at + 64 :])
        self.counts["damaged"] += 1


def results(folder):
    """All that a run brings but time, place and process: its files, outcome and reason."""
    found = {}
    for chunk in range(CHUNKS):
        for run in read_chunk(campaign(folder).output(chunk), "FEFF8L"):
            record = {key: run.record.get(key) for key in ("outcome", "reason", "detail", "input_sha256", "exit_code")}
            found[run.material_id, run.site_index] = (dict(run.files), record)
    return found


def test_random_faults_lose_nothing(tmp_path):
    seed = int(os.environ.get("XANESFLOW_FAULT_SEED", random.SystemRandom().randrange(10**6)))
    print(f"XANESFLOW_FAULT_SEED={seed}")  # noqa: T201
    chance = random.Random(seed)
    # With all that a chunk imports, as otherwise most processes would be killed while they are importing.
    PROCESSES.set_forkserver_preload(["faulty_campaign", "pandas", "pyarrow.parquet", "pymatgen.io.vasp"])
    calm, stormy = tmp_path / "calm", tmp_path / "stormy"
    sites = write_tables(calm)
    assert write_tables(stormy) == sites and len(sites) == 200
    drawn = chance.sample(sites, LASTING + sum(PASSING.values()))
    for folder in (calm, stormy):
        for *_, name in drawn[:LASTING]:
            (folder / "bad" / name).touch()
    told = [kind for kind, number in PASSING.items() for _ in range(number)]
    for (*_, name), kind in zip(drawn[LASTING:], told, strict=True):
        (stormy / "faults" / name).write_text(kind)

    faults = Faults(stormy, chance)
    todo, kills = set(range(CHUNKS)), KILLS
    while todo or faults.counts["damaged"] < DAMAGES:
        chunk = chance.choice(sorted(todo) or range(CHUNKS))
        ended = faults.attempt(chunk, kill=kills > 0 and chance.random() < 0.9)
        kills = KILLS - faults.counts["killed chunk"]
        todo = todo - {chunk} if ended else todo | {chunk}
        if faults.counts["damaged"] < DAMAGES:
            faults.damage(chunk)
            todo |= {chunk}
    for _ in range(10):
        if not (marked := request_retries(stormy, reasons=["killed", "timed_out"])):
            break
        for chunk in {each.chunk for each in marked}:
            assert faults.attempt(chunk, kill=False)
    del faults.counts["damaged chunk"]  # it is among the damaged
    faults.counts["sites"] = len(told) - len(list((stormy / "faults").iterdir()))
    faults.counts["bad sites"] = LASTING
    print(dict(faults.counts), "lost", faults.lost)  # noqa: T201
    assert faults.counts.total() >= 50 and faults.counts["sites"] == len(told)

    for chunk in range(CHUNKS):
        compute(calm, chunk, 60.0)
    undisturbed = results(calm)
    assert results(stormy) == undisturbed
    assert sorted(undisturbed) == sorted((material, index) for material, index, _ in sites)
    assert Counter(record["outcome"] for _, record in undisturbed.values()) == {"finished": 192, "failed": LASTING}
    (status,) = campaign_status(stormy).subsets
    assert (status.subset, status.done, status.n_failed, status.running) == (SUBSET, 192, LASTING, 0)
    assert not list((stormy / "scratch").iterdir())
    starts = len(list((stormy / "marks").iterdir()))
    assert starts <= 200 + len(told) + WORKERS * KILLS + faults.lost, "a finished site was computed again"
