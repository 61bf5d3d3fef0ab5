"""The page: complete, self-contained, and escaped."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import fiona
import numpy as np
import pytest
import shapely
from browser import browser_page, needs_chromium
from deliveries import GRAVES, UTM, write
from shapely import affinity

from grave_cli.errors import ExportError
from grave_cli.evaluation.evaluate import Evaluation, evaluate_files
from grave_cli.evaluation.page.drawn_map import draw_map
from grave_cli.evaluation.page.write import page_output, render_page, write_page
from grave_cli.settings.inputs import DataSettings

VOID = {"meta", "input", "br"}


class Checker(HTMLParser):
    """Checks that each tag is closed; collects tags, text, and addresses to be fetched."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.fetched: list[str] = []
        self.text = ""

    def handle_data(self, data: str) -> None:
        if self.open[-1:] not in (["style"], ["script"]):
            self.text += " ".join(["", *data.split()])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert not [name for name, _ in attrs if name.startswith("on")]
        self.fetched += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def check(page: str) -> Checker:
    checker = Checker()
    checker.feed(page)
    assert checker.open == []
    return checker


@pytest.fixture
def evaluation(tmp_path: Path) -> Evaluation:
    """Eight graves: one missed, two merged, one split, one drawn where none is."""
    halves = [
        GRAVES[3] & shapely.box(0, 0, 500015, 6e6),
        GRAVES[3] & shapely.box(500015, 0, 6e6, 6e6),
    ]
    merged = shapely.union_all([GRAVES[1], GRAVES[2]]).convex_hull
    stray = affinity.translate(GRAVES[4], 0, 5)
    drawn = [(shape, {"NAME": "x"}) for shape in (merged, *halves, *GRAVES[4:], stray)]
    kinds = [(shape, {"NAME": "Doppelgräber <2>"}) for shape in GRAVES]
    return evaluate_files(
        write(tmp_path / "St_Käthe & Söhne.gpkg", drawn),
        write(tmp_path / "truth.gpkg", kinds),
        DataSettings(),
        attribute="NAME",
    )


def test_the_page_needs_nothing_from_elsewhere(evaluation: Evaluation) -> None:
    page = render_page(evaluation)
    assert check(page).fetched == []
    assert not re.search(r"https?://|url\(|@import", page)


def test_names_are_escaped_and_umlauts_kept(evaluation: Evaluation) -> None:
    page = render_page(evaluation)
    assert '<meta charset="utf-8">' in page
    assert "St_Käthe &amp; Söhne" in page
    assert "Doppelgräber &lt;2&gt;" in page
    assert "<2>" not in page


def test_a_page_with_line_breaks_of_windows_is_known_again(tmp_path: Path) -> None:
    kinds = [(shape, {"NAME": "urn\r\nin the wall"}) for shape in GRAVES]
    truth = write(tmp_path / "truth.gpkg", kinds)
    drawn = write(tmp_path / "map.gpkg", GRAVES)
    page = tmp_path / "page.html"
    write_page(evaluate_files(drawn, truth, DataSettings(), attribute="NAME"), page)
    assert page_output(page, drawn, truth).why_keep(page) is None


def test_hostile_names_show_as_text(evaluation: Evaluation) -> None:
    attack = "<img src=x onerror=alert(1)>"
    values = {
        "grave_id": np.full(len(evaluation.prediction.polygons), f"{attack}'\"", dtype=object)
    }
    page = render_page(
        replace(
            evaluation,
            prediction=replace(evaluation.prediction, path=Path(f"{attack}.gpkg"), values=values),
            truth=replace(evaluation.truth, path=Path(f"{attack}.gpkg")),
            attribute=attack,
            by_attribute=(replace(evaluation.by_attribute[0], name=attack),),
            notes=(f"{attack}: 1 outline",),
        )
    )
    found = check(page)
    assert "img" not in found.tags
    assert attack not in page
    for words in (
        f"How good is the map “{attack}”?",
        f"compared with {attack}.gpkg",
        f"By {attack} {attack}",  # the heading and the only row
        f"{attack}'\", found, IoU",
        f"Notes on the input files {attack}: 1 outline",
    ):
        assert words in found.text


