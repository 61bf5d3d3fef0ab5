"""The files of `compare` and `join` as QGIS shows them."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from qgis_process import look_with_qgis, needs_qgis
from survey_scene import MAP_TYPES, OFFICE_TYPES, plant, write_survey
from terminal import gravecli

OGRINFO = shutil.which("ogrinfo")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `changes.gpkg` in English and `joined.gpkg` in German; read only."""
    folder = tmp_path_factory.mktemp("office")
    planted = plant()
    write_survey(folder / "old.gpkg", planted.old, planted.old_rows, MAP_TYPES | OFFICE_TYPES)
    write_survey(folder / "new.gpkg", planted.new, planted.new_rows, MAP_TYPES)
    assert gravecli("compare", "old.gpkg", "new.gpkg", cwd=folder).returncode == 0
    lines = [f"{row['field']};{row['row']};{row['number']};x" for row in planted.old_rows[:50]]
    text = "\n".join(["Feld;Reihe;Nummer;Inhaber", *lines, lines[0], "77;1;1;y"])
    (folder / "list.csv").write_text(text, "utf-8")
    result = gravecli("join", "old.gpkg", "list.csv", "--lang", "de", cwd=folder)
    assert result.returncode == 0, result.stderr
    return folder


@pytest.fixture(scope="module")
def seen(folder: Path) -> dict[str, Any]:
    maps = [folder / "changes.gpkg", folder / "joined.gpkg"]
    found = look_with_qgis(*maps, pictures=[folder / "changes.png", 250], check=True)
    found["maps"] = {Path(path).stem: layers for path, layers in found["maps"].items()}
    return found


@needs_qgis
def test_all_layers_open_valid_and_without_a_warning(seen: dict[str, Any]) -> None:
    assert [line for line in seen["warnings"] if not line.startswith("Processing: ")] == []
    assert list(seen["maps"]["changes"])[:3] == ["graves", "changes", "graves_before"]
    tables = ["graves_without_record", "records_without_grave", "graves_claimed_twice"]
    assert list(seen["maps"]["joined"])[:4] == ["graves", *tables]
    for layers in seen["maps"].values():
        assert all(layer["valid"] for layer in layers.values())
        assert all(layer.get("invalid", 0) == 0 for layer in layers.values())


@needs_qgis
def test_graves_are_styled_by_their_change(seen: dict[str, Any], folder: Path) -> None:
    layer = seen["maps"]["changes"]["changes"]
    counts = {"moved": 2, "resized": 2, "new": 3, "gone": 3, "split": 4, "merged": 1}
    rules = layer["rules"]
    assert rules | counts == rules
    assert sum(rules.values()) == layer["features"]
    assert layer["aliases"]["moved_m"] == "Moved (m)"
    with Image.open(folder / "changes.png") as picture:
        colours = np.unique(np.asarray(picture.convert("RGB")).reshape(-1, 3), axis=0)
    assert len(colours) > 50


@needs_qgis
def test_joined_graves_are_styled_by_their_records(seen: dict[str, Any]) -> None:
    layers = seen["maps"]["joined"]
    rules = layers["graves"]["rules"]
    assert rules["ein Eintrag"] == 49
    assert rules["mehrere Einträge"] == 1
    assert rules["kein Eintrag"] == layers["graves_without_record"]["features"]
    assert layers["records_without_grave"]["features"] == 1
    assert layers["graves_claimed_twice"]["aliases"]["used"] == "Verwendet"


@pytest.mark.skipif(OGRINFO is None, reason="ogrinfo (gdal-bin) is not installed")
@pytest.mark.parametrize("name", ["changes.gpkg", "joined.gpkg"])
def test_ogrinfo_prints_no_warning(folder: Path, name: str) -> None:
    command = [str(OGRINFO), "-al", "-so", str(folder / name)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
