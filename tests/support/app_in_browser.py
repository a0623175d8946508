"""The page of `xanesflow app` in a real browser: its server, its tabs, and what is asked of every view."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium")
LONG = 120_000  # ms that even a busy machine does not need
WIDE, NARROW = {"width": 1400, "height": 1000}, {"width": 390, "height": 844}


def require_chromium() -> None:
    if CHROMIUM is None:
        pytest.skip("no chromium to test the page with (Debian: apt-get install chromium)")


def serve(folder: Path, *options: object, **environment: str) -> tuple[subprocess.Popen, str]:
    """Start the page in a folder with its files; its process, and its address."""
    words = [sys.executable, "-m", "xanesflow", "app", "--no-browser", "--folder", "state", "--cache", "cache"]
    started = subprocess.Popen(
        [*words, *map(str, options)], stdout=subprocess.PIPE, text=True, cwd=folder,
        env={**os.environ, "COLUMNS": "200", **environment},
    )  # fmt: skip
    assert started.stdout is not None
    return started, started.stdout.readline().strip()


def stop(process: subprocess.Popen) -> None:
    process.terminate()
    process.wait(30)


def open_tab(context: Any, address: str, said: list[str] | None = None) -> Any:
    """A tab with the page; what the console says goes into `said`, but for the answer to a refused file."""
    tab = context.new_page()
    tab.set_default_timeout(LONG)
    if said is not None:
        tab.on("console", lambda it: said.append(it.text) if it.type == "error" and "400 (BAD" not in it.text else None)
        tab.on("pageerror", lambda error: said.append(str(error)))
    tab.goto(address)
    tab.wait_for_selector("#structure-files-field", state="attached")
    return tab


def says(tab: Any, selector: str, text: str) -> None:
    """Wait until a part of the page holds a text."""
    tab.wait_for_function(
        "([selector, text]) => document.querySelector(selector)?.innerText.includes(text)", arg=[selector, text]
    )


def assert_good_contrast_and_labels(tab: Any) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    found = axe.Axe().run(tab, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]})
    assert found.response["violations"] == [], found.generate_report()
