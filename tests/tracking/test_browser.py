"""What a user sees: MLflow's pages in a real browser, on a store with one training."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import browser_page, needs_chromium
from image_store import runs_of
from playwright.sync_api import Page
from ports import unused_port

from grave_cli.settings.tree import Settings
from grave_cli.tracking.server import mlflow_pages

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def page(trained: Settings) -> Iterator[Page]:
    """A page of a browser, with addresses relative to the store's."""
    with mlflow_pages(trained, unused_port()) as url, browser_page(url) as page:
        yield page


@pytest.fixture
def address(trained: Settings) -> str:
    """Address of the one run, after `#/experiments/`."""
    (run,) = runs_of(trained)
    return f"{run.info.experiment_id}/runs/{run.info.run_id}"


def test_the_table_shows_the_run_with_its_data_set(page: Page, address: str) -> None:
    page.goto(f"#/experiments/{address.split('/')[0]}/runs")
    page.get_by_role("link", name="tiny").first.wait_for()
    page.get_by_text("dataset_", exact=False).first.wait_for()


def test_the_run_shows_a_picture_for_each_epoch(page: Page, address: str, tmp_path: Path) -> None:
    page.goto(f"#/experiments/{address}/model-metrics")
    title = page.get_by_role("heading", name="predictions/combined")
    title.wait_for()
    card = title.locator("xpath=ancestor::*[.//button][1]")
    card.locator("[data-component-id=fullscreen_button_chartcard]").click()
    dialog = page.get_by_role("dialog")
    slider = dialog.get_by_role("slider")
    for epoch in (1, 2):
        slider.press("ArrowRight")
        picture = dialog.locator(f"img[src*='predictions~combined%2Bstep%2B{epoch}%2B']")
        picture.wait_for()
        page.wait_for_function("one => one.naturalWidth > 100", arg=picture.element_handle())
    page.screenshot(path=tmp_path / "run.png")


def test_the_registry_shows_the_champion(page: Page) -> None:
    page.goto("#/models/graves")
    page.get_by_text("champion").first.wait_for()
