"""Time the page: how soon it answers, a first spectrum, what switching costs the server, and many sessions at once.

    python benchmarks/bench_app.py [SESSIONS]        50 by default; each computes one spectrum of copper

Prints one table. Seconds depend on what else the machine does; those of the processor do less.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import requests

TOKEN = "only for this measurement"


class Page:
    """The page as a browser sees it, without a browser."""

    def __init__(self, address: str) -> None:
        self.own = "{0.scheme}://{0.netloc}".format(urlsplit(address))
        self.http = requests.Session()
        self.http.get(self.own, params={"token": TOKEN}).raise_for_status()
        self.callbacks = self.http.get(f"{self.own}/_dash-dependencies").json()

    def call(self, changed: str, values: dict[str, Any]) -> dict[str, Any]:
        """Call the callback that an input triggers."""
        found = next(each for each in self.callbacks if any(_name(one) == changed for one in each["inputs"]))
        named = [] if found["no_output"] else _outputs(found["output"])
        outputs = [dict(zip(("id", "property"), one.rsplit(".", 1), strict=True)) for one in named]

        def filled(which: str) -> list[Any]:
            given = []
            for one in found[which]:
                value = values.get(_name(one), [] if one["id"].startswith("{") else None)
                given.append([] if one["id"].startswith("{") else {**one, "value": value})
            return given

        body = {
            "output": found["output"],
            "outputs": outputs if found["no_output"] or found["output"].startswith("..") else outputs[0],
            "inputs": filled("inputs"), "state": filled("state"), "changedPropIds": [changed],
        }  # fmt: skip
        answer = self.http.post(f"{self.own}/_dash-update-component", json=body)
        answer.raise_for_status()
        said = answer.json() if answer.content else {}
        return {**said.get("sideUpdate", {}), **said.get("response", {})}

    def compute(self, structure: dict[str, Any], element: str) -> str:
        """Compute a spectrum by the first method that the page offers; returns the job's id."""
        values = {
            "structure-compute.n_clicks": 1, "structure-element.value": element, "structure-method.value": "FEFF8L",
            "structure.data": structure,
        }  # fmt: skip
        answer = self.call("structure-compute.n_clicks", values)
        refused = answer["structure-refused"]["children"]
        assert not refused, refused
        return str(answer["acted"]["data"])

    def wait(self, seconds: float = 3600) -> list[dict[str, Any]]:
        """The session's jobs, once all are over."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            jobs = self.call("tick.n_intervals", {}).get("jobs", {}).get("data", [])
            if jobs and all(job["ended"] for job in jobs):
                return list(jobs)
            time.sleep(0.3)
        raise TimeoutError


def _name(one: dict[str, str]) -> str:
    return f"{one['id']}.{one['property']}"


def _outputs(text: str) -> list[str]:
    return text.strip(".").split("...") if text.startswith("..") else [text]


def processor_seconds(process: int) -> float:
    """Processor time of a process, without its children."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def below(process: int) -> list[int]:
    """Living processes of a process's session of work: whatever names its folder."""
    found = []
    for each in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(each.read_text(encoding="ascii").rpartition(")")[2].split()[1])
        except OSError:
            continue
        found += [int(each.parent.name)] * (parent == process)
    return found + [one for child in found for one in below(child)]


