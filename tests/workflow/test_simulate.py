"""The embedded engine in the workflow: what is finished stays so, when material is added and when jobs are killed."""

import re
import time
import zipfile
from base64 import b64decode

import pandas as pd
from test_kill_moments import kill_at, logged
from workflow import run, write_run_config

from xanesflow.codes.feff8l.programs import folder_of_programs
from xanesflow.codes.run_zip import read_chunk
from xanesflow.simulations.state.request_retries import request_retries
from xanesflow.spectra.store import read_spectra
from xanesflow.structures.examples import load_examples

SPECTRA = "results/spectra/Ni_FEFF8L.h5"
QUICK = {"scf_radius": 2.6, "scf_iterations": 1, "fms_radius": 3.0, "single_radius": 3.0, "l_max": 2}
LONE_NICKEL = "alone\n1.0\n15 0 0\n0 15 0\n0 0 15\nNi\n1\nDirect\n0 0 0\n"


def example(number):
    """One of the smallest examples with nickel."""
    known = [each for each in load_examples() if "Ni" in {site.specie.symbol for site in each.structure()}]
    return sorted(known, key=lambda each: (len(each.structure()), each.id))[number]


def add(directory, number):
    """Add an example to the user's folder; its id."""
    each = example(number)
    (directory / "mine").mkdir(parents=True, exist_ok=True)
    each.structure().to(str(directory / f"mine/{each.id}.cif"), fmt="cif")
    return each.id


def configure(directory, **simulations):
    envelope = {"envelope": {"FEFF8L": None}}
    write_run_config(directory, "Ni_FEFF8L", simulations={"feff8l": QUICK, **simulations}, curation=envelope)


def computed(printed):
    """How many sites were computed, kept and failed."""
    (counts,) = re.findall(r"chunk 0: \d+ sites: (\d+) computed, (\d+) kept from before, (\d+) failed", printed)
    return tuple(map(int, counts))


def started(directory):
    """Material -> when its run was started."""
    runs = read_chunk(directory / "results/simulations/Ni_FEFF8L/0000.zip", "FEFF8L")
    return {run.material_id: run.record["started"] for run in runs}


def whole_name(path):
    """A file's name; of those that Snakemake makes for a file that file's."""
    return b64decode(path.name).decode() if "metadata" in path.parts else path.name


def test_from_a_folder_of_structures_to_spectra(tmp_path):
    assert folder_of_programs().is_dir()
    names = [add(tmp_path, 0), add(tmp_path, 1)]
    (tmp_path / "mine/alone.vasp").write_text(LONE_NICKEL)
    (tmp_path / "mine/titanium.vasp").write_text(LONE_NICKEL.replace("Ni", "Ti"))
    configure(tmp_path)
    assert computed(run(tmp_path, SPECTRA)) == (2, 0, 1)
    curated = read_spectra(tmp_path / SPECTRA)
    assert sorted(curated.material_id) == sorted(names)
    assert [(r.material_id, r.reason) for r in curated.rejected] == [("alone", "isolated_atom")]
    assert (curated.spectra > 0).all() and 1e-5 < curated.spectra.max() < 1e-2
    first = started(tmp_path)
    assert "Nothing to be done" in run(tmp_path, SPECTRA)

    names.append(add(tmp_path, 2))
    printed = run(tmp_path, SPECTRA)
    assert computed(printed) == (1, 2, 1)
    assert sorted(read_spectra(tmp_path / SPECTRA).material_id) == sorted(names)
    again = started(tmp_path)
    assert first.items() <= again.items() and len(again) == 4
    table = pd.read_csv(tmp_path / "results/spectra/Ni_FEFF8L_rejected.csv")
    assert table["reason"].tolist() == ["isolated_atom"]  # titanium is none of nickel's
    failed = pd.read_csv(tmp_path / "results/simulations/Ni_FEFF8L/failed.csv")
    assert failed["site"].tolist() == ["alone_000"] and failed["reason"].tolist() == ["isolated_atom"]

    assert [each.site for each in request_retries(tmp_path)] == [("alone", 0)]
    before = started(tmp_path)
    time.sleep(1.1)  # run.json counts seconds
    run(tmp_path, SPECTRA)
    after = started(tmp_path)
    assert [material for material in after if after[material] != before[material]] == ["alone"]
    assert "Nothing to be done" in run(tmp_path, SPECTRA)
    # The chunk's zip under two names, log, lock, benchmark, progress, order, and what Snakemake notes of the zip.
    assert len([path for path in tmp_path.rglob("*") if path.is_file() and "0000" in whole_name(path)]) <= 10

    (tmp_path / "list.csv").write_text("material_id,site_index\nalone,0\n")
    configure(tmp_path, sites={"Ni_FEFF8L": "list.csv"})
    printed = run(tmp_path, "dataset", good=False)
    assert "Even if every simulation succeeds" in printed and "Traceback" not in printed


def test_a_chunk_that_is_killed_goes_on_where_it_was(tmp_path):
    for number in range(3):
        add(tmp_path, number)
    configure(tmp_path)
    log = tmp_path / "results/logs/simulate_chunk/Ni_FEFF8L_0000.log"
    output = tmp_path / "results/simulations/Ni_FEFF8L/0000.zip"
    kill_at(tmp_path, lambda: logged(log, "chunk 0: 1/3"), output, SPECTRA, "--cores", "1")
    kept = sorted(path.stem for path in (output.parent / "kept/0000").glob("[!.]*.zip"))
    assert kept
    done, before, failed = computed(run(tmp_path, SPECTRA))
    assert (done + before, before, failed) == (3, len(kept), 0)
    with zipfile.ZipFile(output) as packed:
        assert packed.testzip() is None
