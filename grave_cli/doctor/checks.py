"""A cemetery in, its problems out: each check looks for one kind and yields its findings."""

from collections.abc import Callable, Iterator

import numpy as np
import rasterio.features
import shapely
from pyproj import CRS
from scipy import ndimage

from grave_cli.doctor.alignment import Shift, edges, measure_shift
from grave_cli.doctor.patient import Patient
from grave_cli.doctor.report import Finding
from grave_cli.rasters.elevation import check_terrain
from grave_cli.vectors.areas import rasterize_area
from grave_cli.wording import counted, is_or_are, quoted

Check = Callable[[Patient], Iterator[Finding]]

_SCALE_TOLERANCE = 0.02  # difference between map and ground metres that deserves a note
_SHIFT_REACH_M = 3.0
_MISSING_GRID = (
    "the missing grid of datum shifts may be the cause, and the true shift may be larger: get the "
    "grid and check again"
)
_LEAST_SHIFT_M = 0.3  # about the width of a curb and its shadow
_IMAGE_CEILING = 20.0  # grey levels per pixel
_DEM_CEILING = 0.15  # metres per pixel
_PLAUSIBLE_M2 = (0.15, 15.0)  # from an urn grave to a family vault
_LARGE_MPX = 50.0  # from this size on, strips or missing overviews cost minutes
_LOSSY_LEVELS = 12.0  # grey levels by which lossy compression changes a flat border
_BORDER_SHARE = 0.02  # of an image; a smaller part of one pure colour may be a roof
_FAR_M = 12.0  # ground farther from any labelled grave may be unlabelled
_FAR_SHARE = 0.35
_LEAST_DEM_SHARE = 0.9
_LEAST_GRAVE_SHARE, _MOST_GRAVE_SHARE = 0.01, 0.8


def check_scale(patient: Patient) -> Iterator[Finding]:
    """Find a CRS whose metres are not metres on the ground, such as Web Mercator."""
    grid = patient.whole.grid
    unit = CRS.from_user_input(grid.crs).axis_info[0].unit_conversion_factor
    scale = grid.metres_per_unit / unit
    if abs(scale - 1) > _SCALE_TOLERANCE:
        yield Finding(
            "note",
            patient.name,
            f"a metre in its CRS ({patient.layout.crs}) is {scale:.2f} m on the ground, and areas "
            f"in the CRS are {1 / scale**2:.2f} times the true areas; gravecli reports true areas, "
            "other tools may not",
        )


def check_file_layout(patient: Patient) -> Iterator[Finding]:
    """Find large files that are slow to read."""
    layout = patient.layout
    if layout.megapixels < _LARGE_MPX or (layout.is_tiled and layout.has_overviews):
        return
    path = patient.cemetery.orthophoto
    names = f"{quoted(path.name)} {quoted(path.stem + '_cog.tif')}"
    faults = [
        *([] if layout.is_tiled else ["stored in strips"]),
        *([] if layout.has_overviews else ["without overviews"]),
    ]
    yield Finding(
        "warning",
        patient.name,
        f"{path.name} ({layout.megapixels:.0f} Mpx) is slow to read: {', '.join(faults)}",
        f"convert it with `gdal_translate -of COG -co COMPRESS=DEFLATE {names}` or "
        f"`rio cogeo create {names}`",
    )


def check_validity(patient: Patient) -> Iterator[Finding]:
    """Find an orthophoto that shows nothing, and a border without a mark that counts as ground."""
    rgb, valid = patient.pixels.rgb, patient.pixels.valid
    name = patient.cemetery.orthophoto.name
    if not valid.any():
        yield Finding(
            "error",
            patient.name,
            f"{name} shows nothing: no pixel is valid",
            "check its alpha channel, mask or nodata value",
        )
    for value, colour in ((0, "black"), (255, "white")):
        share = float((rgb == value).all(axis=0).mean()) if valid.all() else 0.0
        if share > _BORDER_SHARE:
            yield Finding(
                "warning",
                patient.name,
                f"{share:.0%} of {name} is pure {colour} and counts as ground",
                f"if it is the image's border, `gdal_edit.py -a_nodata {value} "
                f"{quoted(name)}` says so",
            )
    yield from _check_lossy_border(patient)


