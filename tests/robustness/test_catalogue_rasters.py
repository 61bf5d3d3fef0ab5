"""Bad orthophotos, DEMs and masks: each is refused in one line by every command that reads it."""

import os
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from office import (
    ANNOTATIONS,
    CHECK,
    CRS,
    DEM,
    HERE,
    LEFT,
    ORTHOPHOTO,
    PREDICT,
    TOP,
    TRAIN,
    WITH_DEM,
    assert_refuses,
    write_dem,
    write_raster,
)
from rasterio.enums import ColorInterp

Spoil = Callable[[Path], object]
Table = dict[str, tuple[Spoil, str]]
SITE = 'LOCAL_CS["site",UNIT["metre",1]]'
MARS = "+proj=eqc +R=3396190 +units=m +no_defs"


def nothing(path: Path) -> None:
    path.unlink()


def of_bytes(content: bytes) -> Spoil:
    return lambda path: path.write_bytes(content)


def cut(share: float) -> Spoil:
    return lambda path: os.truncate(path, int(path.stat().st_size * share))


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def link(target: str) -> Spoil:
    def spoil(path: Path) -> None:
        path.unlink()
        path.symlink_to(target)

    return spoil


def raster(**how: Any) -> Spoil:
    return lambda path: write_raster(path, **how)


def dem(**how: Any) -> Spoil:
    return lambda path: write_dem(path, **how)


