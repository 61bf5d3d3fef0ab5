"""Files beside a raster that say where it lies: read, or said not to count."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from pyproj import CRS

from grave_cli.errors import GridError
from grave_cli.rasters.georeference import Georeference, read_georeference

HERE = Affine(0.1, 0, 500_000, 0, -0.1, 5_300_000)
UTM = "EPSG:25832"
LOCAL = 'LOCAL_CS["site",UNIT["metre",1]]'


def esri(crs: str) -> str:
    return CRS.from_user_input(crs).to_wkt("WKT1_ESRI")


def raster(folder: Path, crs: str | None = UTM, transform: Affine | None = HERE) -> Path:
    path = folder / "hof.tif"
    how = {"driver": "GTiff", "height": 20, "width": 30, "count": 3, "dtype": "uint8"}
    with rasterio.open(path, "w", **how, crs=crs, transform=transform) as file:
        file.write(np.ones((3, 20, 30), np.uint8))
    return path


def georeference(path: Path) -> Georeference:
    with rasterio.open(path) as dataset:
        return read_georeference(dataset, path)


def world(east: float, comma: str = ".") -> str:
    lines = ("0.1", "0", "0", "-0.1", f"{500_000.05 + east}", "5299999.95", "")
    return "\n".join(lines).replace(".", comma)


@pytest.mark.parametrize("crs", [None, LOCAL])
@pytest.mark.parametrize(
    "data", [esri(UTM).encode("utf-8-sig"), esri(UTM).encode("utf-16"), esri(UTM).encode()]
)
def test_a_prj_file_serves_in_any_encoding_where_the_file_says_nothing(
    tmp_path: Path, crs: str | None, data: bytes
) -> None:
    path = raster(tmp_path, crs)
    (tmp_path / "hof.prj").write_bytes(data)

    found = georeference(path)

    assert CRS.from_wkt(found.crs).equals(CRS.from_wkt(esri(UTM)))
    assert found.notes == (f"{path}: its CRS is taken from the .prj file beside it",)


def test_a_local_crs_without_a_prj_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GridError, match="not tied to the Earth"):
        georeference(raster(tmp_path, LOCAL))


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("hof.tfw", world(10), "hof.tfw gives it another place, which does not count"),
        ("hof.tfw", world(10, ","), "hof.tfw gives it another place, which does not count"),
        ("hof.WLD", world(-3), "hof.WLD gives it another place, which does not count"),
        ("hof.tfw", world(0.05), ""),  # half a pixel: a quarrel over corners and centres
        ("hof.tfw", "no numbers", ""),
        ("hof.prj", esri("EPSG:25833"), "names another CRS, which does not count"),
        ("hof.prj", esri("EPSG:32632"), ""),
        ("hof.prj", "garbage", ""),
    ],
)
def test_a_file_that_contradicts_the_raster_is_said_not_to_count(
    tmp_path: Path, name: str, text: str, says: str
) -> None:
    path = raster(tmp_path)
    (tmp_path / name).write_text(text)

    found = georeference(path)

    assert found.transform == HERE
    assert len(found.notes) == bool(says)
    assert all(says in note and note.startswith(f"{path}: ") for note in found.notes)


def test_a_world_file_that_places_the_raster_is_not_contradicted(tmp_path: Path) -> None:
    path = raster(tmp_path, transform=None)
    (tmp_path / "hof.tfw").write_text(world(10))
    assert georeference(path).notes == ()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("<GeoTransform>500100, 0.1, 0, 5300000, 0, -0.1</GeoTransform>", "another place"),
        ("<SRS>{srs}</SRS>", "another CRS"),
        ("<GeoTransform>500000, 0.1, 0, 5300000, 0, -0.1</GeoTransform>", ""),
        ("<Metadata><MDI key='STATISTICS_MEAN'>90</MDI></Metadata>", ""),
    ],
)
def test_an_aux_file_that_contradicts_its_raster_is_named(
    tmp_path: Path, content: str, says: str
) -> None:
    path = raster(tmp_path)
    text = content.format(srs=CRS.from_epsg(25833).to_wkt("WKT1_GDAL"))
    (tmp_path / "hof.tif.aux.xml").write_text(f"<PAMDataset>{text}</PAMDataset>")

    notes = georeference(path).notes

    assert len(notes) == bool(says)
    assert all(f"hof.tif.aux.xml gives it {says} than the file itself" in one for one in notes)


def test_an_aux_file_that_places_the_raster_is_not_named(tmp_path: Path) -> None:
    path = raster(tmp_path, crs=None, transform=None)
    srs = CRS.from_epsg(25832).to_wkt("WKT1_GDAL")
    place = "<GeoTransform>500100, 0.1, 0, 5300000, 0, -0.1</GeoTransform>"
    aux = f"<PAMDataset><SRS>{srs}</SRS>{place}</PAMDataset>"
    (tmp_path / "hof.tif.aux.xml").write_text(aux)
    assert georeference(path).notes == ()
