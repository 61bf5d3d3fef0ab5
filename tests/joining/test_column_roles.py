"""The columns of a list that name a grave: every one that the user names counts, or is refused."""

import pytest

from grave_cli.errors import DatasetError, SettingsError
from grave_cli.joining.column_roles import Role, choose_keys, parse_map

COLUMNS = ["Lfd", "Feld", "Abteilung", "Reihe", "Nr", "Grab-ID", "Name"]


@pytest.mark.parametrize(
    ("on", "mapped", "words"),
    [
        (["Feld"], {}, r"columns do not name a grave.*found field = Feld.*expected number"),
        (["Feld", "Reihe"], {"number": "Nr"}, "columns do not name a grave"),
        (["Grab-ID", "Nr"], {}, r"columns do not name a grave.*grave_id alone"),
        (["Feld", "Abteilung", "Nr"], {}, r"columns Feld and Abteilung both stand for field"),
    ],
)
def test_columns_of_which_one_would_be_left_out_are_refused(
    on: list[str], mapped: dict[Role, str], words: str
) -> None:
    with pytest.raises(DatasetError, match=words):
        choose_keys(COLUMNS, on, mapped, "list.csv")


def test_columns_that_name_a_grave_are_taken() -> None:
    keys = choose_keys(COLUMNS, ["Abteilung", "Nr", "Nr"], {}, "list.csv")
    assert keys == {"field": "Abteilung", "number": "Nr"}
    assert choose_keys(COLUMNS, ["Grab-ID"], {}, "list.csv") == {"grave_id": "Grab-ID"}
    assert choose_keys(COLUMNS, [], {}, "list.csv") == {
        "field": "Feld",
        "row": "Reihe",
        "number": "Nr",
    }


def test_a_column_of_ids_that_the_user_names_counts_before_numbers() -> None:
    assert choose_keys(COLUMNS, [], {"grave_id": "Name"}, "list.csv") == {"grave_id": "Name"}


def test_one_meaning_of_two_columns_is_refused() -> None:
    assert parse_map(["number=Nr", "number=Nr"]) == {"number": "Nr"}
    with pytest.raises(SettingsError, match=r"two columns for number.*Nr and Lfd"):
        parse_map(["number=Nr", "number=Lfd"])
