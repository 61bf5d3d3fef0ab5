"""The bands of an orthophoto: its colours, and where it shows something."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import ColorInterp, MaskFlags, Resampling
from rasterio.io import DatasetReader
from rasterio.windows import Window

from grave_cli.errors import RasterReadError
from grave_cli.rasters.band_names import COLOURS, BandName, agree, name_of, named_colours
from grave_cli.rasters.band_tags import describe_bands, names_of_bands, selection_command
from grave_cli.rasters.bit_depth import DEPTHS, range_of_floats, to_eight_bits
from grave_cli.wording import counted, quoted

_RGB = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
_SAMPLE_PX = 512  # longer side of the sample taken of a whole file
_FULL = 255
_NEAR = 16  # a lossy alpha channel holds values this close to 0 and to 255
_NEAR_SHARE = 0.98  # at least this share of them; the rest lies along edges
_PICTURE_SHARE = 0.5  # a band with more values between transparent and opaque is a picture
_PROBED_BLOCKS = 64


@dataclass(frozen=True)
class Bands:
    """The meaning of each band of an orthophoto.

    Args:
        colours: Indexes of red, green and blue, from 1.
        alpha: Index of the alpha channel; None when a mask or a nodata value marks the valid
            pixels, or nothing does.
        alpha_full: Value of `alpha` where the orthophoto shows something.
        unused: Bands that are ignored, for a note.
        by_name: The descriptions of the bands say which ones are the colours.
    """

    colours: tuple[int, int, int]
    alpha: int | None = None
    alpha_full: int = _FULL
    unused: tuple[int, ...] = ()
    by_name: bool = False


def read_bands(dataset: DatasetReader, path: Path) -> Bands:
    """Find the colours and the alpha channel of an open orthophoto.

    Descriptions of the bands count more than colour tags, which many programs write without being
    asked, and tags more than the order. A fourth band without a tag is an alpha channel if it holds
    0 and one other value, or values about 0 and 255 (lossy compression). Otherwise it is something
    else, such as near infrared, and is ignored.

    Args:
        dataset: The orthophoto.
        path: Its file, named in errors.

    Raises:
        RasterReadError: Its bands are not those of an orthophoto.
    """
    names = names_of_bands(dataset)
    colours = _find_colours(dataset, names)
    _check(dataset, path, colours)
    if colours is None:
        raise _not_in_colour(dataset, path, names)
    alpha, full = _find_alpha(dataset, path, colours, names)
    tags = dataset.colorinterp
    unused = tuple(
        band
        for band in _without(dataset, colours)
        if band != alpha and tags[band - 1] != ColorInterp.alpha
    )
    return Bands(colours, alpha, full, unused, by_name=named_colours(names) is not None)


def _find_colours(
    dataset: DatasetReader, names: list[BandName | None]
) -> tuple[int, int, int] | None:
    """Find red, green and blue: by name, by tag, or the first three; None if a name forbids it."""
    if (named := named_colours(names)) is not None:
        return named
    tags = dataset.colorinterp
    bands = (1, 2, 3)
    if all(tags.count(tag) == 1 for tag in _RGB):
        red, green, blue = (tags.index(tag) + 1 for tag in _RGB)
        bands = (red, green, blue)
    elif dataset.count not in (3, 4):
        return None
    return bands if agree(names, bands) else None


def _find_alpha(
    dataset: DatasetReader, path: Path, colours: tuple[int, int, int], names: list[BandName | None]
) -> tuple[int | None, int]:
    """Find the alpha channel and its value where the orthophoto shows something.

    One that is opaque everywhere says nothing: then a mask or a nodata value counts, if there is
    one.
    """
    tags = dataset.colorinterp
    others = _without(dataset, colours)
    for band in others:
        if tags[band - 1] == ColorInterp.alpha and names[band - 1] == "other":
            raise _mistagged(dataset, path, band, others)
    marked = [
        band for band in others if tags[band - 1] == ColorInterp.alpha or names[band - 1] == "alpha"
    ]
    if marked:
        full = _largest(dataset, marked[0])
        if full == 0:
            raise _all_transparent(path, marked[0])
        if names[marked[0] - 1] != "alpha" and _is_picture(dataset, marked[0], full):
            raise _mistagged(dataset, path, marked[0], others)
        if _has_other_mark(dataset, colours) and _is_opaque(dataset, marked[0], full):
            return None, _FULL
        return marked[0], full
    if not others or names[others[0] - 1] == "other":
        return None, _FULL
    values, counts = np.unique(sample_pixels(dataset, others[0]), return_counts=True)
    if len(values) == 2 and values[0] == 0:
        return others[0], int(values[1])
    near = (values <= _NEAR) | (values >= _FULL - _NEAR)
    both_ends = values[0] <= _NEAR and _FULL - _NEAR <= values[-1] <= _FULL
    if both_ends and counts[near].sum() >= _NEAR_SHARE * counts.sum():
        return others[0], _FULL
    return None, _FULL


def _without(dataset: DatasetReader, colours: tuple[int, int, int]) -> tuple[int, ...]:
    return tuple(band for band in range(1, dataset.count + 1) if band not in colours)


def _has_other_mark(dataset: DatasetReader, colours: tuple[int, int, int]) -> bool:
    """Tell whether a mask or a nodata value, and no alpha channel, marks the valid pixels."""
    flags = dataset.mask_flag_enums[colours[0] - 1]
    return MaskFlags.all_valid not in flags and MaskFlags.alpha not in flags


def _is_opaque(dataset: DatasetReader, band: int, full: int) -> bool:
    """Tell whether an alpha channel has no transparent pixel; most files show one in few blocks."""
    looks = (dataset.read(band, window=window) for window in _spread_blocks(dataset, band))
    return all((look >= full / 2).all() for look in looks) and bool(
        (sample_pixels(dataset, band) >= full / 2).all()
    )


def _is_picture(dataset: DatasetReader, band: int, full: int) -> bool:
    """Tell whether a band holds a picture, such as near infrared, instead of transparency.

    Most programs tag the fourth band as an alpha channel, whatever it is. One block tells in most
    files; all of the file is sampled only if that one looks like a picture.
    """
    middle = dataset.read(band, window=next(_spread_blocks(dataset, band)))
    return _looks_pictured(middle, full) and _looks_pictured(sample_pixels(dataset, band), full)


def _looks_pictured(values: NDArray[Any], full: int) -> bool:
    near = full * _NEAR / _FULL
    between = values[(values > near) & (values < full - near)]
    return between.size > _PICTURE_SHARE * values.size and len(np.unique(between)) > _NEAR


def _largest(dataset: DatasetReader, band: int) -> int:
    """Find the value of an alpha channel where it is opaque.

    It is 255, or 65535, or 1: any program has its own idea. One block tells in most files, and no
    more than a few are read before all of the file is sampled.
    """
    is_bytes = dataset.dtypes[band - 1] == "uint8"
    if is_bytes:
        for window in _spread_blocks(dataset, band):
            if dataset.read(band, window=window).max() > _FULL / 2:
                return _FULL
    return int(sample_pixels(dataset, band).max())


def _spread_blocks(dataset: DatasetReader, band: int) -> Iterator[Window]:
    """Yield blocks of a band, from its middle to its edges."""
    height, width = dataset.block_shapes[band - 1]
    rows, columns = -(-dataset.height // height), -(-dataset.width // width)
    step = max(1, round((rows * columns / _PROBED_BLOCKS) ** 0.5))
    middle = (rows - 1) / 2, (columns - 1) / 2
    places = [
        (row, column)
        for row in range(min(step // 2, rows // 2), rows, step)
        for column in range(min(step // 2, columns // 2), columns, step)
    ]
    places.sort(key=lambda place: (place[0] - middle[0]) ** 2 + (place[1] - middle[1]) ** 2)
    for row, column in places[:_PROBED_BLOCKS]:
        yield dataset.block_window(band, row, column)


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


def _check(dataset: DatasetReader, path: Path, colours: tuple[int, int, int] | None) -> None:
    if dataset.count == 0:
        raise RasterReadError(
            "file holds several rasters or none",
            where=path,
            found=counted(len(dataset.subdatasets), "raster"),
            expected="one orthophoto",
            remedy="`gdal_translate` copies one of them to a separate file",
        )
    dtypes = sorted(set(dataset.dtypes))
    found = f"{dataset.count} band(s) of {'/'.join(dtypes)}"
    remedy = None
    if dataset.colorinterp[0] == ColorInterp.palette:
        found += " with a colour table"
        remedy = f"`gdal_translate -expand rgb {quoted(path.name)} rgb.tif` converts it"
    elif dataset.count < 3:
        is_dem = dataset.count == 1 and dtypes[0] not in DEPTHS
        remedy = "this looks like a DEM: name the orthophoto" if is_dem else "export it in colour"
    elif (len(dtypes) != 1 or dtypes[0] not in DEPTHS) and colours is not None:
        remedy = _eight_bit_remedy(dataset, path, colours)
    elif colours is None and not any(names_of_bands(dataset)):
        remedy = selection_command(dataset)
    if remedy is not None:
        raise RasterReadError(
            "not an orthophoto",
            where=path,
            found=found,
            expected="3 or 4 bands (RGB, RGBA) of uint8 or uint16",
            remedy=remedy,
        )


def _eight_bit_remedy(dataset: DatasetReader, path: Path, colours: tuple[int, int, int]) -> str:
    """Name the command that makes a picture of 8 bits out of numbers of any kind."""
    values, tags, alpha = sample_pixels(dataset, colours), dataset.colorinterp, None
    valid, kept = sample_pixels(dataset, colours, mask=True) > 0, [*colours]
    if ColorInterp.alpha in tags:
        kept.append(tags.index(ColorInterp.alpha) + 1)
        opacity = sample_pixels(dataset, kept[3])
        alpha, valid[:] = (4, float(opacity.max())), opacity >= opacity.max() / 2
    low, high = range_of_floats(values[valid])
    scaled = to_eight_bits(low, high, marker=None if alpha else dataset.nodata, alpha=alpha)
    names = " ".join(f"-b {band}" for band in kept)
    return f"`gdal_translate {names} {scaled} {quoted(path.name)} rgb.tif` makes it 8-bit"


def _not_in_colour(
    dataset: DatasetReader, path: Path, names: list[BandName | None]
) -> RasterReadError:
    tags = {tag.name for tag in dataset.colorinterp}
    missing = [colour for colour in COLOURS if colour not in {*names, *tags}]
    remedy = "export the orthophoto of the colour camera"
    if not missing:
        remedy = selection_command(dataset)
    return RasterReadError(
        f"orthophoto has no {missing[0]} band" if missing else "colours are ambiguous",
        where=path,
        found=f"bands {describe_bands(dataset)}",
        expected="red, green and blue, each once",
        remedy=remedy,
    )


def _mistagged(
    dataset: DatasetReader, path: Path, band: int, others: tuple[int, ...]
) -> RasterReadError:
    kept = " ".join(f"-b {one}" for one in range(1, dataset.count + 1) if one not in others)
    described = name_of(dataset.descriptions[band - 1]) == "other"
    really = "described as something else" if described else "holds a picture, such as infrared"
    return RasterReadError(
        f"band {band} is tagged as an alpha channel but {really}",
        where=path,
        found=f"bands {describe_bands(dataset)}"
        if described
        else "more half-transparent than other pixels",
        expected="transparent and opaque pixels, or no alpha channel",
        remedy=f"`gdal_translate {kept} {quoted(path.name)} rgb.tif` keeps the colours",
    )


def _all_transparent(path: Path, band: int) -> RasterReadError:
    return RasterReadError(
        "orthophoto is transparent everywhere",
        where=path,
        found=f"an alpha channel (band {band}) of 0",
        expected="an alpha channel above 0 where it shows something",
        remedy=f"export it again, or `gdal_translate -b 1 -b 2 -b 3 {quoted(path.name)} rgb.tif` "
        "drops the alpha channel",
    )
