"""What a raster says of its bands: descriptions, wavelengths and colour tags."""

from collections.abc import Iterator

from rasterio.enums import ColorInterp
from rasterio.io import DatasetReader

from grave_cli.rasters.band_names import BandName, name_of, stated_wavelength

_SILENT = (ColorInterp.undefined, ColorInterp.gray)
_COLOURS = (ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha)


def names_of_bands(dataset: DatasetReader) -> list[BandName | None]:
    """Name each band by its description or wavelength, or by a tag that is no colour (infrared).

    Tags of colours name nothing: many programs write them without being asked.

    Args:
        dataset: An open raster.
    """
    return [
        name_of(text) or (None if tag in (*_SILENT, *_COLOURS) else "other")
        for text, tag in _descriptions(dataset)
    ]


def describe_bands(dataset: DatasetReader) -> str:
    """List the bands for an error: descriptions, or else tags ("nir, Red, -").

    Args:
        dataset: An open raster.
    """
    return ", ".join(
        text or ("-" if tag in _SILENT else tag.name) for text, tag in _descriptions(dataset)
    )


def selection_command(dataset: DatasetReader) -> str:
    """Name the command that keeps one band of each colour, and the alpha channel if there is one.

    Args:
        dataset: An open raster.
    """
    alpha = " -b ALPHA" if ColorInterp.alpha in dataset.colorinterp else ""
    command = f"`gdal_translate -b RED -b GREEN -b BLUE{alpha}`"
    return f"{command} keeps one band of each, named by number"


def _descriptions(dataset: DatasetReader) -> Iterator[tuple[str | None, ColorInterp]]:
    """Yield description and tag of each band; one that names no colour may have a wavelength."""
    both = zip(dataset.descriptions, dataset.colorinterp, strict=True)
    for band, (description, tag) in enumerate(both, start=1):
        if name_of(description) is not None:
            yield description, tag
            continue
        metadata = dataset.tags(band) | dataset.tags(band, ns="IMAGERY")
        yield stated_wavelength(metadata) or description, tag
