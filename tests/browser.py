"""A page of a real browser, for what a user sees."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO

import pytest
from PIL import Image
from playwright.sync_api import FloatRect, Locator, Page, sync_playwright

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
# Charts are drawn as they come into view: a tall window shows all of them.
TALL = (1600, 4000)
LAPTOP = (1440, 900)

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")


@contextmanager
def browser_page(url: str, size: tuple[int, int] = TALL) -> Iterator[Page]:
    """Open a page of a browser, with addresses relative to a URL, while the block runs."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(OPTIONS))
        width, height = size
        context = browser.new_context(base_url=url, viewport={"width": width, "height": height})
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        page.set_default_navigation_timeout(PATIENCE_MS)
        yield page
        browser.close()


def box_of(element: Locator) -> FloatRect:
    """Place of an element in the window, in pixels, visible or not."""
    box = element.bounding_box()
    assert box is not None
    return box


def visible_part(element: Locator) -> FloatRect:
    """Part of an element that no edge of a scrolled area and no edge of the window cuts off."""
    left, top, right, bottom = element.evaluate(
        """one => {
            let {left, top, right, bottom} = one.getBoundingClientRect();
            for (let up = one.parentElement; up; up = up.parentElement) {
                if (getComputedStyle(up).overflow === 'visible') continue;
                const edge = up.getBoundingClientRect();
                left = Math.max(left, edge.left); top = Math.max(top, edge.top);
                right = Math.min(right, edge.right); bottom = Math.min(bottom, edge.bottom);
            }
            return [Math.max(left, 0), Math.max(top, 0),
                    Math.min(right, innerWidth), Math.min(bottom, innerHeight)];
        }"""
    )
    return {"x": left, "y": top, "width": max(right - left, 0), "height": max(bottom - top, 0)}


def pixels_of(page: Page, box: FloatRect) -> Image.Image:
    """Pixels of a part of the window, as they are on the screen."""
    return Image.open(BytesIO(page.screenshot(clip=box))).convert("RGB")
