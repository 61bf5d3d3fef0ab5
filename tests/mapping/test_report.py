"""The report page of a map, as a user sees it in a browser."""

import math
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import rasterio
import shapely
from browser import TALL, box_of, browser_page, needs_chromium
from playwright.sync_api import Page
from rasterio.transform import from_origin
from some_map import BOTTOM, LEFT, some_map

from grave_cli.delivery.layer import Column
from grave_cli.mapping.report.content import make_report, review_order
from grave_cli.mapping.report.write import report_output, write_report
from grave_cli.mapping.result import Candidates, PredictionResult
from grave_cli.outputs import check_outputs
from grave_cli.pages.paths import bar_m, letters
from grave_cli.review.guarantee import Promise

HOSTILE = "<img src=x onerror=document.title='hacked'>"


@pytest.fixture(scope="module")
def orthophoto(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture that is blue in the west and green in the east."""
    path = tmp_path_factory.mktemp("ortho") / "anna.tif"
    pixels = np.zeros((3, 200, 360), np.uint8)
    pixels[2, :, :180], pixels[1, :, 180:] = 200, 200
    place = {"crs": "EPSG:25832", "transform": from_origin(LEFT, BOTTOM + 10, 0.05, 0.05)}
    how = {"driver": "GTiff", "count": 3, "dtype": "uint8", "height": 200, "width": 360}
    with rasterio.open(path, "w", **how, **place) as dataset:
        dataset.write(pixels)
    return path


@pytest.fixture(scope="module")
def result(orthophoto: Path) -> PredictionResult:
    return some_map(orthophoto, HOSTILE)


@pytest.fixture(scope="module")
def opened(
    orthophoto: Path, result: PredictionResult, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Page]:
    """The page in a browser, where every message and request is a failure."""
    path = tmp_path_factory.mktemp("page") / "anna.html"
    write_report(orthophoto, result, path)
    said: list[str] = []
    with browser_page("") as page:
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: said.append(request.url))
        page.goto(path.as_uri())
        yield page
        assert set(said) == {path.as_uri()}


@pytest.fixture
def page(opened: Page) -> Page:
    opened.reload()
    return opened


def ids(page: Page) -> list[str]:
    cells = page.locator(".graves-table tbody tr:not([hidden]) td:first-child")
    return [text[-11:] for text in cells.all_text_contents()]


def chosen(page: Page) -> list[str]:
    return [text[-11:] for text in page.locator("tr.chosen td:first-child").all_text_contents()]


def test_the_review_queue_is_in_the_order_of_the_ranks(result: PredictionResult) -> None:
    assert review_order(result).tolist() == [5, 4, 6, 7]


def test_the_picture_lies_under_the_outlines(orthophoto: Path, result: PredictionResult) -> None:
    report = make_report(orthophoto, result, "en")
    assert (report.width, report.height) == (1800, 1000)
    assert (report.background.x, report.background.y) == (0, 0)
    # The first grave: 1 m wide from the left edge on, 4 to 6 m above the bottom.
    assert report.graves[0].path == "M100 600l0 -200 -100 0 0 200z"
    crop = report.cards[0].image
    assert crop.width == crop.height == round(100 * 1.7 * 2)
    assert (crop.x + crop.width / 2, crop.y + crop.height / 2) == (1550, 500)
    assert report.area_m2 == 12
    assert (report.fields, report.rows, report.to_review) == (2, 3, 2)
    assert report.areas is not None
    assert sum(report.areas.counts) == 6


def test_the_places_of_the_graves_are_indexed_once(
    orthophoto: Path, result: PredictionResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []
    tree = shapely.STRtree

    def counted(places: object) -> shapely.STRtree:
        made.append(1)
        return tree(places)

    monkeypatch.setattr(shapely, "STRtree", counted)
    assert len(make_report(orthophoto, result, "en").cards) > 1
    assert len(made) == 1


def test_a_map_without_graves_has_a_page(
    orthophoto: Path, result: PredictionResult, tmp_path: Path
) -> None:
    none = np.zeros(0, dtype=object)
    empty = replace(result, polygons=none, raw_polygons=none, attributes=())
    write_report(orthophoto, empty, tmp_path / "page.html")
    assert "No graves were found." in (tmp_path / "page.html").read_text("utf-8")


def test_one_grave_is_no_plural(orthophoto: Path, result: PredictionResult, tmp_path: Path) -> None:
    one = replace(
        result,
        polygons=result.polygons[:1],
        attributes=result.attributes[:1],
        candidates=Candidates(),
        review=SimpleNamespace(promises=(Promise(looked_at=0, unseen=1),)),
    )
    path = tmp_path / "page.html"
    for language, words, promise in (
        (
            "en",
            ["grave", "to review", "candidates", "field", "row"],
            "at most 1 wrong grave unseen",
        ),
        ("de", ["Grab", "zu prüfen", "Kandidaten", "Feld", "Reihe"], "höchstens 1 falsches Grab,"),
    ):
        write_report(orthophoto, one, path, language)
        text = path.read_text("utf-8")
        assert re.findall(r'class="tile">.*?<span>(.*?)</span>', text)[:5] == words
        assert promise in text


def test_a_map_that_continues_a_survey_shows_the_ids_of_the_office(
    orthophoto: Path, result: PredictionResult
) -> None:
    columns = {"GRAB_NR": Column("str"), **result.columns}
    rows = tuple({**row, "GRAB_NR": f"S {i}"} for i, row in enumerate(result.attributes))
    report = make_report(orthophoto, replace(result, columns=columns, attributes=rows), "en")
    assert [grave.name for grave in report.graves] == [f"S {i}" for i in range(6)]
    assert report.graves[0].cells["grave_id"] == "S 0"


def test_real_numbers_of_an_office_are_shown_as_whole_ones(
    orthophoto: Path, result: PredictionResult
) -> None:
    rows = tuple({**row, "number": 12.0, "row": 2.0} for row in result.attributes)
    report = make_report(orthophoto, replace(result, attributes=rows), "en")
    assert {str(report.graves[0].cells[name]) for name in ("number", "row")} == {"12", "2"}


@pytest.mark.parametrize(("size_m", "bar"), [((100, 70), 10), ((10, 500), 100), ((500, 10), 50)])
def test_bar_and_letters_are_seen_on_a_map_of_any_shape(size_m: tuple[int, int], bar: int) -> None:
    width, height = (100 * side for side in size_m)
    per_px = max(width / 1100, height / 740)
    assert bar_m(width, height) == bar
    assert letters(width, height) / per_px == pytest.approx(15, rel=0.05)


def test_german_pages_have_german_words_and_numbers(
    orthophoto: Path, result: PredictionResult, tmp_path: Path
) -> None:
    write_report(orthophoto, result, tmp_path / "page.html", "de")
    text = (tmp_path / "page.html").read_text("utf-8")
    assert '<html lang="de">' in text
    assert "teilweise verdeckt, geringe Sicherheit" in text
    assert '<td data-value="0.97">0,97</td>' in text


def test_an_unchanged_page_is_renewed_and_a_changed_one_kept(
    orthophoto: Path, result: PredictionResult, tmp_path: Path
) -> None:
    path = tmp_path / "page.html"
    write_report(orthophoto, result, path)
    check_outputs([report_output(path, orthophoto)], {}, overwrite=False)
    path.write_text(path.read_text("utf-8").replace("0.97", "0.98"), encoding="utf-8")
    assert report_output(path, orthophoto).why_keep(path)


@needs_chromium
def test_names_are_text(page: Page) -> None:
    assert page.title() == HOSTILE
    assert page.locator("h1").text_content() == HOSTILE
    assert page.locator("img").count() == 0


@needs_chromium
def test_a_click_on_an_outline_chooses_its_row(page: Page) -> None:
    page.locator('.map path[data-grave="2"]').click()
    assert chosen(page) == ["F01-R02-001"]
    detail = page.locator(".detail").text_content() or ""
    assert "Field 1" in detail
    assert "Confidence 0.81" in detail


@needs_chromium
def test_a_click_on_a_row_and_on_a_card_chooses_the_outline(page: Page) -> None:
    page.locator(".graves-table tbody tr").nth(1).click()
    assert page.locator(".map path.chosen").get_attribute("data-grave") == "1"
    page.locator(".card button").first.click()
    assert page.locator(".map path.chosen").get_attribute("data-grave") == "5"
    assert page.locator(".card.chosen").count() == 1


@needs_chromium
def test_keys_go_from_grave_to_grave_and_candidate(page: Page) -> None:
    page.locator(".map").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert chosen(page) == ["F01-R01-002"]
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    assert chosen(page) == ["candidate 2"]  # around the end
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.dataset.grave") == "7"
    page.keyboard.press("Escape")
    assert chosen(page) == []


@needs_chromium
def test_candidates_are_a_layer_of_their_own_and_take_part_in_the_queue(page: Page) -> None:
    assert page.locator(".map .faint path").count() == 2
    card = page.locator(".card").nth(2)
    assert "candidate 1" in card.inner_text()
    assert "too faint to be drawn, a gap in its row" in card.inner_text()
    assert "rank 4" in card.inner_text()
    card.locator("button").click()
    assert page.locator(".map path.chosen").get_attribute("data-grave") == "6"
    page.locator('.keys input[value="faint"]').uncheck()
    assert not page.locator(".map .faint path").first.is_visible()


def test_a_promise_is_told_and_a_hostile_reason_is_text(
    orthophoto: Path, result: PredictionResult, tmp_path: Path
) -> None:
    rows = tuple({**row, "review_reason": HOSTILE} for row in result.attributes)
    review = SimpleNamespace(promises=(Promise(looked_at=2, unseen=3),))
    write_report(orthophoto, replace(result, attributes=rows, review=review), tmp_path / "a.html")
    text = (tmp_path / "a.html").read_text("utf-8")
    assert "a look at the first 2 by rank leaves at most 3 wrong graves unseen" in text
    assert HOSTILE not in text


@needs_chromium
def test_keys_and_wheel_zoom_the_map(page: Page) -> None:
    def width() -> float:
        return float(page.evaluate("document.querySelector('.map').viewBox.baseVal.width"))

    page.locator(".map").focus()
    page.keyboard.press("+")
    assert width() == pytest.approx(1800 * 0.8)
    page.keyboard.press("0")
    assert width() == 1800
    page.locator(".map").hover()
    page.mouse.wheel(0, -100)
    page.wait_for_function("document.querySelector('.map').viewBox.baseVal.width < 1800")


def box(page: Page) -> list[float]:
    """Left, top, width and height of what the map shows."""
    found = page.evaluate("(b => [b.x, b.y, b.width, b.height])(map.viewBox.baseVal)")
    return [float(side) for side in found]


@needs_chromium
def test_the_wheel_turns_by_its_notches_and_stays_near_the_map(page: Page) -> None:
    def turn(across: float, down: float, times: int = 1) -> list[float]:
        page.evaluate(
            """([x, y, times]) => {
                for (let i = 0; i < times; i++)
                    map.dispatchEvent(new WheelEvent('wheel', {deltaX: x, deltaY: y}));
            }""",
            [across, down, times],
        )
        return box(page)

    assert turn(100, 0)[2] == 1800  # a swipe to the side
    assert turn(0, -10)[2] == pytest.approx(1800 * 0.8**0.1, rel=0.01)  # a touchpad
    page.locator(".map").press("0")
    assert turn(0, -100, 200)[2] == pytest.approx(50)
    assert turn(0, 100, 200)[2] == pytest.approx(4 * 1800)


@needs_chromium
def test_a_drag_moves_the_map_and_chooses_no_grave(page: Page) -> None:
    page.locator(".map").scroll_into_view_if_needed()
    page.locator('.map path[data-grave="2"]').hover()
    page.mouse.down()
    middle = box_of(page.locator('.map path[data-grave="2"]'))
    page.mouse.move(middle["x"] + 90, middle["y"] + 40, steps=3)
    page.mouse.up()
    moved = box(page)
    assert moved[0] < -10
    assert chosen(page) == []
    page.mouse.move(middle["x"], middle["y"])
    assert box(page) == moved  # the button is up
    page.evaluate(
        """() => {
            const send = (kind, buttons, x) => map.dispatchEvent(new PointerEvent(
                kind, {pointerId: 1, buttons, clientX: x, clientY: 300}));
            send('pointerdown', 1, 300); send('pointermove', 0, 500); send('pointermove', 0, 700);
        }"""
    )
    assert box(page) == moved  # it was let go outside of the window
    page.locator('.map path[data-grave="2"]').click()
    assert chosen(page) == ["F01-R02-001"]


@needs_chromium
def test_two_fingers_zoom_the_map(page: Page) -> None:
    page.evaluate(
        """() => {
            const send = (kind, pointerId, x) => map.dispatchEvent(new PointerEvent(
                kind, {pointerId, buttons: 1, clientX: x, clientY: 400}));
            send('pointerdown', 1, 400); send('pointerdown', 2, 500); send('pointermove', 2, 600);
        }"""
    )
    assert box(page)[2] == pytest.approx(900)


@needs_chromium
def test_a_grave_of_a_hidden_layer_is_shown_at_its_place(page: Page) -> None:
    page.locator('.keys input[value="sound"]').uncheck()
    assert not page.locator(".map .sound path").first.is_visible()
    page.evaluate("Object.assign(map.viewBox.baseVal, {x: 1500, width: 100})")
    page.locator(".graves-table tbody tr").nth(1).click()  # 3 to 4 m from the left, 4 to 6 m up
    left, top, width, height = box(page)
    assert (left + width / 2, top + height / 2) == (350, 500)


@needs_chromium
def test_columns_sort_as_numbers_and_empty_cells_come_last(page: Page) -> None:
    heading = page.locator("th button", has_text="Confidence")
    heading.click()
    first = ids(page)
    assert (first[0], first[-1]) == ("candidate 1", "F01-R01-001")
    heading.press("Enter")
    assert ids(page)[0] == "F01-R01-001"
    assert page.locator("th[aria-sort=descending]").text_content() == "Confidence"
    page.locator("th button", has_text="Height").click()
    assert set(ids(page)[-3:]) == {"F00-R00-001", "candidate 1", "candidate 2"}  # no height


@needs_chromium
def test_filters_hide_rows_and_fade_outlines(page: Page) -> None:
    page.locator(".search").fill("partly HIDDEN")
    assert ids(page) == ["F00-R00-001"]
    assert page.locator(".shown").text_content() == "1"
    assert page.locator(".map path.out").count() == 7
    page.locator(".search").fill("11")  # the first grave: field 1, row 1
    assert ids(page) == []
    page.locator(".search").fill("")
    page.locator(".only-review").check()
    assert ids(page) == ["F02-R01-001", "F00-R00-001", "candidate 1", "candidate 2"]
    page.locator(".map").focus()
    page.keyboard.press("ArrowRight")
    assert chosen(page) == ["F02-R01-001"]  # keys keep to what is shown


@needs_chromium
def test_the_page_of_a_map_without_graves_has_no_failing_script(
    opened: Page, orthophoto: Path, result: PredictionResult, tmp_path: Path
) -> None:
    none = np.zeros(0, dtype=object)
    parts = {"polygons": none, "raw_polygons": none, "attributes": (), "candidates": Candidates()}
    write_report(orthophoto, replace(result, **parts), tmp_path / "page.html")
    said: list[str] = []
    page = opened.context.new_page()
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto((tmp_path / "page.html").as_uri())
    page.locator(".map").press("ArrowRight")
    page.locator(".map").press("Enter")
    page.locator(".search").fill("x")
    assert page.locator(".shown").text_content() == "0"
    page.close()
    assert said == []


@needs_chromium
def test_a_page_of_paper_holds_all_columns(page: Page) -> None:
    page.set_viewport_size({"width": 718, "height": 1000})
    page.emulate_media(media="print")
    wide = page.evaluate("document.documentElement.scrollWidth")
    page.emulate_media(media="screen")
    page.set_viewport_size({"width": TALL[0], "height": TALL[1]})
    assert wide == 718


@needs_chromium
def test_the_orthophoto_is_drawn_where_it_belongs(page: Page) -> None:
    page.locator(".map").scroll_into_view_if_needed()
    box = page.locator(".map .background").bounding_box()
    assert box is not None
    picture = page.screenshot(
        clip={"x": box["x"], "y": box["y"], "width": box["width"], "height": box["height"] / 5},
        type="png",
    )
    with rasterio.MemoryFile(picture) as file, file.open() as image:
        red, green, blue = (image.read(band).astype(float) for band in (1, 2, 3))
    half = math.floor(blue.shape[1] / 2)
    assert blue[:, 20 : half - 20].mean() > 150 > green[:, 20 : half - 20].mean()
    assert green[:, half + 20 : -20].mean() > 150 > blue[:, half + 20 : -20].mean()
    assert red.mean() < 60
