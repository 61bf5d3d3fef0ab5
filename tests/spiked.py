"""Outlines that are valid, but only just."""

import shapely

UTM = "EPSG:25832"

SPIKED = shapely.Polygon(
    [
        (500001.22247, 5300002.53812),
        (500000.863079, 5300001.321728),
        (500001.1341707429, 5300002.6386842225),
        (500000.8630789999, 5300001.321728),
        (500002.864979, 5300000.730253),
        (500003.22437, 5300001.946645),
    ]
)
"""A grave of 1.3 x 2.1 m with a spike a tenth of a micrometre wide. In a frame of metres around it,
the lines of the spike cross, and GEOS refuses to cut or unite the grave with another one."""
