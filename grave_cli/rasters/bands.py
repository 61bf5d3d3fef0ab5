"""The bands of an orthophoto: its colours, and where it shows something."""

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
_SAMPLE_PX = 512  # longer side of the sample taken of a whole file


@dataclass(frozen=True)
class Bands:
    """The meaning of each band of an orthophoto.

    Args:
        colours: Indexes of red, green and blue, from 1.
        alpha: Index of the alpha channel; None when a mask or a nodata value marks the valid
            pixels, or nothing does.
        alpha_full: Value of `alpha` where the orthophoto shows something.
        unused: Bands that are ignored, for a note.
    """

    colours: tuple[int, int, int]
    alpha: int | None = None
    alpha_full: int = 255
    unused: tuple[int, ...] = ()


def read_bands(dataset: DatasetReader, path: Path) -> Bands:
    """Find the colours and the alpha channel of an open orthophoto.

    A fourth band without a tag is an alpha channel if it holds 0 and one other value. Otherwise it
    is something else, such as near infrared, and is ignored.

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
        # The alpha channel of a 16-bit orthophoto may go up to 65535 or only to 255.
        full = max(1, int(sample_pixels(dataset, alpha).max()))
    elif alpha is None and others:
        values = np.unique(sample_pixels(dataset, others[0]))
        if len(values) == 2 and values[0] == 0:
            alpha, full = others[0], int(values[1])
    unused = tuple(band for band in others if band != alpha)
    return Bands(colours, alpha, full, unused)


def sample_pixels(
    dataset: DatasetReader, bands: int | tuple[int, ...], *, mask: bool = False
) -> NDArray[Any]:
    """Sample single pixels, evenly spread over the whole file.

    Args:
        dataset: An open raster.
        bands: Bands to sample.
        mask: Return their validity (0 or 255) instead of their values.
    """
    scale = max(1.0, max(dataset.shape) / _SAMPLE_PX)
    shape = tuple(max(1, round(side / scale)) for side in dataset.shape)
    read = dataset.read_masks if mask else dataset.read
    out_shape = shape if isinstance(bands, int) else (len(bands), *shape)
    return np.asarray(read(bands, out_shape=out_shape, resampling=Resampling.nearest))


def sample_colours(dataset: DatasetReader, bands: Bands) -> NDArray[Any]:
    """Sample the colours of single valid pixels, evenly spread over the whole file.

    Shapes:
        returns: (3, pixels)
    """
    if bands.alpha is not None:
        valid = sample_pixels(dataset, bands.alpha) >= bands.alpha_full / 2
    else:
        valid = sample_pixels(dataset, bands.colours, mask=True).max(axis=0) > 0
    return np.asarray(sample_pixels(dataset, bands.colours)[:, valid])


def has_mask(dataset: DatasetReader) -> bool:
    """Tell whether a mask or a nodata value marks the valid pixels of a raster."""
    return MaskFlags.all_valid not in dataset.mask_flag_enums[0]


def _check(dataset: DatasetReader, path: Path) -> None:
    if dataset.count == 0:
        raise RasterReadError(
            "file holds several rasters or none",
            where=path,
            found=f"{len(dataset.subdatasets)} rasters",
            expected="one orthophoto",
            remedy="`gdal_translate` copies one of them to a separate file",
        )
    dtypes = sorted(set(dataset.dtypes))
    found = f"{dataset.count} band(s) of {'/'.join(dtypes)}"
    palette = dataset.colorinterp[0] == ColorInterp.palette
    remedy = None
    if palette:
        found += " with a colour table"
        remedy = f"`gdal_translate -expand rgb {path.name} rgb.tif` converts it"
    elif len(dtypes) == 1 and dtypes[0] not in DEPTHS:
        remedy = f"`gdal_translate -ot UInt16 {path.name} 16bit.tif` converts it if the values fit"
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
