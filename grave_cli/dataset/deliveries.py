"""The rasters of a data set as delivered: notes on how they are read, and their bit depths."""

from collections.abc import Iterable, Iterator

from grave_cli.dataset.file_kinds import DTM, bears_tag
from grave_cli.errors import RasterReadError
from grave_cli.rasters.bands import sample_colours
from grave_cli.rasters.bit_depth import FOREIGN_RATIO, ValueRange, range_of, range_ratio
from grave_cli.rasters.datum_shift import shift_note
from grave_cli.rasters.dem import Dem
from grave_cli.rasters.orthophoto import Orthophoto
from grave_cli.rasters.raster_file import open_raster


def delivery_notes(orthophoto: Orthophoto, dem: Dem | None) -> tuple[str, ...]:
    """Return the notes on how the rasters of a cemetery are read, one line each.

    Args:
        orthophoto: Its orthophoto.
        dem: Its DEM; None if there is none or it is not used.
    """
    return orthophoto.notes + (() if dem is None else dem.notes)


def height_notes(dem: Dem | None) -> tuple[str, ...]:
    """Return the note from where heights are measured, if that is a DTM.

    Args:
        dem: A DEM; None if there is none or it is not used.
    """
    if dem is None or dem.terrain is None:
        return ()
    return (f"{dem.path}: heights of graves are measured from {dem.terrain.name}",)


def delivery_doubts(orthophoto: Orthophoto, dem: Dem | None) -> tuple[str, ...]:
    """Return reasons to doubt the heights of a cemetery or their place, one line each.

    Args:
        orthophoto: Its orthophoto.
        dem: Its DEM; None if there is none or it is not used.
    """
    if dem is None:
        return ()
    place = dem.georeference
    left, bottom, right, top = place.bounds
    middle = (left + right) / 2, (bottom + top) / 2
    shift = shift_note(place.crs, orthophoto.georeference.crs, middle, dem.path)
    return (*dem.doubts, *_terrain_doubts(dem), *((shift,) if shift else ()))


def _terrain_doubts(dem: Dem) -> Iterator[str]:
    if dem.terrain is None and bears_tag(dem.path, DTM):
        yield f"{dem.path}: by its name it is a DTM, which shows no graves; a DSM shows them"


def measure_value_range(orthophotos: Iterable[Orthophoto]) -> ValueRange | None:
    """Measure the common range of the values of those orthophotos that have 16 bits.

    Args:
        orthophotos: The training orthophotos; one that occurs twice counts once.

    Returns:
        The range that holds all but a thousandth of their valid values at each end; None if all
        have 8 bits.

    Raises:
        RasterReadError: One cannot be opened.
    """
    samples = []
    for orthophoto in _each_once(orthophotos):
        if not orthophoto.is_eight_bit:
            with open_raster(orthophoto.path) as dataset:
                samples.append(sample_colours(dataset, orthophoto.bands))
    return range_of(samples) if samples else None


def check_depths(orthophotos: Iterable[Orthophoto], value_range: ValueRange | None) -> None:
    """Refuse 16-bit orthophotos that the model would refuse to map after hours of training.

    Args:
        orthophotos: The orthophotos of all splits.
        value_range: Range of the training orthophotos; None if all of them have 8 bits.

    Raises:
        RasterReadError: An orthophoto has 16 bits, but no training orthophoto has, or its values
            are of quite another range.
    """
    for orthophoto in _each_once(orthophotos):
        if orthophoto.is_eight_bit:
            continue
        if value_range is None:
            raise orthophoto.sixteen_bit_refusal()
        if range_ratio(orthophoto.own_range, value_range) > FOREIGN_RATIO:
            (low, high), known = orthophoto.own_range, value_range
            raise RasterReadError(
                "the orthophoto's values are outside of the range of the training orthophotos",
                where=orthophoto.path,
                found=f"{low:g} to {high:g}",
                expected=f"about {known[0]:g} to {known[1]:g}",
                remedy=orthophoto.rescaling(known),
            )


def _each_once(orthophotos: Iterable[Orthophoto]) -> list[Orthophoto]:
    by_path = {orthophoto.path: orthophoto for orthophoto in orthophotos}
    return [by_path[path] for path in sorted(by_path)]
