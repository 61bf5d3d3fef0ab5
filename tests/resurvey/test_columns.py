"""The columns of a survey that continues another one."""

import pytest

from grave_cli.resurvey.columns import kept_columns, merge_columns


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("int32", "int32", {"plot": "int32"}),
        ("int32", "int64", {"plot": "int64"}),
        ("int64", "int:4", {"plot": "int64"}),
        ("str:80", "str:10", {"plot": "str"}),
        ("str", "int32", {"plot": "str", "plot_new": "int32"}),
        ("float", "int32", {"plot": "float", "plot_new": "int32"}),
    ],
)
def test_a_column_of_both_surveys_is_one_if_its_values_are_alike(
    old: str, new: str, expected: dict[str, str]
) -> None:
    merged = merge_columns(
        {"grave_id": "str", "plot": old}, {"grave_id": "str", "plot": new}, "grave_id", {}
    )
    found = {name: one.kind for name, one in merged.columns.items() if name.startswith("plot")}
    assert found == expected


@pytest.mark.parametrize(
    ("change", "kept"), [("moved", []), (None, []), ("Umbau", ["change"]), (["a"], ["change"])]
)
def test_a_column_change_with_values_of_the_office_is_kept(change: object, kept: list[str]) -> None:
    assert list(kept_columns({"change": "str"}, [{"change": None}, {"change": change}])) == kept
