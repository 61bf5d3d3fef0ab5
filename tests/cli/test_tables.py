"""In a narrow terminal a table loses columns, and names stay readable."""

import ast
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from deliveries import GRAVES, write
from rich.console import Console
from rich.text import Text

from grave_cli.batch.outcomes import Outcome
from grave_cli.cli import check, console, predict_many, runs, study_screen, tables
from grave_cli.cli.scorecard import print_cross_validation, print_evaluation
from grave_cli.cli.tables import make_table, print_table
from grave_cli.doctor.report import CemeteryRow, CheckReport
from grave_cli.evaluation.evaluate import evaluate_files
from grave_cli.settings.inputs import DataSettings
from grave_cli.tracking.folds import Fold
from grave_cli.tracking.listing import RunRow
from grave_cli.training.cross_validate import CrossValidation, Spread
from grave_cli.tuning.result import StudyStatus, TrialRow

PACKAGE = Path(tables.__file__).parents[1]
NAMES = ["sankt_joergen_neuer_teil", "sankt_martin"]
WIDTHS = (40, 60, 80, 120)


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, Callable[[], None]], str]:
    """Returns what is printed in a terminal of so many columns."""

    def run(width: int, show: Callable[[], None]) -> str:
        out = console.PlainConsole(file=StringIO(), width=width, highlight=False)
        for place in (console, tables):
            monkeypatch.setattr(place, "OUT", out)
        show()
        assert isinstance(out.file, StringIO)
        return out.file.getvalue()

    return run


Printed = Callable[[int, Callable[[], None]], str]


def show_some() -> None:
    table = make_table(("name", "median", "CRS", "graves"), left=("CRS",))
    for name in NAMES:
        table.add_row(name, "1.90 m²", "EPSG:25832", "120")
    print_table(table, ("CRS",))


@pytest.mark.parametrize(
    ("width", "left_out"),
    [
        (80, []),
        (50, ["CRS"]),
        (44, ["CRS", "graves"]),
        (37, ["median", "CRS"]),
        (30, ["median", "CRS", "graves"]),
    ],
)
def test_the_most_important_columns_that_fit_are_shown(
    width: int, left_out: list[str], printed: Printed
) -> None:
    text = printed(width, show_some)
    assert all(name in text for name in NAMES)
    for heading, cell in (("CRS", "EPSG:25832"), ("graves", "120"), ("median", "1.90 m²")):
        assert (cell in text) == (heading not in left_out)
    said = " ".join(text.split())
    assert (f"left out: {', '.join(left_out)} (" in said) == bool(left_out)


def test_a_terminal_for_a_few_letters_folds_names(printed: Printed) -> None:
    text = printed(16, show_some)
    assert "…" not in text
    assert "sankt_joerge" in text
    assert "n_neuer_teil" in text


def show_runs() -> None:
    row = RunRow(
        name="spring_rgb_dem_training",
        run_id="0" * 32,
        parent_run_id="",
        dataset_id="d9a40f15",
        channels="rgb+dem",
        encoder="tu-tf_efficientnet_lite0",
        objective="val/object_f1",
        best_dice=0.8123,
        best_object_f1=0.7123,
        test_object_f1=0.6123,
        epochs=40,
        started="2026-11-26T12:00:00+00:00",
        duration_s=8000,
        status="FINISHED",
        is_resumable=False,
        is_champion=True,
    )
    trial = replace(row, name="autumn_study-17", parent_run_id="1" * 32, is_champion=False)
    trial = replace(trial, duration_s=59.8)
    runs._print([row, trial])


def show_check() -> None:
    row = CemeteryRow(
        name=NAMES[0],
        splits=("train", "val", "test"),
        width_m=120,
        height_m=85,
        crs="ETRS89 / UTM zone 32N",
        gsd_m=0.019,
        valid_share=0.97,
        dem_share=0.99,
        dem_low_m=431,
        dem_high_m=437,
        graves=812,
        median_area_m2=1.93,
    )
    check._print(CheckReport("d9a40f15", (row, replace(row, name=NAMES[1])), ()))


def show_evaluation(folder: Path) -> None:
    truth, mapped = folder / "truth.gpkg", folder / "map.gpkg"
    write(truth, GRAVES)
    write(mapped, GRAVES[1:])
    print_evaluation(evaluate_files(mapped, truth, DataSettings()))