@pytest.mark.parametrize("ranked", [False, True])
def test_charts_show_whether_confidence_and_flags_are_worth_it(
    tmp_path: Path, ranked: bool
) -> None:
    truth = write(tmp_path / "t.gpkg", GRAVES)
    stray = affinity.translate(GRAVES[4], 0, 5)
    drawn = tmp_path / "m.gpkg"
    schema = {"geometry": "Polygon", "properties": {"confidence": "float", "flags": "str"}}
    schema["properties"] |= {"review_rank": "int"} if ranked else {}
    with fiona.open(drawn, "w", driver="GPKG", crs=UTM, schema=schema) as file:
        for index, shape in enumerate([*GRAVES, stray]):
            sure = {"confidence": 0.95 - index / 20, "flags": "edge" if shape is stray else ""}
            sure |= {"review_rank": index + 1} if ranked else {}
            file.write({"geometry": shapely.geometry.mapping(shape), "properties": sure})
    page = render_page(evaluate_files(drawn, truth, DataSettings()))
    check(page)
    assert page.count('class="chart"') == 2
    assert len(re.findall(r'<svg[^>]*aria-label="[^"]+"', page)) == page.count("<svg") == 3
    text = check(page).text.replace("\N{NO-BREAK SPACE}", " ")
    assert "1 of 9 polygons needs a correction" in text
    assert ("what the map ranks first" in text) == ranked
    if ranked:
        said = "The dot shows the flagged predictions: 11.1 % of all, 100.0 % of those to correct"
    else:
        said = "the dot: 11.1 % of all predictions, 100.0 % of those to correct"
    assert said in text
    assert "0 of 1 matched" in text


def test_every_grave_is_on_the_map_in_the_layer_of_its_verdict(evaluation: Evaluation) -> None:
    page = render_page(evaluation)
    layers = dict(re.findall(r'<g class="(\w+)".*?>(.*?)</g>', page, flags=re.DOTALL))
    counts = {name: content.count("<path") for name, content in layers.items()}
    assert counts == {"truth": 8, "found": 5, "merged": 1, "split": 2, "wrong": 1, "missed": 1}
    assert "missed: 1 grave" in check(page).text


def test_the_map_is_in_centimetres_with_north_at_the_top(evaluation: Evaluation) -> None:
    drawn = draw_map(evaluation)
    # The graves lie on 3 .. 15 m by 3 .. 7 m, one is drawn 5 m farther north. Turned by 10
    # degrees, half a grave reaches cos 10 + sin 10 / 2 = 1.07 m across and 0.67 m up.
    assert drawn.width == pytest.approx(100 * (12 + 2 * 1.0716 + 4), abs=2)
    assert drawn.height == pytest.approx(100 * (9 + 2 * 0.6661 + 4), abs=2)
    (missed,) = next(layer.graves for layer in drawn.layers if layer.name == "missed")
    first = re.match(r"M(\d+) (\d+)", missed.path)
    assert int(first[2]) > drawn.height / 2, "grave 0 lies in the south"


@pytest.mark.parametrize(("drawn", "known"), [([], GRAVES), (GRAVES, []), ([], [])])
def test_empty_maps_have_a_page_too(tmp_path: Path, drawn: list, known: list) -> None:
    files = write(tmp_path / "m.gpkg", drawn), write(tmp_path / "t.gpkg", known)
    page = render_page(evaluate_files(*files, DataSettings()))
    check(page)
    assert "None" not in page
    assert "nan" not in re.sub(r"<script>.*</script>", "", page, flags=re.DOTALL).lower()


@needs_chromium
def test_keys_move_the_map_and_no_script_fails(evaluation: Evaluation, tmp_path: Path) -> None:
    said: list[str] = []
    write_page(evaluation, tmp_path / "page.html")
    files = write(tmp_path / "m.gpkg", []), write(tmp_path / "t.gpkg", [])
    write_page(evaluate_files(*files, DataSettings()), tmp_path / "empty.html")
    with browser_page("") as page:
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto((tmp_path / "empty.html").as_uri())
        page.goto((tmp_path / "page.html").as_uri())
        home = page.evaluate("map.viewBox.baseVal.width")
        page.locator(".map").press("+")
        page.locator(".map").press("ArrowRight")
        left, width = page.evaluate("[map.viewBox.baseVal.x, map.viewBox.baseVal.width]")
        assert width == pytest.approx(0.8 * home)
        assert left == pytest.approx((0.1 + 0.1) * home)  # half of what is cut off, an eighth of it
        page.locator(".map").press("0")
        assert page.evaluate("map.viewBox.baseVal.x") == 0
    assert said == []


def test_thousands_of_graves_stay_below_some_megabytes(tmp_path: Path) -> None:
    many = [affinity.translate(GRAVES[0], i % 50 * 3, i // 50 * 3) for i in range(2000)]
    path = write(tmp_path / "m.gpkg", many)
    assert len(render_page(evaluate_files(path, path, DataSettings())).encode()) < 0.8e6


def test_the_file_is_written_whole_or_not_at_all(evaluation: Evaluation, tmp_path: Path) -> None:
    path = tmp_path / "new" / "report.html"
    write_page(evaluation, path)
    assert path.read_text(encoding="utf-8") == render_page(evaluation)
    assert [found.name for found in path.parent.iterdir()] == ["report.html"]
    blocked = tmp_path / "truth.gpkg" / "report.html"
    with pytest.raises(ExportError, match=r"report\.html: cannot be written"):
        write_page(evaluation, blocked)
