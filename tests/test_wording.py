"""Numbers have the right noun, everywhere."""

import math
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from grave_cli.wording import counted, duration, is_or_are, quoted, rounded

PACKAGE = Path(__file__).resolve().parents[1] / "grave_cli"

NOUNS = (
    "bands|bytes|cemeteries|columns|epochs|errors|features|fields|files|folds|graves|layers|merges|"
    "models|notes|numbers|orthophotos|outlines|parts|pieces|places|points|polygons|predictions|"
    "processes|rasters|rectangles|rows|runs|sections|splits|steps|tiles|trials|values|warnings|"
    "weights|workers"
)
BARE = re.compile(rf"\}}(?:\s*\}})? (?:[a-z]+ed )?(?:{NOUNS})\b(?!')")

# Numbers that are never 1.
ALWAYS_SEVERAL = (
    "{len(fitting)} layers: ",  # an ambiguous choice
    "{len(failures)} trials failed in a row",
)


def bare_plurals(text: str) -> Iterator[str]:
    """Find numbers whose noun has no singular, such as `f"{count} graves"`."""
    for line in text.splitlines():
        if BARE.search(line) and not any(known in line for known in ALWAYS_SEVERAL):
            yield line.strip()


@pytest.mark.parametrize(
    ("number", "noun", "words"),
    [
        (0, "grave", "0 graves"),
        (1, "grave", "1 grave"),
        (2, "grave", "2 graves"),
        (1, "cemetery", "1 cemetery"),
        (3, "cemetery", "3 cemeteries"),
        (2, "survey day", "2 survey days"),
        (1, "finished trial", "1 finished trial"),
    ],
)
def test_a_noun_follows_its_number(number: int, noun: str, words: str) -> None:
    assert counted(number, noun) == words


def test_other_plurals_are_given() -> None:
    assert counted(2, "index", "indices") == "2 indices"
    assert [is_or_are(number) for number in (0, 1, 2)] == ["are", "is", "are"]


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "0 s"), (59.7, "1:00 min"), (200, "3:20 min"), (7500, "2:05 h")]
)
def test_durations_are_short(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.86664, "0.8666"),
        (1234.0, "1234"),
        (9999.6, "10000"),
        (12345.0, "12345"),
        (-12345.4, "-12345"),
        (0.00001, "1e-05"),
        (math.nan, "nan"),
        (math.inf, "inf"),
    ],
)
def test_a_rounded_number_has_no_power_of_ten_above_1(value: float, words: str) -> None:
    assert rounded(value) == words


@pytest.mark.parametrize("line", ['f"{count} graves"', "{{ card.merges }} merges", '"{} files"'])
def test_a_plural_without_a_singular_is_found(line: str) -> None:
    assert list(bare_plurals(line)) == [line]


def test_no_message_says_1_graves() -> None:
    sources = [path for ending in ("*.py", "*.html") for path in PACKAGE.rglob(ending)]
    found = {path.name: list(bare_plurals(path.read_text("utf-8"))) for path in sources}
    assert {name: lines for name, lines in found.items() if lines} == {}


UNQUOTED = re.compile(r"`(?:gdal\w*(?:\.py)?|nearblack|rio)\b[^`]*\{(?:\w+\.)*(?:name|stem)\}")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("st_anna-2.tif", "st_anna-2.tif"),
        ("süd.tif", "süd.tif"),
        ("St. Anna (1).tif", '"St. Anna (1).tif"'),
    ],
)
def test_a_name_with_blanks_stays_one_word_of_a_command(name: str, words: str) -> None:
    assert quoted(name) == words


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.stem)
def test_names_in_commands_to_copy_are_quoted(path: Path) -> None:
    assert UNQUOTED.findall(path.read_text("utf-8")) == []