def _check_lossy_border(patient: Patient) -> Iterator[Finding]:
    """Find a border whose nodata value was changed by lossy compression, so that it counts."""
    photo, name = patient.whole.orthophoto, patient.cemetery.orthophoto.name
    if not photo.is_eight_bit or photo.nodata not in (0, 255):
        return
    rgb, valid = patient.pixels.rgb, patient.pixels.valid
    off = np.abs(rgb - np.float32(photo.nodata)).max(axis=0)
    share = float(((off <= _LOSSY_LEVELS) & valid).sum() / max(valid.sum(), 1))
    if share > _BORDER_SHARE:
        colour, option = ("black", "") if photo.nodata == 0 else ("white", "-white ")
        yield Finding(
            "warning",
            patient.name,
            f"{share:.0%} of {name} is nearly {colour} and counts as ground, because lossy "
            f"compression changed its nodata value {photo.nodata:g}",
            f"if it is the image's border, `nearblack {option}-nb 0 -setalpha -of GTiff -o "
            f"{quoted(patient.cemetery.orthophoto.stem + '_alpha.tif')} {quoted(name)}` marks it",
        )


def check_annotations(patient: Patient) -> Iterator[Finding]:
    """Report repaired and ignored outlines, graves that are not to be seen or of odd size."""
    for sentence in patient.whole.graves.findings.sentences():
        yield Finding("warning", patient.name, sentence, f"check {patient.cemetery.labels}")
    hidden, count = _count_hidden(patient), len(patient.areas_m2)
    if hidden:
        yield Finding(
            "warning",
            patient.name,
            f"{hidden} of {counted(count, 'grave')} {'lies' if hidden == 1 else 'lie'} where "
            f"{patient.cemetery.orthophoto.name} shows nothing",
            "check its alpha channel, mask or nodata value",
        )
    areas, (small, large) = patient.areas_m2, _PLAUSIBLE_M2
    odd = int(((areas < small) | (areas > large)).sum())
    if odd:
        yield Finding(
            "warning",
            patient.name,
            f"{odd} of {counted(len(areas), 'grave')} {'has' if odd == 1 else 'have'} an "
            f"implausible area (range {areas.min():.2f} to {areas.max():.1f} m², expected "
            f"{small:g} to {large:g} m²)",
            "check them, or exclude features that are not graves with data.annotation_filter",
        )
    least = patient.settings.prediction.decoding.min_area_m2
    small_ones = int((areas < least).sum())
    if small_ones:
        yield Finding(
            "warning",
            patient.name,
            f"{small_ones} of {counted(len(areas), 'grave')} {is_or_are(small_ones)} smaller than "
            f"prediction.decoding.min_area_m2 = {least:g} and would not be predicted",
            "lower that setting",
        )


def check_labelled_part(patient: Patient) -> Iterator[Finding]:
    """Find large parts without labels that no area excludes, and too few or too many graves."""
    valid, graves = patient.pixels.valid, _graves_drawn(patient)
    extent = "orthophoto"
    share = float(graves[valid].mean()) if valid.any() else 0.0
    area = patient.whole.area
    if area is None:
        distance = ndimage.distance_transform_edt(~graves) * patient.grid.gsd_m
        far = float((distance[valid] > _FAR_M).mean()) if valid.any() else 0.0
        if far > _FAR_SHARE:
            yield Finding(
                "warning",
                patient.name,
                f"{far:.0%} of the orthophoto is more than {_FAR_M:g} m from any labelled grave",
                f"if there are unlabelled graves, outline the labelled part in "
                f"areas/{patient.name}.gpkg",
            )
    else:
        extent = "labelled area"
        inside = valid & rasterize_area(area, patient.grid)
        share = float(graves[inside].mean()) if inside.any() else 0.0
    if share > _MOST_GRAVE_SHARE:
        yield Finding(
            "warning",
            patient.name,
            f"graves cover {share:.0%} of the {extent}",
            "exclude outlines of whole cemeteries or fields with data.annotation_filter",
        )
    if share < _LEAST_GRAVE_SHARE:
        yield Finding(
            "warning",
            patient.name,
            f"graves cover only {share:.2%} of the {extent}; a class this rare is hard to learn",
            "increase chips.grave_share, or crop the orthophoto",
        )


