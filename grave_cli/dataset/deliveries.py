"""Does a cemetery fit a model? What cannot be honest is refused, the rest is adapted and said."""

from collections.abc import Iterable
from pathlib import Path

from grave_cli.rasters.bands import look_at_colours
from grave_cli.rasters.bit_depth import ValueRange, range_of
from grave_cli.rasters.dem import open_dem
from grave_cli.rasters.orthophoto import open_orthophoto


def delivery_notes(orthophoto: Path, dem: Path | None) -> tuple[str, ...]:
    """Say what is not plain about the rasters of a cemetery and how they are read.

    Args:
        orthophoto: Its orthophoto.
        dem: Its DEM, if that is used.

    Raises:
        GraveError: One of them cannot be used.
    """
    with open_orthophoto(orthophoto) as opened:
        notes = opened.notes
    if dem is not None:
        with open_dem(dem) as heights:
            notes += heights.notes
    return notes


def measure_value_range(paths: Iterable[Path]) -> ValueRange | None:
    """Measure the range of the values of the 16-bit ones among some orthophotos.

    Args:
        paths: Those that are trained on.

    Returns:
        The range that holds all but a thousandth of their valid values at each end; None when all
        have 8 bits.

    Raises:
        RasterReadError: One cannot be opened.
    """
    sixteen = []
    for path in sorted(set(paths)):
        with open_orthophoto(path) as orthophoto:
            if not orthophoto.is_eight_bit:
                sixteen.append(look_at_colours(orthophoto.dataset, orthophoto.bands))
    return range_of(sixteen) if sixteen else None


def check_depths(paths: Iterable[Path], value_range: ValueRange | None) -> None:
    """Refuse 16-bit orthophotos among those that are only looked at later, before any work.

    Args:
        paths: Those that are trained, validated or tested on.
        value_range: Of those that are trained on; None when all have 8 bits.

    Raises:
        RasterReadError: One has 16 bits, and none that is trained on has.
    """
    for path in sorted(set(paths)) if value_range is None else ():
        with open_orthophoto(path) as orthophoto:
            if not orthophoto.is_eight_bit:
                raise orthophoto.refusal()
