"""What is known of a DEM before its heights are read: one frozen value, read once.

`dem_heights.py` reads the heights, `height_rules.py` tells them from markers.
"""

import math
import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS
from pyproj.exceptions import CRSError
from rasterio.enums import ColorInterp
from rasterio.errors import CRSError as RasterioCRSError
from rasterio.io import DatasetReader

from grave_cli.errors import RasterReadError
from grave_cli.rasters.bands import sample_pixels
from grave_cli.rasters.georeference import Georeference, ground_pixel_m, read_georeference
from grave_cli.rasters.height_rules import (
    HeightRules,
    equal_notes,
    find_rules,
    marker_notes,
    refuse_no_heights,
    steepness_notes,
)
from grave_cli.rasters.raster_file import open_raster, refuse_complex
from grave_cli.wording import quoted

_US_FOOT = 1200 / 3937
_METRES = {
    **dict.fromkeys(("m", "metre", "meter", "metres", "meters"), 1.0),
    **dict.fromkeys(("ft", "foot", "international foot", "foot international"), 0.3048),
    **dict.fromkeys(("us ft", "ft us", "ftus", "usft", "us survey foot", "us foot"), _US_FOOT),
    **dict.fromkeys(("foot us", "survey foot", "foot us survey"), _US_FOOT),
    **dict.fromkeys(("cm", "centimetre", "centimeter", "centimetres", "centimeters"), 0.01),
    **dict.fromkeys(("dm", "decimetre", "decimeter", "decimetres", "decimeters"), 0.1),
    **dict.fromkeys(("mm", "millimetre", "millimeter", "millimetres", "millimeters"), 0.001),
}
_FOOT_TOLERANCE = 1e-3
_COARSE_M = 0.5  # pixels larger than half the width of a grave do not show its shape


@dataclass(frozen=True)
class Dem:
    """A DEM that has been inspected: its file can be used, and this is how.

    Args:
        path: The file, on any grid and in any CRS.
        georeference: CRS, geotransform and size.
        rules: Which stored values are heights, and their metres.
        has_alpha: Its second band is an alpha channel.
        notes: Notes for the surveyor on how the file is read, one line each.
        doubts: Reasons to doubt its heights, one line each.
        terrain: A DTM, the ground without the things on it, from which heights are measured; None:
            the ground is estimated from the DEM itself.
    """

    path: Path
    georeference: Georeference
    rules: HeightRules
    has_alpha: bool
    notes: tuple[str, ...]
    doubts: tuple[str, ...] = ()
    terrain: "Dem | None" = None

    @property
    def name(self) -> str:
        """File name."""
        return self.path.name


def inspect_dem(path: Path, terrain: Path | None = None) -> Dem:
    """Read everything but the heights of a DEM, and check that it can be used.

    Args:
        path: Raster of heights, on any grid and in any CRS.
        terrain: A DTM below it, also on any grid; None without one.

    Raises:
        GridError: One has no usable CRS or geotransform.
        RasterReadError: One cannot be opened, or holds no heights.
    """
    with open_raster(path) as dataset:
        return above(describe_dem(dataset, path), terrain)


def above(dem: Dem, terrain: Path | None) -> Dem:
    """Return a DEM whose heights are measured from a DTM; unchanged without one.

    Args:
        dem: The DEM.
        terrain: The DTM.

    Raises:
        GridError: The DTM has no usable CRS or geotransform.
        RasterReadError: It cannot be opened, or holds no heights.
    """
    if terrain is None:
        return dem
    ground = inspect_dem(terrain)
    notes, doubts = (*dem.notes, *ground.notes), (*dem.doubts, *ground.doubts)
    return replace(dem, terrain=ground, notes=notes, doubts=doubts)


def describe_dem(dataset: DatasetReader, path: Path) -> Dem:
    """Do what `inspect_dem` does, with a file that is open.

    Args:
        dataset: The open file.
        path: Its path, named in errors and notes.

    Raises:
        GridError: It has no usable CRS or geotransform.
        RasterReadError: It holds no heights.
    """
    _check(dataset, path)
    place = read_georeference(dataset, path)
    unit = find_unit(dataset, path)
    sample = _sample(dataset)
    rules = find_rules(
        sample[np.isfinite(sample)],
        scale=dataset.scales[0] * unit.metres,
        offset=dataset.offsets[0] * unit.metres,
        is_scaled=_is_scaled(dataset),
    )
    refuse_no_heights(sample[np.isfinite(sample)], rules, path)
    across, down = ground_pixel_m(place)
    spacing = down * place.height / sample.shape[0], across * place.width / sample.shape[1]
    notes = [*unit.notes, *marker_notes(sample, rules, path)]
    doubts = [*unit.doubts, *steepness_notes(sample, rules, spacing, path)]
    doubts += equal_notes(sample, rules, path)
    if (edge := max(across, down)) > _COARSE_M:
        doubts.append(f"{path}: its pixels of {edge:.1f} m are too coarse to show graves")
    if _is_in_whole_metres(dataset, unit.metres):
        doubts.append(
            f"{path}: heights in whole metres show no graves; if they are centimetres, "
            f"`gdal_edit.py -scale 0.01 {quoted(path.name)}` says so"
        )
    notes += place.notes
    return Dem(path, place, rules, dataset.count == 2, tuple(notes), tuple(doubts))