def check_dem(patient: Patient) -> Iterator[Finding]:
    """Find missing heights, and a DEM that is shifted against the orthophoto.

    Raises:
        RasterReadError: Its DTM does not fit it.
    """
    heights, valid = patient.heights, patient.pixels.valid
    if heights is None:
        return
    known = np.isfinite(heights) & valid
    if not valid.any():
        return
    if not known.any():
        yield Finding(
            "error",
            patient.name,
            f"{patient.cemetery.dem} has no heights within the orthophoto",
            "check that it is of the same place and has the right CRS",
        )
        return
    dem, terrain = patient.whole.dem, patient.terrain
    if dem is not None and dem.terrain is not None and terrain is not None:
        check_terrain(dem.terrain, heights, terrain, patient.grid)
    share = float(known.sum() / max(valid.sum(), 1))
    if share < _LEAST_DEM_SHARE:
        yield Finding("warning", patient.name, f"the DEM covers only {share:.0%} of the orthophoto")
    grey = patient.pixels.rgb.mean(axis=0, dtype=np.float32)
    shift = measure_shift(
        edges(grey, known, _IMAGE_CEILING),
        edges(heights, known, _DEM_CEILING),
        known,
        patient.grid.gsd_m,
        _SHIFT_REACH_M,
    )
    yield from _report_shift(patient, shift, "DEM")


def check_annotations_lie_right(patient: Patient) -> Iterator[Finding]:
    """Find outlines that are shifted against the graves in the orthophoto."""
    valid = patient.pixels.valid
    if not valid.any():
        return
    grey = patient.pixels.rgb.mean(axis=0, dtype=np.float32)
    rings = [(ring, 1) for ring in shapely.get_exterior_ring(patient.whole.graves.polygons)]
    lines = rasterio.features.rasterize(
        rings, out_shape=patient.grid.shape, transform=patient.grid.transform, dtype="float32"
    )
    shift = measure_shift(
        edges(grey, valid, _IMAGE_CEILING),
        ndimage.gaussian_filter(lines, 1.0),
        valid,
        patient.grid.gsd_m,
        _SHIFT_REACH_M,
    )
    yield from _report_shift(patient, shift, "annotations")


GROUND_CHECKS: tuple[Check, ...] = (check_scale, check_file_layout, check_validity, check_dem)
"""Checks of an orthophoto without graves."""

CHECKS: tuple[Check, ...] = (
    check_scale,
    check_file_layout,
    check_validity,
    check_annotations,
    check_labelled_part,
    check_dem,
    check_annotations_lie_right,
)


def _count_hidden(patient: Patient) -> int:
    """Count the graves whose middle is not valid in an orthophoto that shows something."""
    valid, grid = patient.pixels.valid, patient.grid
    if not valid.any():
        return 0
    points = shapely.get_coordinates(shapely.point_on_surface(patient.whole.graves.polygons))
    columns, rows = ~grid.transform @ (points[:, 0], points[:, 1])
    inside = [
        np.clip(np.floor(axis).astype(int), 0, size - 1)
        for axis, size in ((rows, grid.height), (columns, grid.width))
    ]
    return int((~valid[inside[0], inside[1]]).sum())


def _graves_drawn(patient: Patient) -> np.ndarray:
    shapes = [(grave, 1) for grave in patient.whole.graves.polygons]
    drawn = rasterio.features.rasterize(
        shapes, out_shape=patient.grid.shape, transform=patient.grid.transform, dtype="uint8"
    )
    return np.asarray(drawn > 0)


def _report_shift(patient: Patient, shift: Shift, what: str) -> Iterator[Finding]:
    if shift.is_clear(_LEAST_SHIFT_M):
        verb = "appears" if what == "DEM" else "appear"
        east, north = shift.east_m, shift.north_m
        yield Finding(
            "warning",
            patient.name,
            f"{what} {verb} shifted by {abs(east):.1f} m to the {'east' if east >= 0 else 'west'} "
            f"and {abs(north):.1f} m to the {'north' if north >= 0 else 'south'}",
            _MISSING_GRID
            if what != "DEM" and patient.whole.graves.notes
            else "check the CRS and the georeferencing",
        )
