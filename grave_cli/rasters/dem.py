"""What is known of a DEM before its heights are read: one frozen value, read once.

`dem_heights.py` reads the heights, `height_rules.py` tells them from markers.
"""

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
    find_rules,
    marker_notes,
    refuse_no_heights,
    steepness_notes,
)
from grave_cli.rasters.raster_file import open_raster, refuse_complex

_METRES = {
    **dict.fromkeys(("m", "metre", "meter", "metres", "meters"), 1.0),
    **dict.fromkeys(("ft", "foot", "feet", "international foot"), 0.3048),
    **dict.fromkeys(("us-ft", "ftus", "us survey foot", "us foot", "foot_us"), 1200 / 3937),
    **dict.fromkeys(("cm", "centimetre", "centimeter", "centimetres", "centimeters"), 0.01),
    **dict.fromkeys(("dm", "decimetre", "decimeter"), 0.1),
    **dict.fromkeys(("mm", "millimetre", "millimeter", "millimetres", "millimeters"), 0.001),
}


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
    unit, unit_note = _metres_per_unit(dataset, path)
    sample = _sample(dataset)
    rules = find_rules(
        sample[np.isfinite(sample)],
        scale=dataset.scales[0] * unit,
        offset=dataset.offsets[0] * unit,
        is_scaled=_is_scaled(dataset),
    )
    refuse_no_heights(sample[np.isfinite(sample)], rules, path)
    across, down = ground_pixel_m(place)
    spacing = down * place.height / sample.shape[0], across * place.width / sample.shape[1]
    notes = [*unit_note, *marker_notes(sample, rules, path)]
    doubts = list(steepness_notes(sample, rules, spacing, path))
    if _is_in_whole_metres(dataset, unit):
        doubts.append(
            f"{path}: heights in whole metres show no graves; if they are centimetres, "
            f"`gdal_edit.py -scale 0.01 {path.name}` says so"
        )
    if place.from_prj:
        notes.append(f"{path}: its CRS is taken from the .prj file beside it")
    return Dem(path, place, rules, dataset.count == 2, tuple(notes), tuple(doubts))


def _sample(dataset: DatasetReader) -> NDArray[np.float64]:
    """Sample stored values, NaN where the file itself says that there is none."""
    stored = sample_pixels(dataset, 1).astype(np.float64)
    stored[sample_pixels(dataset, 1, mask=True) == 0] = np.nan
    if dataset.count == 2:
        stored[sample_pixels(dataset, 2) == 0] = np.nan
    return np.asarray(stored)


def _is_in_whole_metres(dataset: DatasetReader, unit: float) -> bool:
    return np.issubdtype(dataset.dtypes[0], np.integer) and not _is_scaled(dataset) and unit == 1


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
            remedy=f"`gdal_translate -b 1 {path.name} dem.tif` keeps the first band",
        )


def _metres_per_unit(dataset: DatasetReader, path: Path) -> tuple[float, list[str]]:
    """Find the unit of heights in the band's tag or the vertical CRS; the default is the metre.

    Returns:
        Metres per unit, and a note if the unit is unknown or is not the metre.
    """
    stated = (dataset.units[0] or "").strip().lower()
    if stated and stated not in _METRES:
        return 1.0, [f"{path}: unknown unit of heights {stated!r}, metres are assumed"]
    factor = _METRES[stated] if stated else _vertical_unit(dataset)
    if factor == 1.0:
        return 1.0, []
    return factor, [f"{path}: heights are converted to metres (times {factor:.6g})"]


def _vertical_unit(dataset: DatasetReader) -> float:
    try:
        crs = CRS.from_wkt(dataset.crs.to_wkt()) if dataset.crs else None
    except (CRSError, RasterioCRSError):
        return 1.0
    if crs is None or not crs.is_compound:
        return 1.0
    return float(crs.sub_crs_list[1].axis_info[0].unit_conversion_factor)
