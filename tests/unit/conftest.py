"""Fixtures of several files of unit tests."""

import pytest
from app_in_browser import CHROMIUM, require_chromium


@pytest.fixture(scope="module")
def browser():
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (requirements-dev.txt)")
    require_chromium()
    arguments = ["--no-sandbox", "--enable-unsafe-swiftshader"]
    with api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield opened
        opened.close()
