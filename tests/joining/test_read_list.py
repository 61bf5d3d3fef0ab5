"""Lists as offices have them: any encoding, separator and decimal sign; Excel; layers."""

from datetime import date, datetime
from pathlib import Path
from zipfile import ZipFile

import fiona
import pytest
from openpyxl import Workbook

from grave_cli.errors import DatasetError
from grave_cli.joining.office_list import to_number
from grave_cli.joining.read_list import read_list

TEXT = "Feld;Grab-Nr.;Größe;Tel;Notiz\n1;7a;2,5;0171;Müller, Anna\n2;12;3;089;\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16", "cp850"])
@pytest.mark.parametrize("separator", [";", ",", "\t", "|"])
def test_encodings_and_separators_make_no_difference(
    tmp_path: Path, encoding: str, separator: str
) -> None:
    quoted = TEXT.replace("Müller, Anna", '"Müller, Anna"').replace("2,5", '"2,5"')
    path = tmp_path / "list.csv"
    path.write_bytes(quoted.replace(";", separator).replace("\n", "\r\n").encode(encoding))
    found = read_list(path)
    assert found.types == {
        "Feld": "int",
        "Grab-Nr.": "str",
        "Größe": "float",
        "Tel": "str",
        "Notiz": "str",
    }
    first, second = found.rows
    assert first == {
        "Feld": 1,
        "Grab-Nr.": "7a",
        "Größe": 2.5,
        "Tel": "0171",
        "Notiz": "Müller, Anna",
    }
    assert second["Notiz"] is None
    assert found.lines == (2, 3)


@pytest.mark.parametrize(
    ("name", "cells", "kind"),
    [
        ("Grab-Nr.", ["7", "12,13", "14,20"], "str"),  # graves 12 and 13, 14 and 20
        ("Feld", ["1.1", "1.2", "1.3"], "str"),
        ("Nr", ["7.0", "12.0"], "float"),  # of a program without whole numbers
        ("Vertrag", ["1.1", "1.2", "1.10"], "str"),
        ("Telefon", ["+4989123", "+4915112"], "str"),
        ("Tag", ["01.02", "13.10"], "str"),
        ("Gebühr", ["12,50", "12,00", "7"], "float"),
        ("Rechtswert", ["4468523,12", "4468524,1"], "float"),
    ],
)
def test_numbers_that_would_lose_something_stay_as_they_are_written(
    tmp_path: Path, name: str, cells: list[str], kind: str
) -> None:
    path = tmp_path / "list.csv"
    path.write_text("\n".join([f"{name};Notiz", *(f"{cell};x" for cell in cells)]), "utf-8")
    found = read_list(path)
    assert found.types[name] == kind
    values = [row[name] for row in found.rows]
    assert len(set(values)) == len(cells)
    if kind == "str":
        assert values == cells


def test_quotation_marks_within_cells_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text('Nr;Name\n1;"Zum Löwen" Wirt\n2;Stein 5"\n3;"zwei\nZeilen"\n4;"a"b', "utf-8")
    names = [row["Name"] for row in read_list(path).rows]
    assert names == ["Zum Löwen Wirt", 'Stein 5"', "zwei\nZeilen", "ab"]


