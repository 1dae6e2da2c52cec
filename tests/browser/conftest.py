"""A real browser."""

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from tests.processes import DEADLINE_S

CHROMIUM = "/usr/bin/chromium"
OPTIONS = ("--no-sandbox", "--disable-background-networking", "--disable-component-update", "--no-first-run")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return missing("Playwright is not installed")
    if shutil.which(CHROMIUM) is None:
        return missing(f"there is no {CHROMIUM}")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=list(OPTIONS))
        yield chromium
        chromium.close()


def missing(what: str) -> None:
    """Skip, or fail where nothing may be skipped."""
    if os.environ.get("GYM_LLM_REQUIRE_ALL") == "1":
        pytest.fail(f"no browser test: {what}")
    pytest.skip(f"NO BROWSER TEST: {what}")


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    opened = browser.new_page()
    opened.set_default_timeout(DEADLINE_S * 1000)
    yield opened
    opened.close()
