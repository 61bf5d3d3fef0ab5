"""Two CRSs and a place in, a warning out if the way between them is not known exactly enough.

Without its grid of datum shifts PROJ falls back on a formula that is off by metres, as for the
British grid. Of a CRS with an unknown datum, such as a file says "based on Bessel 1841", it takes
the coordinates as they are, which is off by 100 m and more.
"""

import warnings
from functools import lru_cache
from pathlib import Path

from pyproj import Transformer
from pyproj.exceptions import ProjError
from pyproj.transformer import AreaOfInterest, TransformerGroup

from grave_cli.rasters.crs import LONLAT, parse_crs, parsed, transformer

_TOLERATED_M = 0.5  # half the width of a grave
_BALLPARK = "Ballpark geographic offset"  # PROJ's word for coordinates taken as they are
_SAME_M = 1.0  # ellipsoids whose axes differ less are alike
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
        found = _doubt(source, target, round(longitude, 1), round(latitude, 1))
    except (ProjError, OverflowError, ValueError):  # another planet, or no place at all
        return None
    if found is None:
        return None
    grid, error_m = found
    amount = f"about {error_m:g} m" if error_m > 0 else "some metres"
    names = [parsed(parse_crs(crs)).name for crs in (source, target)]
    if not grid:
        return (
            f"{where}: positions can be off by 100 m or more, because no way is known from "
            f"{names[0]} to {names[1]}: one has an unknown datum; set its right CRS"
        )
    return (
        f"{where}: positions can be off by {amount}, because PROJ's grid {grid} is missing "
        f"(from {' to '.join(names)}); `pyproj sync --file {grid.partition('.')[0]}` fetches it, "
        "or export all files in one CRS"
    )


@lru_cache(maxsize=64)
def _doubt(source: str, target: str, longitude: float, latitude: float) -> tuple[str, float] | None:
    """Return the missing grid and the error without it in metres, -1 if unknown; or None.

    The grid is empty if no way is known at all between two different ellipsoids.
    """
    area = AreaOfInterest(longitude - 0.01, latitude - 0.01, longitude + 0.01, latitude + 0.01)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the same in other words
        ways = TransformerGroup(source, target, always_xy=True, area_of_interest=area)
    if _differ(source, target) and _is_ballpark(source, target, longitude, latitude):
        return "", -1.0
    if ways.best_available or not ways.transformers:
        return None
    error_m = float(ways.transformers[0].accuracy)
    for way in ways.unavailable_operations:
        missing = [grid.short_name for grid in way.grids if not grid.available]
        better = error_m < 0 or (error_m > _TOLERATED_M and way.accuracy <= _BETTER * error_m)
        if missing and way.accuracy >= 0 and better:
            return missing[0], error_m
    return None


def _is_ballpark(source: str, target: str, longitude: float, latitude: float) -> bool:
    """Tell whether PROJ takes coordinates as they are; the group of all ways knows no detours."""
    steps = Transformer.from_crs(source, target, always_xy=True)
    steps.transform(*transformer(LONLAT, source).transform(longitude, latitude))
    return _BALLPARK in steps.get_last_used_operation().description


def _differ(source: str, target: str) -> bool:
    """Tell whether two CRSs have different ellipsoids."""
    axes = [parsed(parse_crs(crs)).ellipsoid for crs in (source, target)]
    first, second = ((one.semi_major_metre, one.semi_minor_metre) for one in axes if one)
    return any(abs(a - b) > _SAME_M for a, b in zip(first, second, strict=True))
