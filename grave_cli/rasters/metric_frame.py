"""A local projection in true metres, so that measurements do not depend on the CRS of the data."""

from dataclasses import dataclass

import numpy as np
import shapely

from grave_cli.outlines.polygons import Polygons
from grave_cli.rasters.crs import LONLAT, transformer


@dataclass(frozen=True)
class MetricFrame:
    """Lambert's azimuthal equal-area projection around a point, in metres.

    Areas are exact everywhere, lengths to 1 in 100 000 up to 50 km from the point. Geometries in
    EPSG:3857 or in degrees need no correction that could be forgotten.

    Source: Snyder 1987, Map Projections: A Working Manual, section 24 (through PROJ's `laea`).

    Args:
        longitude: Longitude of the point, degrees.
        latitude: Latitude of the point, degrees.
    """

    longitude: float
    latitude: float

    @property
    def crs(self) -> str:
        """The frame's CRS."""
        place = f"+lat_0={self.latitude!r} +lon_0={self.longitude!r}"
        return f"+proj=laea {place} +datum=WGS84 +units=m +no_defs"

    def bring(self, geometries: Polygons, crs: str) -> Polygons:
        """Project geometries into the frame.

        Args:
            geometries: Shapely geometries, or None.
            crs: Their CRS, as WKT or authority code.
        """
        to_frame = transformer(crs, self.crs)
        return np.asarray(shapely.transform(geometries, to_frame.transform, interleaved=False))


def frame_around(geometries: Polygons, crs: str) -> MetricFrame:
    """Lay a frame around the median of the vertices of some geometries.

    Args:
        geometries: Shapely geometries, or None; coordinates that lie nowhere are ignored.
        crs: Their CRS, as WKT or authority code.
    """
    points = shapely.get_coordinates(geometries)
    to_lonlat = transformer(crs, LONLAT)
    points = points[np.isfinite(to_lonlat.transform(*points.T)).all(axis=0)]
    if not len(points):
        return MetricFrame(0.0, 0.0)
    # Not the mean of the two in the middle: across the antimeridian it lies at 0 degrees.
    middle = np.quantile(points, 0.5, axis=0, method="lower")
    longitude, latitude = to_lonlat.transform(*middle)
    return MetricFrame(float(longitude), float(latitude))
