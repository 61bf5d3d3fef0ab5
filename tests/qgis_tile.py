"""Reads a square of an image as the plugin Deepness does, with the QGIS of the system.

Run by its Python: `qgis_tile.py IMAGE LEFT TOP EDGE PIXELS OUT` writes (PIXELS, PIXELS, 3) bytes.
"""

import os
import sys
from pathlib import Path

os.environ["QT_QPA_PLATFORM"] = "offscreen"

from qgis.core import QgsApplication, QgsRasterLayer, QgsRectangle


def main() -> None:
    image, left, top, edge, pixels, out = sys.argv[1:]
    application = QgsApplication([], False)
    application.initQgis()
    layer = QgsRasterLayer(image, "image")
    x, y, size, count = float(left), float(top), float(edge), int(pixels)
    extent = QgsRectangle(x, y - size, x + size, y)
    provider = layer.dataProvider()
    provider.enableProviderResampling(True)
    provider.setZoomedInResamplingMethod(provider.ResamplingMethod.Bilinear)
    provider.setZoomedOutResamplingMethod(provider.ResamplingMethod.Bilinear)
    blocks = [provider.block(band, extent, count, count) for band in (1, 2, 3)]
    # A block owns the bytes that `data` shows.
    Path(out).write_bytes(b"".join(bytes(block.data()) for block in blocks))
    os._exit(0)  # QGIS crashes when Python takes it down


if __name__ == "__main__":
    main()
