"""In a narrow terminal a table loses columns, and names stay readable."""

from io import StringIO

import pytest
from rich.console import Console
from rich.table import Table

from grave_cli.cli import console, tables
from grave_cli.cli.tables import print_table

NAMES = ["sankt_joergen", "sankt_martin"]


def printed(width: int, monkeypatch: pytest.MonkeyPatch) -> str:
    out = Console(file=StringIO(), width=width, highlight=False)
    for place in (console, tables):
        monkeypatch.setattr(place, "OUT", out)
    table = Table()
    for heading in ("name", "median", "CRS", "graves"):
        table.add_column(heading)
    for name in NAMES:
        table.add_row(name, "1.90 m²", "EPSG:25832", "120")
    print_table(table, ("CRS", "median"))
    return str(out.file.getvalue())  # type: ignore[attr-defined]


@pytest.mark.parametrize(("width", "left_out"), [(80, []), (45, ["CRS"]), (30, ["CRS", "median"])])
def test_columns_are_left_out_before_a_name_is_shortened(
    width: int, left_out: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = printed(width, monkeypatch)
    assert "…" not in text
    assert all(name in text for name in NAMES)
    assert ("EPSG:25832" in text) == ("CRS" not in left_out)
    assert ("1.90 m²" in text) == ("median" not in left_out)
    assert (f"left out: {', '.join(left_out)} (" in text) == bool(left_out)


def test_a_terminal_for_a_few_letters_folds_names(monkeypatch: pytest.MonkeyPatch) -> None:
    text = printed(16, monkeypatch)
    assert "…" not in text
    assert "120" in text or "12" in text
