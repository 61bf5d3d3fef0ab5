"""Ground truth: the labelled graves of a cemetery, as polygons and as an instance raster.

`data.annotation_layer` names the layer with the graves. Without it, the only layer of polygons is
used, or the one named `graves` (the files that gravecli writes hold graves, graves_raw, coverage).
`mask_graves.py` reads masks.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import rasterio.features
import shapely
from numpy.typing import NDArray

from grave_cli.dataset.manifest import Cemetery
from grave_cli.dataset.mask_graves import read_mask_graves
from grave_cli.errors import DatasetError
from grave_cli.outlines.polygons import Polygons
from grave_cli.rasters.crs import LONLAT, transformer
from grave_cli.rasters.grid import WorkingGrid
from grave_cli.settings.inputs import DataSettings
from grave_cli.vectors.areas import Area, read_area
from grave_cli.vectors.outline_repair import Findings, clean_outlines
from grave_cli.vectors.vector_io import GRAVE_LAYER, Features, LayerChoice, read_features
from grave_cli.vectors.yes_and_no import is_yes

_REVIEWED = "reviewed"
_CLIPPED_SHARE = 0.01  # of its area: a grave that loses less counts as whole (rounding)
_REST_SHARE = 0.05  # of its area: a grave with less than this within the orthophoto is outside


@dataclass(frozen=True)
class Graves:
    """The labelled graves of a cemetery.

    Args:
        polygons: Valid shapely Polygons in the grid's CRS, one per grave, within the grid.
        findings: Counts of repaired and ignored features.
        notes: Notes on how exactly they lie, one line each.
        reviewed: Which graves the office has marked in a column `reviewed`; None without one. They
            all count: the labelled area, not this mark, says which part is complete.
    """

    polygons: Polygons
    findings: Findings = field(default_factory=Findings)
    notes: tuple[str, ...] = ()
    reviewed: NDArray[np.bool_] | None = None


def read_graves(cemetery: Cemetery, grid: WorkingGrid, data: DataSettings | None = None) -> Graves:
    """Read the graves of a cemetery from its annotations or its mask.

    Args:
        cemetery: The cemetery; it has labels.
        grid: Its whole working grid.
        data: Layer and filter of the annotations, and the file that cemeteries share.

    Raises:
        DatasetError: There are no graves, all lie outside of the orthophoto, or their file cannot
            be used.
        GridError: The mask has no usable CRS or geotransform.
        RasterReadError: The mask cannot be used.
    """
    data = data or DataSettings()
    if cemetery.annotations is not None:
        shared = data.annotations != "" and cemetery.annotations == Path(data.annotations)
        return read_grave_file(cemetery.annotations, grid, data, shared=shared)
    if cemetery.mask is not None:
        polygons, notes = read_mask_graves(cemetery.mask, grid)
        return Graves(polygons, notes=notes)
    raise DatasetError(f"cemetery {cemetery.name} has no labels", where=cemetery.orthophoto)


def read_grave_file(
    path: Path, grid: WorkingGrid, data: DataSettings, *, shared: bool = False
) -> Graves:
    """Read the graves of a vector file that lie within a grid.

    Args:
        path: vector file of any supported format.
        grid: The whole working grid of an orthophoto.
        data: Layer and filter.
        shared: The file belongs to several cemeteries, so that graves outside are not a finding.

    Raises:
        DatasetError: There are no graves, all lie outside of the grid, or the file cannot be used.
    """
    choice = LayerChoice(
        data.annotation_layer, data.annotation_filter, GRAVE_LAYER, besides=data.area_layer
    )
    bounds = grid.bounds if shared else None
    found = read_features(path, grid.crs, choice, bounds, columns=(_REVIEWED,))
    clean = clean_outlines(
        found.geometries, min_area=grid.pixel_size**2, unreadable=found.unreadable
    )
    outlines, findings = clean.polygons, clean.findings
    if not len(outlines) and not findings.outside and not shared:
        raise DatasetError(
            "no graves",
            where=path,
            found="; ".join(findings.sentences()) or "no features",
            expected="polygons, or closed lines",
        )
    marks = _reviewed(found)
    graves = _clip(outlines, findings, grid, None if marks is None else marks[clean.source])
    if not len(graves.polygons):
        raise _outside_error(path, outlines, grid, shared)
    outside = 0 if shared else graves.findings.outside
    return replace(graves, findings=replace(graves.findings, outside=outside), notes=found.notes)


def rasterize_instances(polygons: Polygons, grid: WorkingGrid) -> NDArray[np.int32]:
    """Draw graves as instance ids: grave i becomes i + 1, background is 0.

    Where outlines overlap, the smaller grave is on top.

    Args:
        polygons: Graves in the grid's CRS.
        grid: The grid or a crop of it.

    Shapes:
        returns: (H, W)
    """
    order = np.argsort(-shapely.area(polygons), kind="stable")
    shapes = [(polygons[index], int(index) + 1) for index in order]
    if not shapes:
        return np.zeros(grid.shape, np.int32)
    return np.asarray(
        rasterio.features.rasterize(
            shapes, out_shape=grid.shape, transform=grid.transform, dtype="int32"
        )
    )


def _reviewed(found: Features) -> NDArray[np.bool_] | None:
    """Read the mark of each feature; a drawn one has none (NULL)."""
    values = found.values.get(_REVIEWED)
    if values is None:
        return None
    return np.array([is_yes(value) for value in values], np.bool_)


def _clip(
    outlines: Polygons, findings: Findings, grid: WorkingGrid, reviewed: NDArray[np.bool_] | None
) -> Graves:
    """Cut outlines at the grid's edge and drop those outside of it."""
    edge = shapely.box(*grid.bounds)
    pieces = np.where(shapely.within(outlines, edge), outlines, _cut(outlines, edge))
    rest, whole = shapely.area(pieces), shapely.area(outlines)
    inside = rest > np.maximum(_REST_SHARE * whole, 0)
    kept, source = shapely.get_parts(pieces[inside], return_index=True)
    marks = None if reviewed is None else reviewed[inside][source]
    clipped = inside & (rest < (1 - _CLIPPED_SHARE) * whole)
    outside = findings.outside + int((~inside).sum())
    findings = replace(findings, outside=outside, clipped=int(clipped.sum()))
    return Graves(kept, findings, reviewed=marks)