def _sample(dataset: DatasetReader) -> NDArray[np.float64]:
    """Sample stored values, NaN where the file itself says that there is none."""
    stored = sample_pixels(dataset, 1).astype(np.float64)
    stored[sample_pixels(dataset, 1, mask=True) == 0] = np.nan
    if dataset.count == 2:
        stored[sample_pixels(dataset, 2) == 0] = np.nan
    return np.asarray(stored)


def _is_in_whole_metres(dataset: DatasetReader, unit: float) -> bool:
    return (
        np.issubdtype(dataset.dtypes[0], np.integer) and not _is_scaled(dataset) and abs(unit) == 1
    )


def _is_scaled(dataset: DatasetReader) -> bool:
    return bool(dataset.scales[0] != 1)


def _check(dataset: DatasetReader, path: Path) -> None:
    refuse_complex(dataset, path)
    found = f"{dataset.count} band(s) of {'/'.join(sorted(set(dataset.dtypes)))}"
    eight_bit = set(dataset.dtypes) == {"uint8"} and not _is_scaled(dataset)
    if dataset.count in (1, 3, 4) and eight_bit:
        raise RasterReadError(
            "this is a picture of a DEM: its colours are not heights",
            where=path,
            found=found,
            expected="one band of heights in metres",
            remedy="export the DEM itself (float32), not its coloured or shaded view",
        )
    with_alpha = dataset.count == 2 and dataset.colorinterp[1] == ColorInterp.alpha
    if dataset.count != 1 and not with_alpha:
        raise RasterReadError(
            "not a DEM",
            where=path,
            found=found,
            expected="one band of heights in metres",
            remedy=f"`gdal_translate -b 1 {quoted(path.name)} dem.tif` keeps the first band",
        )


@dataclass(frozen=True)
class HeightUnit:
    """The unit of the heights of a file.

    Args:
        metres: Metres per unit.
        notes: How it was found, one line each.
        doubts: Reasons to doubt it, one line each.
    """

    metres: float = 1.0
    notes: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()


def find_unit(dataset: DatasetReader, path: Path) -> HeightUnit:
    """Find the unit of heights in the band's tag or the vertical CRS; the default is the metre.

    In a CRS of depths, numbers grow downwards: they become heights.

    Args:
        dataset: The open file.
        path: Its path, named in notes.
    """
    stated, crs = _plain_unit(dataset.units[0] or ""), _crs_of(dataset)
    if stated and stated not in _METRES:
        unknown = f"{path}: unknown unit of heights {dataset.units[0]!r}, metres are assumed"
        return HeightUnit(doubts=(unknown,))
    vertical = _vertical_unit(crs)
    unit = _METRES.get(stated, vertical)
    if unit is None and _counts_in_feet(crs):
        unsaid = (
            f"{path}: its coordinates are in feet, but its heights are taken as metres; if they are"
            f" feet as well, `gdal_edit.py -units ft {quoted(path.name)}` says so"
        )
        return HeightUnit(doubts=(unsaid,))
    factor = math.copysign(unit or 1.0, vertical or 1.0)
    if factor == 1.0:
        return HeightUnit()
    return HeightUnit(factor, (f"{path}: heights are converted to metres (times {factor:.6g})",))


def _plain_unit(text: str) -> str:
    """Spell a unit in one way: `US survey feet`, `us_ft` and `Foot (US survey)` are known ones."""
    words = re.findall(r"[a-zµ]+", text.lower())
    return " ".join(dict(feet="foot").get(word, word) for word in words)


def _crs_of(dataset: DatasetReader) -> CRS | None:
    try:
        return CRS.from_wkt(dataset.crs.to_wkt()) if dataset.crs else None
    except (CRSError, RasterioCRSError):
        return None


def _vertical_unit(crs: CRS | None) -> float | None:
    """Return the metres per unit of a vertical CRS, below 0 if it counts depths."""
    if crs is None or not crs.is_compound:
        return None
    axis = crs.sub_crs_list[1].axis_info[0]
    return float(axis.unit_conversion_factor) * (-1 if axis.direction == "down" else 1)


def _counts_in_feet(crs: CRS | None) -> bool:
    if crs is None or not crs.is_projected:
        return False
    return abs(crs.axis_info[0].unit_conversion_factor - 0.3048) < _FOOT_TOLERANCE
