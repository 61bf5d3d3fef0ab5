"""What the process inherits from the shell and must not pass on to the geographic libraries."""

import os

_OTHERS = (
    *("PROJ_DATA", "PROJ_LIB", "GDAL_DATA", "GDAL_DRIVER_PATH"),
    # Set for rasters on the net, they hide the files beside a raster: world files, masks.
    *("GDAL_DISABLE_READDIR_ON_OPEN", "GDAL_PAM_ENABLED"),
)


def forget_other_programs() -> None:
    """Drop settings that other programs make for their GDAL and PROJ, such as QGIS or PostGIS.

    rasterio, fiona and pyproj bring their own data; with that of another version, CRSs are not
    recognised. Call this before they are imported; child processes inherit it.
    """
    for name in _OTHERS:
        os.environ.pop(name, None)
