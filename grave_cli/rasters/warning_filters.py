"""Filters for warnings of rasterio that say nothing to a user, set for the whole process.

Of a missing georeference: `read_georeference` raises an error of ours instead, and arrays in memory
need none. Of a nodata value beside an alpha channel: `read_bands` chooses between them. Filters set
around a call are lost when another thread restores those of its own.
"""

import warnings

warnings.filterwarnings("ignore", message="Dataset has no geotransform")
warnings.filterwarnings("ignore", message="The given matrix is equal to Affine.identity")
warnings.filterwarnings("ignore", message="The dataset's nodata attribute is shadowing the alpha")
