"""A page of a real browser, for what a user sees."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Page, sync_playwright

CHROMIUM = shutil.which("chromium")
OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE_MS = 120_000  # the pages are some megabytes of scripts

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")


@contextmanager
def browser_page(url: str) -> Iterator[Page]:
    """Open a page of a browser, with addresses relative to a URL, while the block runs."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(OPTIONS))
        # Charts are drawn as they come into view: a tall window shows all of them.
        context = browser.new_context(base_url=url, viewport={"width": 1600, "height": 4000})
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        page.set_default_navigation_timeout(PATIENCE_MS)
        yield page
        browser.close()
