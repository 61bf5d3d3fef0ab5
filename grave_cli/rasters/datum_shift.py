"""Two CRSs and a place in, a warning out if the way between them lacks its grid of datum shifts.

Without such a grid PROJ falls back on a formula that is off by metres, as for the British grid.
"""

import warnings
from functools import lru_cache
from pathlib import Path

from pyproj.exceptions import ProjError
from pyproj.transformer import AreaOfInterest, TransformerGroup

from grave_cli.rasters.crs import LONLAT, parse_crs, parsed, transformer

_TOLERATED_M = 0.5  # half the width of a grave
_BETTER = 0.5  # a missing grid matters if it would at least halve the error


def shift_note(
    source: str, target: str, place: tuple[float, float], where: Path | str
) -> str | None:
    """Say if coordinates cannot be moved to another CRS as exactly as graves need.

    Args:
        source: CRS of the coordinates.
        target: CRS to which they are moved.
        place: A place amid them, in `source`.
        where: Their file.
    """
    try:
        longitude, latitude = transformer(source, LONLAT).transform(*place)
        found = _missing_grid(source, target, round(longitude, 1), round(latitude, 1))
    except (ProjError, OverflowError, ValueError):  # another planet, or no place at all
        return None
    if found is None:
        return None
    grid, error_m = found
    amount = f"about {error_m:g} m" if error_m > 0 else "some metres"
    names = (parsed(parse_crs(crs)).name for crs in (source, target))
    return (
        f"{where}: positions can be off by {amount}, because PROJ's grid {grid} is missing "
        f"(from {' to '.join(names)}); `pyproj sync --file {grid.partition('.')[0]}` fetches it, "
        "or export all files in one CRS"
    )


@lru_cache(maxsize=64)
def _missing_grid(
    source: str, target: str, longitude: float, latitude: float
) -> tuple[str, float] | None:
    """Return the missing grid and the error without it in metres, -1 if unknown; or None."""
    area = AreaOfInterest(longitude - 0.01, latitude - 0.01, longitude + 0.01, latitude + 0.01)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the same in other words
        ways = TransformerGroup(source, target, always_xy=True, area_of_interest=area)
    if ways.best_available or not ways.transformers:
        return None
    error_m = float(ways.transformers[0].accuracy)
    for way in ways.unavailable_operations:
        missing = [grid.short_name for grid in way.grids if not grid.available]
        better = error_m < 0 or (error_m > _TOLERATED_M and way.accuracy <= _BETTER * error_m)
        if missing and way.accuracy >= 0 and better:
            return missing[0], error_m
    return None