def test_columns_that_the_user_names_stay_as_they_are_written(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("Platz;Stelle;Ost\n12,13;1,5;7,5\n", "utf-8")
    found = read_list(path, ["Stelle"], mapped={"number": "Platz", "x": "Ost"})
    assert found.rows == ({"Platz": "12,13", "Stelle": "1,5", "Ost": 7.5},)


def test_no_cell_is_lost_and_no_cell_ends_a_row(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("Nr;Name\n1;Meier\v\u2028Anna;verzogen\n2;Huber\n", "utf-8")
    found = read_list(path)
    assert [row["Name"] for row in found.rows] == ["Meier\v\u2028Anna", "Huber"]
    assert [row["column_3"] for row in found.rows] == ["verzogen", None]
    assert "more cells than names, see column_3" in found.notes[0]


def test_titles_empty_lines_and_nameless_or_equal_columns(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("Friedhof St. Anna;;;\n\nFeld;Nr;Nr;\n;;;\n1;2;3;x\n\n4;5;6;\n", "utf-8")
    found = read_list(path, ["Feld"])
    assert list(found.types) == ["Feld", "Nr", "Nr_2", "column_4"]
    assert found.lines == (5, 7)
    assert found.rows[0] == {"Feld": 1, "Nr": 2, "Nr_2": 3, "column_4": "x"}
    assert read_list(path).types == found.types


def test_excel_keeps_types_and_finds_the_sheet_with_records(tmp_path: Path) -> None:
    book = Workbook()
    book.active.title = "Deckblatt"
    sheet = book.create_sheet("Gräber")
    sheet.append(["Liste 2026"])
    sheet.append(["Feld", "Nummer", "Beginn", "Ende", "Gebühr", "Familie", "Gemischt"])
    sheet.append([1, 7, date(2020, 5, 1), datetime(2040, 5, 1, 12, 30), 12.5, True, 3])
    sheet.append([2, 8, None, None, 13, False, "drei"])
    book.create_sheet("Alt").append(["x"])
    book.save(tmp_path / "list.xlsx")
    found = read_list(tmp_path / "list.xlsx")
    assert found.types == {
        "Feld": "int",
        "Nummer": "int",
        "Beginn": "date",
        "Ende": "datetime",
        "Gebühr": "float",
        "Familie": "bool",
        "Gemischt": "str",
    }
    assert found.rows[0]["Beginn"] == "2020-05-01"
    assert found.rows[0]["Ende"] == "2040-05-01T12:30:00"
    assert [row["Gemischt"] for row in found.rows] == ["3", "drei"]
    assert found.lines == (3, 4)
    assert "the list is sheet Gräber" in found.notes[0]
    with pytest.raises(DatasetError, match=r"sheet is missing.*Deckblatt, Gräber, Alt"):
        read_list(tmp_path / "list.xlsx", sheet="Grab")


def test_cells_beyond_the_stated_extent_of_a_sheet_are_read(tmp_path: Path) -> None:
    """Some programs state A1 for all sheets, others a million rows."""
    book = Workbook()
    for row in (["Feld", "Nummer"], [1, 7], [1, 8]):
        book.active.append(row)
    book.save(tmp_path / "whole.xlsx")
    for stated in ("A1", "A1:XFD1048576"):
        with (
            ZipFile(tmp_path / "whole.xlsx") as whole,
            ZipFile(tmp_path / "list.xlsx", "w") as file,
        ):
            for name in whole.namelist():
                text = whole.read(name).replace(b'ref="A1:B3"', f'ref="{stated}"'.encode())
                file.writestr(name, text)
        found = read_list(tmp_path / "list.xlsx")
        assert found.rows == ({"Feld": 1, "Nummer": 7}, {"Feld": 1, "Nummer": 8})


def test_numbers_beyond_those_of_a_geopackage_are_text(tmp_path: Path) -> None:
    book = Workbook()
    for row in (["Nr", "Code", "Tel"], [1, 3e19, 491711234567], [2, 1e20, 12]):
        book.active.append(row)
    book.save(tmp_path / "list.xlsx")
    found = read_list(tmp_path / "list.xlsx")
    assert found.types == {"Nr": "int", "Code": "str", "Tel": "int"}
    assert [row["Code"] for row in found.rows] == ["30000000000000000000", "100000000000000000000"]


def test_a_table_without_geometries_and_a_layer_of_points(tmp_path: Path) -> None:
    path = tmp_path / "list.gpkg"
    columns = {"Nummer": "str", "Ablauf": "date"}
    row = {"Nummer": "7a", "Ablauf": "2031-05-01"}
    for layer, kind, shape in (
        ("liste", "None", None),
        ("punkte", "Point", {"type": "Point", "coordinates": (500_000.0, 5_400_000.0)}),
    ):
        schema = {"geometry": kind, "properties": columns}
        crs = "EPSG:25832" if shape else None
        with fiona.open(path, "w", driver="GPKG", layer=layer, crs=crs, schema=schema) as file:
            file.write({"geometry": shape, "properties": row})
    table = read_list(path, sheet="liste")
    assert (table.rows, table.points) == ((row,), None)
    points = read_list(path, sheet="punkte")
    assert points.points is not None
    assert points.points.tolist() == [[500_000, 5_400_000]]
    with pytest.raises(DatasetError, match=r"ambiguous.*(liste|punkte), .*--sheet"):
        read_list(path)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("list.xls", b"x", r"list\.xls: list cannot be read.*old Excel file.*save it as \.xlsx"),
        ("list.xlsx", b"x", r"list\.xlsx: cannot be read as an Excel file"),
        ("list.csv", b"", r"list\.csv: list is empty"),
        ("list.csv", b"a;b\n", r"list has no records.*names a, b alone"),
        ("list.csv", b"a;b\n1;\0\n", r"list\.csv: is no text file"),
        (
            "list.csv",
            b'a;b\n1;"Zum L\n2;x\n',
            r"quotation mark is not closed.*in line 2: 1;\"Zum L",
        ),
        ("list.xlsb", b"x", r"list\.xlsb: .*binary Excel file.*save it as \.xlsx"),
    ],
)
def test_lists_that_cannot_be_read_are_refused(
    tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DatasetError, match=words):
        read_list(tmp_path / name)
    with pytest.raises(DatasetError, match="file is missing"):
        read_list(tmp_path / "typo.csv")


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("2'600'123.45", 2_600_123.45),
        ("2’600’123", 2_600_123),
        ("4.515.123", 4_515_123),
        ("500.001,25", 500_001.25),
        ("500,001.25", 500_001.25),
        ("5\u202f300\u202f000,5", 5_300_000.5),
        ("500.001", 500.001),
        ("500,001", 500.001),
        ("12,5", 12.5),
        ("-3.5", -3.5),
        ("1.2.3", None),
        ("500.001.5", None),
        ("12,13,14", None),
        ("2'60", None),
    ],
)
def test_thousands_may_be_grouped_in_numbers(text: str, number: float | None) -> None:
    assert to_number(text) == number
