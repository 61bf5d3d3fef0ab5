"""Geometries as a GeoPackage stores them: a header, an envelope, and well-known binary.

Source: https://www.geopackage.org/spec/#gpb_format
"""

import math
import struct
from typing import Any

import shapely

# Bytes of the envelope before the geometry, by its code in the flags.
_ENVELOPE_BYTES = {0: 0, 1: 32, 2: 48, 3: 48, 4: 64}
_HEADER_BYTES = 8
_FLAGS = 0b0000_0011  # little endian, with an envelope of x and y


def without_header(blob: Any) -> bytes:
    """Return the well-known binary of a stored geometry; of another value, some bytes that tell it.

    Args:
        blob: Value of a column of geometries.
    """
    if not isinstance(blob, bytes) or len(blob) < _HEADER_BYTES:
        return repr(blob).encode()
    envelope = _ENVELOPE_BYTES.get(blob[3] >> 1 & 0b111, 0)
    return blob[_HEADER_BYTES + envelope :]


def geometry_of(blob: Any) -> shapely.Geometry | None:
    """Return a stored geometry; None if there is none, or it cannot be read."""
    if not isinstance(blob, bytes):
        return None
    return shapely.from_wkb(without_header(blob), on_invalid="ignore")


def blob_of(geometry: shapely.Geometry | None, srs_id: int) -> bytes | None:
    """Return a geometry as it is stored.

    Args:
        geometry: A geometry that is not empty, or None.
        srs_id: Number of its CRS in the file.
    """
    if geometry is None:
        return None
    left, bottom, right, top = geometry.bounds
    head = b"GP" + struct.pack("<BBi4d", 0, _FLAGS, srs_id, left, right, bottom, top)
    return head + bytes(shapely.to_wkb(geometry, byte_order=1))


def bound_of(blob: Any, index: int) -> float | None:
    """Return one of left, bottom, right and top of a stored geometry, as GDAL's functions do."""
    geometry = geometry_of(blob)
    value = math.nan if geometry is None else geometry.bounds[index]
    return None if math.isnan(value) else float(value)
