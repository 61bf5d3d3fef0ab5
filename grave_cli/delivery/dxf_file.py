"""A layer of graves in, a DXF drawing for CAD out: one layer for each field, numbers as text."""

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from pyproj import CRS

from grave_cli.atomic_writes import whole_file
from grave_cli.delivery.layer import Layer

if TYPE_CHECKING:
    from ezdxf.layouts.layout import Modelspace

_APPLICATION = "GRAVECLI"
_VERSION = "R2010"
_TEXT_M = 0.3  # height of the numbers
_COLOURS = (1, 3, 4, 5, 6, 30, 140, 200)  # AutoCAD's index colours that show on black and white
_FORBIDDEN = re.compile(r"[<>/\\\":;?*|=`,\x00-\x1f]")  # in names of layers
_UNITS = {"metre": 6, "foot": 2, "US survey foot": 21}  # $INSUNITS


def write_dxf(layer: Layer, path: Path) -> None:
    """Write graves as DXF.

    The layers are called after the fields: `F01`, `F02`, and `F00` for graves in no field. Each
    outline carries its `grave_id` as extended data of the application GRAVECLI.

    Args:
        layer: The graves, in a projected CRS.
        path: The file; an existing one is replaced.

    Raises:
        ExportError: It cannot be written.
    """
    with _without_warnings():
        from ezdxf.filemanagement import new as new_drawing

    axis = CRS(layer.crs).axis_info[0]
    drawing = new_drawing(_VERSION)
    drawing.header["$INSUNITS"] = _UNITS.get(axis.unit_name, 0)
    drawing.header["$MEASUREMENT"] = int(axis.unit_name == "metre")
    drawing.appids.add(_APPLICATION)
    for index, name in enumerate(sorted({_field(row) for row in layer.rows})):
        if name not in drawing.layers:  # capitals make no difference there
            drawing.layers.add(name, color=_COLOURS[index % len(_COLOURS)])
    height = _TEXT_M / axis.unit_conversion_factor
    for outline, row in zip(layer.polygons(), layer.rows, strict=True):
        _draw(drawing.modelspace(), outline, row, height)
    with whole_file(path) as new:
        drawing.saveas(new)


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Import ezdxf silently: it lists the system's fonts, and warns if it cannot keep the list."""
    logger = logging.getLogger("ezdxf")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def _field(row: Mapping[str, Any]) -> str:
    """Name the layer of a grave; an office may have named its fields."""
    name = _one_line(row["field"] or 0)
    return f"F{int(name):02d}" if name.isdecimal() else f"F{_FORBIDDEN.sub('_', name)}"


def _one_line(value: Any) -> str:
    """Write a value in one line, as DXF needs it; 12.0 of a column of real numbers is 12."""
    return " ".join(str(value).split()).removesuffix(".0")


def _draw(
    space: "Modelspace", outline: shapely.Polygon, row: Mapping[str, Any], height: float
) -> None:
    from ezdxf.enums import TextEntityAlignment

    on_layer = {"layer": _field(row)}
    grave_id = " ".join(str(row["grave_id"]).splitlines())
    for ring in (outline.exterior, *outline.interiors):
        points = np.asarray(ring.coords)[:-1, :2]
        line = space.add_lwpolyline(points.tolist(), close=True, dxfattribs=on_layer)
        line.set_xdata(_APPLICATION, [(1000, grave_id)])
    if row["number"] is not None:
        text = space.add_text(_one_line(row["number"]), height=height, dxfattribs=on_layer)
        inside = outline.representative_point()
        middle = outline.centroid if outline.covers(outline.centroid) else inside
        text.set_placement((middle.x, middle.y), align=TextEntityAlignment.MIDDLE_CENTER)
