"""Which bands of an orthophoto are its colours, and what says where it shows something."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import ColorInterp, MaskFlags, Resampling
from rasterio.io import DatasetReader

from grave_cli.errors import RasterReadError
from grave_cli.rasters.bit_depth import DEPTHS

_RGB = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
_LOOK_PX = 512  # longer side of a coarse look at a whole file


@dataclass(frozen=True)
class Bands:
    """What each band of an orthophoto is.

    Args:
        colours: Indexes of red, green and blue, from 1.
        alpha: Index of the band that says what shows something; None when a mask or nodata value
            does, or nothing.
        alpha_full: Value of `alpha` where the orthophoto shows something.
        left_out: Bands that are not used, for a note.
    """

    colours: tuple[int, int, int]
    alpha: int | None = None
    alpha_full: int = 255
    left_out: tuple[int, ...] = ()


def read_bands(dataset: DatasetReader, path: Path) -> Bands:
    """Find the colours and the alpha channel of an open orthophoto.

    A fourth band without a tag is an alpha channel when it holds 0 and one other value; else it is
    something else (near infrared) and left out.

    Args:
        dataset: The orthophoto.
        path: Its file, named in errors.

    Raises:
        RasterReadError: Its bands are not those of an orthophoto.
    """
    _check(dataset, path)
    tags = dataset.colorinterp
    colours = (1, 2, 3)
    if all(tags.count(tag) == 1 for tag in _RGB):
        red, green, blue = (tags.index(tag) + 1 for tag in _RGB)
        colours = (red, green, blue)
    others = [band for band in range(1, dataset.count + 1) if band not in colours]
    tagged = [band for band in others if tags[band - 1] == ColorInterp.alpha]
    alpha = tagged[0] if tagged else None
    full = 255
    if alpha is not None and dataset.dtypes[alpha - 1] != "uint8":
        # Sixteen-bit orthophotos come with an alpha of 65535 as well as of 255.
        full = max(1, int(look(dataset, alpha).max()))
    elif alpha is None and others:
        values = np.unique(look(dataset, others[0]))
        if len(values) == 2 and values[0] == 0:
            alpha, full = others[0], int(values[1])
    left_out = tuple(band for band in others if band != alpha)
    return Bands(colours, alpha, full, left_out)


def look(dataset: DatasetReader, bands: int | tuple[int, ...], mask: bool = False) -> NDArray[Any]:
    """Take single pixels, evenly spread over the whole file.

    Args:
        dataset: An open raster.
        bands: Which.
        mask: Their validity (0 or 255) instead of their values.
    """
    scale = max(1.0, max(dataset.shape) / _LOOK_PX)
    shape = tuple(max(1, round(side / scale)) for side in dataset.shape)
    read = dataset.read_masks if mask else dataset.read
    out_shape = shape if isinstance(bands, int) else (len(bands), *shape)
    return np.asarray(read(bands, out_shape=out_shape, resampling=Resampling.nearest))


def look_at_colours(dataset: DatasetReader, bands: Bands) -> NDArray[Any]:
    """Take the colours of single valid pixels, evenly spread over the whole file.

    Shapes:
        returns: (3, pixels)
    """
    if bands.alpha is not None:
        valid = look(dataset, bands.alpha) >= bands.alpha_full / 2
    else:
        valid = look(dataset, bands.colours, mask=True).max(axis=0) > 0
    return np.asarray(look(dataset, bands.colours)[:, valid])


def has_mask(dataset: DatasetReader) -> bool:
    """Tell whether a mask or a nodata value says where a raster shows something."""
    return MaskFlags.all_valid not in dataset.mask_flag_enums[0]


def _check(dataset: DatasetReader, path: Path) -> None:
    if dataset.count == 0:
        raise RasterReadError(
            "file holds no single raster",
            where=path,
            found=f"{len(dataset.subdatasets)} rasters",
            expected="one orthophoto",
            remedy="`gdal_translate` copies one of them into a file of its own",
        )
    dtypes = sorted(set(dataset.dtypes))
    found = f"{dataset.count} band(s) of {'/'.join(dtypes)}"
    palette = dataset.colorinterp[0] == ColorInterp.palette
    remedy = None
    if palette:
        found += " with a colour table"
        remedy = f"`gdal_translate -expand rgb {path.name} rgb.tif` mends it"
    elif len(dtypes) == 1 and dtypes[0] not in DEPTHS:
        remedy = f"`gdal_translate -ot UInt16 {path.name} 16bit.tif` mends it if the values fit"
    elif dataset.count < 3:
        remedy = "export it in colour"
    tagged = all(tag in dataset.colorinterp for tag in _RGB)
    right_count = dataset.count in (3, 4) or (dataset.count > 4 and tagged)
    if not right_count or len(dtypes) != 1 or dtypes[0] not in DEPTHS:
        raise RasterReadError(
            "not an orthophoto",
            where=path,
            found=found,
            expected="3 or 4 bands (RGB, RGBA) of uint8 or uint16",
            remedy=remedy or "`gdal_translate -b 1 -b 2 -b 3` keeps the first three",
        )