def garbled(path: Path) -> None:
    """Replace all compressed pixels."""
    with rasterio.open(path) as dataset:
        profile, pixels = dataset.profile, dataset.read()
    with rasterio.open(path, "w", **profile | {"compress": "DEFLATE"}) as dataset:
        dataset.write(pixels)
    with rasterio.open(path) as dataset:
        begin = int(dataset.get_tag_item("BLOCK_OFFSET_0_0", "TIFF", bidx=1))
    whole = path.read_bytes()
    path.write_bytes(whole[:begin] + bytes(range(256)) * ((len(whole) - begin) // 256 + 1))


def vrt(body: str) -> Spoil:
    place = f"<SRS>{CRS}</SRS><GeoTransform>{LEFT}, 0.1, 0, {TOP}, 0, -0.1</GeoTransform>"
    frame = f'<VRTDataset rasterXSize="120" rasterYSize="120">{place}{body}</VRTDataset>'
    return lambda path: path.write_text(frame)


def vrt_of(source: str) -> Spoil:
    file = f'<SourceFilename relativeToVRT="1">{source}</SourceFilename>'
    band = f"<SimpleSource>{file}</SimpleSource>"
    bands = (f'<VRTRasterBand dataType="Byte" band="{i}">{band}</VRTRasterBand>' for i in (1, 2, 3))
    return vrt("".join(bands))


def palette(path: Path) -> None:
    with rasterio.open(write_raster(path, 1), "r+") as dataset:
        dataset.write_colormap(1, {0: (0, 0, 0, 255), 1: (250, 0, 0, 255)})


def transparent(path: Path) -> None:
    with rasterio.open(write_raster(path, 4), "r+") as dataset:
        dataset.colorinterp = (*dataset.colorinterp[:3], ColorInterp.alpha)
        dataset.write(np.zeros((120, 120), np.uint8), 4)


def void(path: Path) -> None:
    with rasterio.open(write_raster(path, nodata=0), "r+") as dataset:
        dataset.write(np.zeros((3, 120, 120), np.uint8))


def zipped(path: Path) -> None:
    whole = path.read_bytes()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("anna.tif", whole)


def points(path: Path) -> None:
    """Ground control points instead of a geotransform."""
    from rasterio.control import GroundControlPoint

    write_raster(path, crs=None, transform=Affine.identity())
    corners = ((0, 0, LEFT, TOP), (0, 120, LEFT + 12, TOP), (120, 0, LEFT, TOP - 12))
    found = [GroundControlPoint(row, col, x, y) for row, col, x, y in corners]
    with rasterio.open(path, "r+") as dataset:
        dataset.gcps = (found, CRS)


# Faults of any file -> how to make it, words of the line beside the name of the file.
DAMAGE: Table = {
    "empty": (of_bytes(b""), "cannot be opened"),
    "text": (of_bytes(b"not a raster"), "cannot be opened"),
    "web page": (of_bytes(b"<!DOCTYPE html><html>Sign in</html>" * 99), "cannot be opened"),
    "zip": (zipped, "cannot be opened"),
    "header alone": (cut(0.01), ""),
    "BigTIFF header alone": (of_bytes(b"II+\x00\x08\x00\x00\x00" + bytes(8)), "cannot be opened"),
    "TIFF with a loop of directories": (
        of_bytes(b"II*\x00\x08\x00\x00\x00\x00\x00\x08\x00\x00\x00"),
        "cannot be opened",
    ),
    "half": (cut(0.5), "damaged"),
    "garbled": (garbled, "damaged"),
    "folder": (folder, ""),
    "link to nothing": (link("nowhere.tif"), ""),
    "link to itself": (link("anna.tif"), ""),
    "VRT of nothing": (vrt_of("nowhere.tif"), ""),
    "VRT of itself": (vrt_of("anna.tif"), ""),
    "VRT that ends": (of_bytes(b'<VRTDataset rasterXSize="9" raster'), ""),
    "VRT that is no UTF-8": (of_bytes(b"<VRTDataset \xff>"), ""),
    "VRT without bands": (vrt(""), ""),
}


def misplaced(make: Callable[..., Spoil]) -> Table:
    """Faults of the georeference of any raster."""

    def at(*transform: float) -> Spoil:
        return make(transform=Affine(*transform))

    return {
        "geocentric": (make(crs="EPSG:4978"), "CRS"),
        "local CRS": (make(crs=SITE), "CRS"),
        "on Mars": (make(crs=MARS), "not tied to the Earth"),
        "no CRS": (make(crs=None), "no CRS"),
        "no geotransform": (make(transform=Affine.identity()), ""),
        "pixels without an area": (at(0.1, 0, LEFT, 0.1, 0, TOP), "no area"),
        "pixels of a nanometre": (at(1e-9, 0, LEFT, 0, -1e-9, TOP), "impossible size"),
        "pixels of 10 km": (at(1e4, 0, LEFT, 0, -1e4, TOP), "impossible size"),
        "beyond the Earth": (at(0.1, 0, 1e20, 0, -0.1, TOP), "Earth"),
        "no numbers": (at(0.1, 0, float("nan"), 0, -0.1, TOP), ""),
        "endless": (at(0.1, 0, float("inf"), 0, -0.1, TOP), ""),
        "metres called degrees": (make(crs="EPSG:4326"), "degrees"),
        "complex numbers": (make(dtype="complex64"), "complex64"),
    }


ORTHOPHOTOS: Table = {
    **DAMAGE,
    **misplaced(raster),
    "missing": (nothing, "orthophotos"),
    "grey": (raster(count=1), "1 band(s)"),
    "grey and alpha": (raster(count=2), "2 band(s)"),
    "five bands": (raster(count=5), "5 band(s)"),
    "palette": (palette, "-expand rgb"),
    "32 bits": (raster(dtype="uint32"), "uint32"),
    "float": (raster(dtype="float32"), "float32"),
    "signed": (raster(dtype="int16"), "int16"),
    "transparent": (transparent, "alpha channel (band 4) of 0"),
    "control points": (points, "ground control points"),
    "too coarse": (raster(transform=HERE @ Affine.scale(9)), "too coarse"),
}

DEMS: Table = {
    **DAMAGE,
    **misplaced(dem),
    "picture": (raster(), "picture of a DEM"),
    "shaded": (raster(count=1), "picture of a DEM"),
    "two bands": (dem(count=2), "-b 1"),
    "elsewhere": (dem(transform=HERE @ Affine.translation(5000, 0)), "no heights"),
    "another zone": (dem(crs="EPSG:25833"), "no heights"),
}

DTM = "data/dems/anna_dtm.tif"
DTMS: Table = {
    "missing": (nothing, "missing"),
    "empty": DAMAGE["empty"],
    "half": DAMAGE["half"],
    "no CRS": (dem(crs=None), "no CRS"),
    "picture": DEMS["picture"],
    "elsewhere": (dem(transform=HERE @ Affine.translation(5000, 0)), "DTM has no heights"),
    "another datum": (dem(base_m=252.0), "vertical datum"),
}

MASKS: Table = {
    **DAMAGE,
    **misplaced(partial(raster, count=1)),
    "three bands": (raster(), "3 bands"),
    "elsewhere": (raster(count=1, transform=HERE @ Affine.translation(5000, 0)), ""),
}


@pytest.mark.parametrize("command", [PREDICT, TRAIN, CHECK], ids=lambda text: text.split()[0])
@pytest.mark.parametrize("name", ORTHOPHOTOS)
def test_a_bad_orthophoto(
    office: Path, name: str, command: str, capfd: pytest.CaptureFixture[str]
) -> None:
    spoil, words = ORTHOPHOTOS[name]
    spoil(office / ORTHOPHOTO)
    assert_refuses(office, command, "orthophotos", words)
    if name not in ("VRT of nothing", "VRT of itself"):
        assert capfd.readouterr() == ("", "")  # GDAL prints a message of a missing source there


@pytest.mark.parametrize("command", [PREDICT, TRAIN, CHECK], ids=lambda text: text.split()[0])
@pytest.mark.parametrize("name", DEMS)
def test_a_bad_dem(
    office: Path, name: str, command: str, capfd: pytest.CaptureFixture[str]
) -> None:
    spoil, words = DEMS[name]
    spoil(office / DEM)
    how = f"--dem {DEM}" if command == PREDICT else WITH_DEM
    assert_refuses(office, f"{command} {how}", "anna", words)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("command", [PREDICT, TRAIN, CHECK], ids=lambda text: text.split()[0])
@pytest.mark.parametrize("name", DTMS)
def test_a_bad_dtm(
    office: Path, name: str, command: str, capfd: pytest.CaptureFixture[str]
) -> None:
    if name == "missing" and command != PREDICT:
        pytest.skip("without its DTM, a DEM is used alone")
    spoil, words = DTMS[name]
    spoil(write_dem(office / DTM))
    how = f"--dem {DEM} --dtm {DTM}" if command == PREDICT else WITH_DEM
    assert_refuses(office, f"{command} {how}", "anna_dtm", words)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (f"{PREDICT} --dtm {ORTHOPHOTO}", "--dtm needs a DEM above it"),
        (PREDICT.replace(ORTHOPHOTO, f"data --dtm {DEM}"), "--dtm belongs to one orthophoto"),
    ],
)
def test_a_dtm_belongs_to_a_dem_and_to_one_orthophoto(
    office: Path, command: str, words: str
) -> None:
    (office / DEM).unlink()
    assert_refuses(office, command, "", words)


@pytest.mark.parametrize("command", [TRAIN, CHECK], ids=lambda text: text.split()[0])
@pytest.mark.parametrize("name", MASKS)
def test_a_bad_mask(
    office: Path, name: str, command: str, capfd: pytest.CaptureFixture[str]
) -> None:
    spoil, words = MASKS[name]
    (office / ANNOTATIONS).unlink()
    (office / "data" / "masks").mkdir()
    spoil(write_raster(office / "data" / "masks" / "anna.tif", 1))
    assert_refuses(office, command, "anna", words)
    assert capfd.readouterr() == ("", "")
