"""A map as its user meets it: in QGIS, in GDAL's tools, in fiona."""

import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import fiona
import numpy as np
import pytest
from PIL import Image
from qgis_process import held_by_qgis, look_with_qgis, needs_qgis
from some_map import GRAVES, some_map

from grave_cli.delivery.geopackage_seal import map_output, why_keep_map
from grave_cli.errors import ExportError
from grave_cli.mapping.geopackage import write_geopackage
from grave_cli.outputs import check_outputs, source_of

OGRINFO = shutil.which("ogrinfo")
LAYERS = ("graves", "candidates", "graves_raw", "coverage", "gravecli_provenance")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the maps `en.gpkg`, `de.gpkg` and `degrees.gpkg`; read only."""
    folder = tmp_path_factory.mktemp("maps")
    (folder / "anna.tif").write_bytes(b"pixels")
    result = some_map(folder / "anna.tif")
    write_geopackage(result, folder / "en.gpkg")
    write_geopackage(result, folder / "de.gpkg", language="de")
    write_geopackage(result, folder / "degrees.gpkg", "EPSG:4326")
    return folder


@pytest.fixture(scope="module")
def seen(folder: Path) -> dict[str, Any]:
    """What QGIS shows of the three maps, with pictures of the first one."""
    maps = [folder / f"{name}.gpkg" for name in ("en", "de", "degrees")]
    pictures = [folder / "near.png", 150, folder / "far.png", 1000]
    found = look_with_qgis(*maps, pictures=pictures, check=True)
    found["maps"] = {Path(path).stem: layers for path, layers in found["maps"].items()}
    return found


@needs_qgis
def test_every_layer_opens_whole_and_without_a_warning(seen: dict[str, Any]) -> None:
    # Processing, which checks the geometries, misses GRASS and other programs.
    assert [line for line in seen["warnings"] if not line.startswith("Processing: ")] == []
    for layers in seen["maps"].values():
        assert tuple(layers) == LAYERS
        assert all(layer["valid"] for layer in layers.values())
        spatial = [layer for layer in layers.values() if layer["features"] and "invalid" in layer]
        assert len(spatial) == 4
        assert all(layer["invalid"] == 0 for layer in spatial)
        assert all(layer["spatial_index"] == 2 for layer in spatial)  # 2: there is one
        assert layers["graves"]["features"] == len(GRAVES)


@needs_qgis
def test_the_graves_are_styled_by_review_and_confidence(seen: dict[str, Any]) -> None:
    english, german = (seen["maps"][name]["graves"] for name in ("en", "de"))
    assert english["renderer"] == "RuleRenderer"
    assert english["rules"] == {
        "needs review": 2,
        "sure (90% and more)": 2,
        "likely (75% and more)": 1,
        "unsure (less than 75%)": 1,
        "drawn by hand": 0,
    }
    assert list(german["rules"]) == [
        "bitte prüfen",
        "sicher (ab 90 %)",
        "wahrscheinlich (ab 75 %)",
        "unsicher (unter 75 %)",
        "von Hand gezeichnet",
    ]
    assert list(german["rules"].values()) == list(english["rules"].values())


@needs_qgis
def test_candidates_are_styled_by_decision(seen: dict[str, Any]) -> None:
    english, german = (seen["maps"][name]["candidates"] for name in ("en", "de"))
    assert english["rules"] == {"accepted": 0, "refused": 0, "perhaps a grave": 2}
    assert list(german["rules"]) == ["übernommen", "verworfen", "vielleicht ein Grab"]


@needs_qgis
def test_numbers_show_from_1_to_300_on_and_raw_outlines_too(seen: dict[str, Any]) -> None:
    for layers in seen["maps"].values():
        assert layers["graves"]["label"] == ['"number"', True, 300]
        assert layers["graves"]["scale_range"][0] is False
        assert layers["graves_raw"]["scale_range"] == [True, 300]
    near, far = seen["pictures"]
    assert near["labels"] == sorted(str(number) for _, _, number, _, _ in GRAVES)
    assert far["labels"] == []
    assert near["errors"] == far["errors"] == []
    assert near["scale"] == pytest.approx(150, rel=0.01)


@needs_qgis
def test_every_column_has_its_title_in_both_languages(seen: dict[str, Any]) -> None:
    for name, words in (("en", ("Grave number", "Needs review")), ("de", ("Grabnummer", "Form"))):
        layers = seen["maps"][name]
        titles = layers["graves"]["aliases"]
        assert set(words) <= set(titles.values())
        for layer in layers.values():
            assert all(layer["aliases"][field] != field for field in layer["fields"][1:])
    assert seen["maps"]["de"]["graves"]["widgets"]["shape"] == "ValueMap"
    assert seen["maps"]["de"]["graves"]["widgets"]["needs_review"] == "CheckBox"
    assert seen["maps"]["de"]["candidates"]["widgets"]["decision"] == "ValueMap"
    assert "geringe Sicherheit" in seen["maps"]["de"]["graves"]["tip"]


@needs_qgis
def test_the_picture_shows_graves_in_their_colours(seen: dict[str, Any], folder: Path) -> None:
    near, far = (
        np.asarray(Image.open(folder / f"{picture}.png").convert("RGB")).astype(int)
        for picture, _ in zip(("near", "far"), seen["pictures"], strict=True)
    )
    for colour in ((255, 77, 28), (61, 208, 255), (255, 225, 77), (255, 158, 210)):
        assert (np.abs(near - colour).sum(axis=2) < 20).sum() > 150, colour
    assert (far != 255).any(axis=2).sum() > 500


@needs_qgis
def test_a_map_that_is_edited_in_qgis_is_refused_and_one_it_only_shows_is_replaced(
    folder: Path, tmp_path: Path
) -> None:
    orthophoto = folder / "anna.tif"
    edited, shown = (
        Path(shutil.copy(folder / "en.gpkg", tmp_path / name))
        for name in ("edited.gpkg", "shown.gpkg")
    )
    with held_by_qgis(edited, shown, edit=True):
        for replace in (
            partial(check_outputs, [map_output(edited, orthophoto)], {}, overwrite=True),
            partial(write_geopackage, some_map(orthophoto), edited),
        ):
            with pytest.raises(ExportError, match=r"edited\.gpkg: .*close it in QGIS"):
                replace()
        check_outputs([map_output(shown, orthophoto)], {}, overwrite=False)
        write_geopackage(some_map(orthophoto), shown)
    assert why_keep_map(edited, source_of(orthophoto)) == "was changed since gravecli wrote it"
    assert why_keep_map(shown, source_of(orthophoto)) is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["edited.gpkg", "shown.gpkg"]


@pytest.mark.skipif(OGRINFO is None, reason="ogrinfo (gdal-bin) is not installed")
@pytest.mark.parametrize("name", ["en", "de", "degrees"])
def test_ogrinfo_prints_no_warning(folder: Path, name: str) -> None:
    command = [str(OGRINFO), "-al", "-so", str(folder / f"{name}.gpkg")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert done.stderr == ""
    assert not [line for line in done.stdout.splitlines() if line.startswith(("Warn", "ERROR"))]
    assert done.stdout.count("Layer name: ") == len(LAYERS) + 1  # and layer_styles
    assert "Extent: (" in done.stdout
    assert sorted(path.suffix for path in folder.glob(f"{name}.*")) == [".gpkg"]


def test_fiona_and_geopandas_read_every_layer(folder: Path) -> None:
    for layer in LAYERS:
        with fiona.open(folder / "en.gpkg", layer=layer) as features:
            assert len(list(features)) == len(features) > 0
    geopandas = pytest.importorskip("geopandas", reason="geopandas is not installed")
    assert len(geopandas.read_file(folder / "en.gpkg", layer="graves")) == len(GRAVES)


@pytest.fixture
def database(folder: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(folder / "de.gpkg")) as database:
        yield database


def test_the_file_keeps_the_rules_of_geopackage(database: sqlite3.Connection) -> None:
    assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert database.execute("PRAGMA foreign_key_check").fetchall() == []
    assert database.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    extents = database.execute(
        "SELECT min_x, min_y, max_x, max_y FROM gpkg_contents WHERE data_type = 'features'"
    ).fetchall()
    assert len(extents) == 4
    assert all(None not in extent for extent in extents)
    extensions = database.execute("SELECT table_name, extension_name FROM gpkg_extensions")
    assert {
        ("gpkg_data_columns", "gpkg_schema"),
        ("gpkg_metadata", "gpkg_metadata"),
        ("gpkg_metadata_reference", "gpkg_metadata"),
        ("graves", "gpkg_rtree_index"),
    } <= set(extensions)


def test_columns_are_described_and_have_no_name(database: sqlite3.Connection) -> None:
    described = database.execute(
        "SELECT table_name, column_name, name, title, description FROM gpkg_data_columns"
    ).fetchall()
    assert len({row[:2] for row in described}) == len(described) == 16 + 6 + 1 + 1 + 2
    assert all(row[2] is None and row[3] and row[4] for row in described)
    (title,) = database.execute(
        "SELECT identifier FROM gpkg_contents WHERE table_name = 'graves'"
    ).fetchone()
    assert title == "Gräber"


def test_a_metadata_record_names_the_map_and_its_place(database: sqlite3.Connection) -> None:
    from xml.etree import ElementTree as ET

    ((scope, record),) = database.execute(
        "SELECT reference_scope, metadata FROM gpkg_metadata_reference"
        " JOIN gpkg_metadata ON md_file_id = id"
    ).fetchall()
    assert scope == "geopackage"
    texts = [text.strip() for text in ET.fromstring(record).itertext() if text.strip()]
    assert "Gräber von groß_anna" in texts
    assert "EPSG:25832" in texts
    degrees = [float(text) for text in texts if text.count(".") == 1 and text[0].isdigit()]
    west, east, south, north = degrees
    assert west == pytest.approx(9, abs=1e-5)
    assert 0 < east - west < 0.001 > north - south > 0
    assert any("Orthophoto anna.tif" in text for text in texts)
