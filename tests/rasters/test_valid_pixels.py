"""Which pixels of an orthophoto show something, however its file and its overviews mark them."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from delivery_scene import Layout, deliver, layout, south_up, turned
from rasterio.enums import ColorInterp, Resampling

from grave_cli.rasters.orthophoto import Orthophoto, inspect_orthophoto, orthophoto_grid
from grave_cli.rasters.orthophoto_pixels import GridPixels, read_orthophoto

RGBA = (ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha)
PLACES = {"north up": layout(), "south up": south_up(), "turned": turned(20)}


def whole(path: Path, gsd_m: float = 0.05) -> tuple[Orthophoto, GridPixels]:
    orthophoto = inspect_orthophoto(path)
    return orthophoto, read_orthophoto(orthophoto, orthophoto_grid(orthophoto, gsd_m, 3))


def marked(source: Path, path: Path, mark: str) -> Path:
    """Mark the valid pixels of an RGBA file in another way."""
    with rasterio.open(source) as file:
        profile, pixels = dict(file.profile), file.read()
    seen, opaque = pixels[3] > 0, np.full_like(pixels[3], 255)
    colours, tags, mask = pixels[:3], RGBA, None
    if mark == "nodata and an opaque alpha":
        planes, profile["nodata"] = [*(colours * seen), opaque], 0
    elif mark == "alpha and another nodata":
        planes, profile["nodata"] = [*np.where(seen, colours, 255), pixels[3]], 255
    elif mark == "mask and an opaque alpha":
        planes, mask = [*colours, opaque], seen
    elif mark == "mask and nodata":
        planes, mask, profile["nodata"], tags = [*colours], seen, 0, RGBA[:3]
    elif mark == "nodata and infrared":
        planes, profile["nodata"] = [*(colours * seen), opaque // 2], 0
        tags = (*RGBA[:3], ColorInterp.undefined)
    else:
        assert mark == "alpha of 1 in 16 bits"
        planes = [*(colours.astype(np.uint16) * 40 + 1000), seen]
        profile["dtype"] = "uint16"
    profile |= {"count": len(planes), "photometric": "RGB"}
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(path, "w", **profile) as file,
    ):
        file.colorinterp = tags
        file.write(np.stack(planes).astype(profile["dtype"]))
        if mask is not None:
            file.write_mask(mask)
    return path


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    "mark",
    [
        "nodata and an opaque alpha",
        "alpha and another nodata",
        "mask and an opaque alpha",
        "mask and nodata",
        "nodata and infrared",
        "alpha of 1 in 16 bits",
    ],
)
def test_every_mark_shows_the_same_pixels(tmp_path: Path, mark: str, place: str) -> None:
    usual = deliver(tmp_path / "usual.tif", PLACES[place])
    other = marked(usual, tmp_path / "other.tif", mark)

    gsd_m = 0.03 if mark == "alpha of 1 in 16 bits" else 0.05  # interpolated, or averaged
    _, expected = whole(usual, gsd_m)
    orthophoto, found = whole(other, gsd_m)

    # A nodata value marks a half-covered pixel as valid: a rim of one pixel.
    assert (found.valid != expected.valid).mean() < 0.01
    assert bool(orthophoto.notes) == (mark == "nodata and infrared")
    if mark != "alpha of 1 in 16 bits":
        both = found.valid & expected.valid
        differ = np.abs(found.rgb.astype(int) - expected.rgb)[:, both].max(axis=0)
        assert (differ > 2).mean() < 0.01


@pytest.fixture(scope="module")
def fine() -> Layout:
    return layout(pixel_m=0.0125)  # so fine that overviews are read at 0.1 m


def with_overviews(path: Path, place: Layout, mark: str) -> Path:
    """An orthophoto whose overviews were made before its valid pixels were marked."""
    deliver(path, place, valid="alpha")
    with rasterio.open(path) as file:
        profile, pixels = dict(file.profile), file.read()
    colours = np.where(pixels[3] > 0, pixels[:3], 255)
    bands = np.concatenate([colours, pixels[3:]]) if mark == "alpha" else colours
    profile |= {"count": len(bands), "photometric": "RGB"}
    with rasterio.open(path, "w", **profile) as file:
        if mark == "alpha":
            file.colorinterp = RGBA
        file.write(bands)
    with rasterio.open(path, "r+") as file:
        file.build_overviews([2, 4], Resampling.nearest)
    if mark == "nodata":
        with rasterio.open(path, "r+") as file:
            file.nodata = 255
    return path


def test_overviews_that_lost_the_nodata_value_are_not_read(tmp_path: Path, fine: Layout) -> None:
    sound, odd = (
        with_overviews(tmp_path / f"{mark}.tif", fine, mark) for mark in ("alpha", "nodata")
    )

    first, expected = whole(sound, gsd_m=0.1)
    second, found = whole(odd, gsd_m=0.1)

    assert (first.overviews, first.has_odd_overviews, first.notes) == ((2, 4), False, ())
    assert (second.overviews, second.has_odd_overviews) == ((), True)
    assert (found.valid != expected.valid).mean() < 0.02
    (note,) = second.notes
    assert note.startswith(f"{odd}: overviews that do not show which pixels are valid")
