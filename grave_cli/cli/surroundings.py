"""What the process inherits from the shell and must not pass on to the geographic libraries."""

import os

_OTHERS = ("PROJ_DATA", "PROJ_LIB", "GDAL_DATA", "GDAL_DRIVER_PATH")


def forget_other_programs() -> None:
    """Drop the data folders of other programs' GDAL and PROJ, such as those of QGIS or PostGIS.

    rasterio, fiona and pyproj bring their own data. With that of another version, CRSs are not
    recognised. Call this before they are imported; child processes inherit it.
    """
    for name in _OTHERS:
        os.environ.pop(name, None)
