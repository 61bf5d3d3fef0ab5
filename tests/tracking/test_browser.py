"""What a user sees: MLflow's pages in a real browser, on a store with one training and one run.

The run has the default settings and plain pictures, whose colours tell the step.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import LAPTOP, box_of, browser_page, needs_chromium, pixels_of, visible_part
from image_store import client_of, copy_store, runs_of
from PIL import Image
from playwright.sync_api import FloatRect, Locator, Page
from ports import unused_port

from grave_cli.settings.load import with_values
from grave_cli.settings.tree import Settings
from grave_cli.tracking.runs import tracked_run
from grave_cli.tracking.server import mlflow_pages

pytestmark = needs_chromium

COLORS = {0: (200, 0, 0), 1: (0, 150, 0), 5: (0, 0, 220)}


@pytest.fixture(scope="module")
def store(trained: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of a store with the training `tiny` and the run `usual`."""
    copied = copy_store(trained, tmp_path_factory.mktemp("seen"))
    with tracked_run(with_values(Settings(), {"work_dir": copied.work_dir}), "usual", {}) as run:
        run.client.log_param(run.run_id, "dataset_id", "12345678")
        for step, color in COLORS.items():
            run.log_image(Image.new("RGB", (900, 1200), color), "predictions/combined", step)
        run.log_metrics({"best_dice": 0.8, "test/object_f1": 0.7, "val/dice": 0.8})
    return copied


@pytest.fixture(scope="module")
def seen(store: Settings) -> Iterator[tuple[Page, str]]:
    """A page of a browser, with addresses relative to the store's, and the address to open."""
    with mlflow_pages(store, unused_port()) as url, browser_page(url, LAPTOP) as page:
        yield page, url


@pytest.fixture
def page(seen: tuple[Page, str]) -> Page:
    return seen[0]


def address(settings: Settings, name: str) -> str:
    """Address of a run, after `#/experiments/`."""
    (run,) = [run for run in runs_of(settings) if run.info.run_name == name]
    return f"{run.info.experiment_id}/runs/{run.info.run_id}"


def card_of(page: Page, key: str) -> Locator:
    title = page.get_by_role("heading", name=key)
    title.wait_for()
    return title.locator("xpath=ancestor::*[.//*[@role='slider']][1]")


def shown_picture(image: Locator) -> tuple[FloatRect, FloatRect]:
    """Place in the window of a picture of 3 x 4 in its square, and the part of it in sight."""
    square, seen = box_of(image), visible_part(image)
    height = 0.44 * square["width"]
    width = height * 3 / 4
    left = square["x"] + (square["width"] - width) / 2
    seen_height = min(height, seen["y"] + seen["height"] - square["y"])
    place = {"x": left, "y": square["y"], "width": width}
    return {**place, "height": height}, {**place, "height": seen_height}


def picture_at(place: Locator, key: str, step: int) -> Locator:
    """The picture of a step, once it is loaded."""
    picture = place.locator(f"img[src*='{key.replace('/', '~')}%2Bstep%2B{step}%2B']")
    picture.wait_for()
    picture.page.wait_for_function("one => one.naturalWidth > 100", arg=picture.element_handle())
    return picture


def test_the_dashboard_opens_the_runs_in_the_view_for_model_training(
    seen: tuple[Page, str], page: Page
) -> None:
    page.goto(seen[1])
    run = page.get_by_role("link", name="tiny").first
    run.wait_for()
    assert visible_part(run) == pytest.approx(box_of(run))
    page.get_by_text("dataset_", exact=False).first.wait_for()
    assert_for_trainings(page)
    run.click()
    page.get_by_text("About this run").wait_for()
    assert_for_trainings(page)
    assert page.get_by_placeholder("Ask a question").count() == 0  # the assistant is closed
    page.goto("#/experiments")
    page.get_by_role("heading", name="Experiments").wait_for()
    assert_for_trainings(page)


def assert_for_trainings(page: Page) -> None:
    page.get_by_role("link", name="Model registry").wait_for()
    for other in ("Sessions", "Judges", "Prompts"):
        assert page.get_by_role("link", name=other, exact=True).count() == 0


def test_the_experiment_is_marked_as_one_of_trainings(store: Settings) -> None:
    found = client_of(store).get_experiment_by_name(store.tracking.experiment)
    assert found.tags["mlflow.experimentKind"] == "custom_model_development"


def test_a_picture_is_seen_at_once_and_the_slider_changes_it(page: Page, store: Settings) -> None:
    page.goto(f"#/experiments/{address(store, 'usual')}/model-metrics")
    card = card_of(page, "predictions/combined")
    for step, color in COLORS.items():
        if step:
            card.get_by_role("slider").press("ArrowRight")
        whole, seen = shown_picture(picture_at(card, "predictions/combined", step))
        assert seen["height"] > 0.9 * whole["height"], "text hides the picture"
        assert is_all(pixels_of(page, seen), color), "not the picture of this step"
    card.locator("[data-component-id=fullscreen_button_chartcard]").click()
    whole, seen = shown_picture(picture_at(page.get_by_role("dialog"), "predictions/combined", 5))
    assert seen == whole
    assert whole["height"] > 400
    assert is_all(pixels_of(page, seen), color)


def is_all(pixels: Image.Image, color: tuple[int, int, int]) -> bool:
    """Whether all pixels but those at the edge have a colour."""
    inner = pixels.crop((3, 3, pixels.width - 3, pixels.height - 3))
    return all(
        low > value - 12 and high < value + 12
        for (low, high), value in zip(inner.getextrema(), color, strict=True)
    )


def test_the_run_shows_a_picture_for_each_epoch(
    page: Page, store: Settings, tmp_path: Path
) -> None:
    page.goto(f"#/experiments/{address(store, 'tiny')}/model-metrics")
    card = card_of(page, "predictions/combined")
    card.locator("[data-component-id=fullscreen_button_chartcard]").click()
    dialog = page.get_by_role("dialog")
    shown = []
    for epoch in (0, 1, 2):
        if epoch:
            dialog.get_by_role("slider").press("ArrowRight")
        picture = picture_at(dialog, "predictions/combined", epoch)
        shown.append(pixels_of(page, visible_part(picture)).tobytes())
    assert len(set(shown)) == 3, "the slider does not change the picture"
    page.screenshot(path=tmp_path / "run.png")


def test_the_registry_shows_the_champion(page: Page) -> None:
    page.goto("#/models/graves")
    page.get_by_text("champion").first.wait_for()
