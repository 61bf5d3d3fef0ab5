"""Numbers as people write them."""

from typing import Any

import pytest

from grave_cli.joining.grave_numbers import as_key, read_numbers


@pytest.mark.parametrize(
    ("cell", "numbers"),
    [
        (12, ["12"]),
        (12.0, ["12"]),
        ("12", ["12"]),
        (" 012 ", ["12"]),
        ("7a", ["7a"]),
        ("7 A", ["7a"]),
        ("Grab Nr. 7", ["7"]),
        ("7.0", ["7"]),  # of a column with letters, as some programs export it
        ("Nr.7", ["7"]),
        ("12-14", ["12", "13", "14"]),
        ("12 – 14", ["12", "13", "14"]),
        ("12 bis 14", ["12", "13", "14"]),
        ("7a-c", ["7a", "7b", "7c"]),
        ("7a-7c", ["7a", "7b", "7c"]),
        ("12/13", ["12", "13"]),
        ("12, 13 und 15-16", ["12", "13", "15", "16"]),
        ("12+12", ["12"]),
        ("", []),
        (None, []),
        (True, []),
        ("12.5", []),
        (12.5, []),
        ("14-12", []),
        ("7a-9", []),
        ("7-a", []),
        ("7c-a", []),
        ("1-500", []),
        ("links", []),
        ("12, links", []),
        ("-3", []),
        ("7" * 5000, []),
        ("1-" + "7" * 5000, []),
    ],
)
def test_numbers_letters_and_ranges(cell: Any, numbers: list[str]) -> None:
    assert [str(number) for number in read_numbers(cell, 50)] == numbers


@pytest.mark.parametrize(
    ("cell", "key"),
    [
        (2, "2"),
        (2.0, "2"),
        ("2.0", "2"),
        ("02", "2"),
        ("Feld 2", "2"),
        ("A", "a"),
        ("III", "iii"),
        (None, ""),
    ],
)
def test_fields_and_rows_are_comparable(cell: Any, key: str) -> None:
    assert as_key(cell) == key
