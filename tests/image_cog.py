"""Cloud-optimised GeoTIFFs, and the bytes of their blocks."""

from pathlib import Path

import rasterio
import rasterio.shutil
from rasterio.windows import Window

BLOCK = 256


def cog_of(source: Path, target: Path) -> Path:
    """Copy a raster to a cloud-optimised GeoTIFF."""
    target.parent.mkdir(parents=True, exist_ok=True)
    how = {"compress": "DEFLATE", "blocksize": BLOCK, "overview_resampling": "average"}
    rasterio.shutil.copy(source, target, driver="COG", **how)
    return target


def block_bytes(path: Path, window: Window | None = None) -> int:
    """Count the stored bytes of the blocks under a window; None: of all of them."""
    with rasterio.open(path) as file:
        assert file.block_shapes[0] == (BLOCK, BLOCK)
        left, top, right, bottom = (0, 0, file.width, file.height)
        if window is not None:
            left, top = window.col_off, window.row_off
            right, bottom = left + window.width, top + window.height
        bands = (1,) if file.interleaving.name == "pixel" else file.indexes
        return sum(
            int(file.get_tag_item(f"BLOCK_SIZE_{column}_{row}", "TIFF", bidx=band) or 0)
            for band in bands
            for row in range(top // BLOCK, (bottom - 1) // BLOCK + 1)
            for column in range(left // BLOCK, (right - 1) // BLOCK + 1)
        )
