"""Filters for rasterio's warnings of a missing georeference, set for the whole process.

`read_georeference` raises an error of ours instead, and arrays in memory need none. Filters set
around a call are lost when another thread restores those of its own.
"""

import warnings

warnings.filterwarnings("ignore", message="Dataset has no geotransform")
warnings.filterwarnings("ignore", message="The given matrix is equal to Affine.identity")