def _cut(outlines: Polygons, edge: shapely.Polygon) -> Polygons:
    """Return the part of each outline within the edge, without lines and points of contact."""
    pieces = shapely.intersection(outlines, edge)
    mixed = shapely.get_type_id(pieces) == shapely.GeometryType.GEOMETRYCOLLECTION
    for index in np.flatnonzero(mixed):
        areas = [part for part in shapely.get_parts(pieces[index]) if part.area > 0]
        pieces[index] = shapely.union_all(areas)
    return np.asarray(pieces)


def _outside_error(path: Path, outlines: Polygons, grid: WorkingGrid, shared: bool) -> DatasetError:
    if shared:
        return DatasetError(
            "none of its graves lie within this orthophoto",
            where=path,
            expected=f"graves within {_rounded(grid.bounds)}",
            remedy="label this cemetery, remove it from data.train, or correct the CRS",
        )
    where = "beyond the range of the orthophoto's CRS"
    if len(outlines):
        where = f"within {_rounded(shapely.total_bounds(outlines))}"
    return DatasetError(
        "all graves lie outside of the orthophoto",
        where=path,
        found=f"graves {where}",
        expected=f"within {_rounded(grid.bounds)}",
        remedy="x and y of the graves are swapped: swap them in QGIS (Processing > Swap X and Y "
        "coordinates)"
        if _are_swapped(outlines, grid)
        else "the CRS of one of them is probably wrong",
    )


def _are_swapped(outlines: Polygons, grid: WorkingGrid) -> bool:
    """Tell whether outlines lie on the grid with x and y, or longitude and latitude, swapped."""
    points = shapely.get_coordinates(shapely.centroid(outlines))
    lon, lat = transformer(grid.crs, LONLAT).transform(*points.T)
    left, bottom, right, top = grid.bounds
    for x, y in (points[:, ::-1].T, transformer(LONLAT, grid.crs).transform(lat, lon)):
        if ((left <= x) & (x <= right) & (bottom <= y) & (y <= top)).any():
            return True
    return False


def _rounded(bounds: object) -> tuple[int, ...]:
    return tuple(round(float(value)) for value in bounds)  # type: ignore[attr-defined]


def read_labelled_area(cemetery: Cemetery, grid: WorkingGrid, data: DataSettings) -> Area | None:
    """Read the labelled part of a cemetery; None if all of it is labelled.

    It comes from the cemetery's file in areas/, or from the layer `data.area_layer` of its
    annotations. A cemetery that is labelled by a mask has no such layer.

    Args:
        cemetery: The cemetery.
        grid: Its whole working grid.
        data: Name of the layer.

    Raises:
        DatasetError: The area cannot be read, or lies outside of the orthophoto.
    """
    if cemetery.area is not None:
        return read_area(cemetery.area, grid)
    if data.area_layer and cemetery.annotations is not None:
        return read_area(cemetery.annotations, grid, data.area_layer)
    return None