def show_cross_validation() -> None:
    names = ("object_f1", "object_f1_75", "merges", "boundary_cm", "area_error_m2")
    folds = tuple(Fold(name, "0" * 32, dict.fromkeys(names, 12.345)) for name in NAMES)
    scores = {name: Spread(12.345, 1.234, 2) for name in names}
    print_cross_validation(CrossValidation("a1b2c3d4", "d9a40f15", folds, scores))


def show_study() -> None:
    params = {"training.learning_rate": 1e-3, "model.encoder": "resnet18"}
    trial = TrialRow(17, "COMPLETE", 0.8123, 40, params, 4000)
    status = StudyStatus((trial,), finished=1, wanted=9, best=trial, left_s=10)
    tables.OUT.print(study_screen.fitted_table(status, tables.OUT))


def show_many_maps() -> None:
    one = Outcome(NAMES[0], "already mapped", 812, 34, 17, 1234.5, "a.tif", "", "a.gpkg")
    predict_many._show([one, replace(one, cemetery=NAMES[1])], Path("summary.csv"), json=False)


SHOWN: dict[str, tuple[Callable[[], None], list[str]]] = {
    "runs": (show_runs, ["spring_rgb_dem_training", "  autumn_study-17"]),
    "check": (show_check, NAMES),
    "cross-validation": (show_cross_validation, [*NAMES, "mean", "± spread"]),
    "many maps": (show_many_maps, NAMES),
    "study": (show_study, ["17", "learning_rate=0.001", "encoder=resnet18"]),
}


def is_table(line: str) -> bool:
    return line.lstrip()[:1] in "┏┃┡│├└" if line.strip() else False


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("kind", SHOWN)
def test_no_name_is_shortened_at_any_width(kind: str, width: int, printed: Printed) -> None:
    show, names = SHOWN[kind]
    lines = printed(width, show).splitlines()
    assert all(len(line) <= width for line in lines if is_table(line))
    assert not any("…" in line for line in lines)
    for name in names:
        assert any(name in line for line in lines), name


@pytest.mark.parametrize("width", WIDTHS)
def test_an_evaluation_fits_at_any_width(width: int, printed: Printed, tmp_path: Path) -> None:
    lines = printed(width, lambda: show_evaluation(tmp_path)).splitlines()
    rows = [line for line in lines if is_table(line)]
    assert rows
    assert all(len(line) <= width for line in rows)
    names = {line.split("│")[1].strip() for line in rows if line.startswith("│")}
    assert {"IoU 0.5", "IoU 0.75", "mean of 0.5 … 0.95", "isolated"} <= names
    assert not any("…" in name for name in names - {"mean of 0.5 … 0.95"})


def test_the_row_of_a_run_has_its_date_and_the_mark_of_the_champion(printed: Printed) -> None:
    text = printed(200, show_runs)
    assert "2026-11-26 " in text
    assert text.count("FINISHED (champion)") == 1
    assert "2:13 h" in text
    assert "1:00 min" in text
    assert "60 s" not in text
    assert "left out" not in text


def test_numbers_are_aligned_to_the_right_and_texts_to_the_left(printed: Printed) -> None:
    def show() -> None:
        print_table(make_table(("a", "b", "long c"), [("1", "22", Text("3"))], left=("b",)))

    row = printed(80, show).splitlines()[3]
    assert row == "│ 1 │ 22 │      3 │"


def test_tables_are_made_in_one_place() -> None:
    makers = [
        path.relative_to(PACKAGE).as_posix()
        for path in (PACKAGE / "cli").rglob("*.py")  # the only room that may import Rich
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Table"
    ]
    assert makers == ["cli/tables.py"]


def test_a_live_table_fits_too() -> None:
    narrow = Console(file=StringIO(), width=40)
    params = {"training.learning_rate": 1e-3, "training.weight_decay": 1e-5}
    trial = TrialRow(17, "COMPLETE", 0.8123, 40, params, 4000)
    status = StudyStatus((trial,), finished=1, wanted=9, best=trial, left_s=10)
    headings = [column.header for column in study_screen.fitted_table(status, narrow).columns]
    assert headings == ["trial", "value", "parameters"]