def handle_rows(page: Page, server: int) -> list[tuple[str, float]]:
    """What moving E0 of a made-up scan of iron costs."""
    energy = np.concatenate([np.arange(6960, 7100, 5.0), np.arange(7100, 7160, 0.5), np.arange(7160, 7700, 3.0)])
    values = 0.4 + 1.3 * (0.5 + np.arctan((energy - 7120) / 0.8) / np.pi)
    text = "# energy mu\n" + "".join(f"{each} {value}\n" for each, value in zip(energy, values, strict=True))
    kept = page.http.post(f"{page.own}/upload/measured", params={"name": "scan.dat"}, data=text).json()
    scans = page.call("measured-files.data", {"measured-files.data": [kept]})["measured"]["data"]
    shown = page.call("measured.data", {"measured.data": scans})
    spent, begin = processor_seconds(server), time.monotonic()
    for number in range(30):
        values_of = {f"{name}.value": each["value"] for name, each in shown.items() if "value" in each}
        asked = {**values_of, "measured-e0.value": 7121 + number / 10, "measured.data": scans}
        scans = page.call("measured-e0.value", asked)["measured"]["data"]
        shown = page.call("measured.data", {"measured.data": scans})
        assert "given" in str(shown["measured-about"]), shown["measured-error"]
    whole = time.monotonic() - begin
    return [
        ("a handle: processor of the server", (processor_seconds(server) - spent) / 30),
        ("a handle: seconds", whole / 30),
    ]


def main() -> None:
    sessions = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    with tempfile.TemporaryDirectory() as folder:
        begin = time.monotonic()
        server = subprocess.Popen(
            [sys.executable, "-m", "xanesflow", "app", "--port", "0", "--no-browser", "--host", "127.0.0.1",
             "--folder", f"{folder}/state", "--cache", f"{folder}/cache", "--at-a-time", "2"],
            stdout=subprocess.PIPE, text=True, env={**os.environ, "XANESFLOW_APP_TOKEN": TOKEN},
        )  # fmt: skip
        try:
            assert server.stdout is not None
            address = server.stdout.readline().strip()
            first = Page(address)
            rows = [("ready: seconds", time.monotonic() - begin), ("ready: processor", processor_seconds(server.pid))]

            begin = time.monotonic()
            cuprite = {
                "given": {"name": "cu2o-cuprite", "disorder": "refuse"},
                "found": {"formula": "Cu2O", "name": "x"},
            }
            first.compute(cuprite, "Cu")
            (job,) = first.wait()
            assert job["state"] == "done", job
            rows.append(("first spectrum of cuprite: seconds", time.monotonic() - begin))

            spent = processor_seconds(server.pid)
            for shown in ["normalised", "background", "cross_section"] * 10:
                values = {"structure-shown.value": shown, "structure-drawn.value": [job["id"]]}
                first.call("structure-shown.value", {**values, "structure-sites.value": ["sites"]})
            rows.append(("a switch: processor", (processor_seconds(server.pid) - spent) / 30))
            spent = processor_seconds(server.pid)
            for _ in range(30):
                first.call("tick.n_intervals", {})
            rows.append(("a look at the queue: processor", (processor_seconds(server.pid) - spent) / 30))

            rows += handle_rows(first, server.pid)

            begin = time.monotonic()
            pages = [Page(address) for _ in range(sessions)]
            for number, page in enumerate(pages):
                poscar = f"Cu\n1.0\n{3.6 + 0.001 * number} 0 0\n0 3.6 0\n0 0 3.6\nCu\n1\nDirect\n0 0 0\n"
                kept = page.http.post(f"{page.own}/upload/structure", params={"name": "Cu.poscar"}, data=poscar).json()
                given = {
                    "given": {"upload": kept["id"], "disorder": "refuse"},
                    "found": {"formula": "Cu", "name": "Cu"},
                }
                page.compute(given, "Cu")
            states = [job["state"] for page in pages for job in page.wait()]
            rows.append((f"{sessions} sessions: spectra done", float(states.count("done"))))
            rows.append((f"{sessions} sessions: seconds", time.monotonic() - begin))
            started = below(server.pid)
        finally:
            server.terminate()
            server.wait(60)
        end = time.monotonic() + 30
        while any(Path(f"/proc/{one}").exists() for one in started) and time.monotonic() < end:
            time.sleep(0.2)
        rows.append(("processes left behind", float(sum(Path(f"/proc/{one}").exists() for one in started))))
    for name, value in rows:
        print(f"{name:40} {value:10.3f}")


if __name__ == "__main__":
    main()
