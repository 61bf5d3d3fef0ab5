"""The letters of captions: a font that knows the names of cemeteries."""

import importlib.util
import unicodedata
from functools import lru_cache
from pathlib import Path

from PIL import ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

# The font inside Pillow has no umlauts. DejaVu Sans has European scripts; it runs wider.
_FONT = Path("mpl-data", "fonts", "ttf", "DejaVuSans.ttf")
_AS_WIDE = 0.9


@lru_cache(maxsize=8)
def letters(size: int) -> Font:
    """Return the font of captions.

    Args:
        size: Of the letters, in pixels, about.

    Source: DejaVu Sans as it comes with matplotlib, which is looked up, not imported.
    """
    found = importlib.util.find_spec("matplotlib")
    for folder in (found.submodule_search_locations or ()) if found else ():
        path = Path(folder) / _FONT
        if path.is_file():
            return ImageFont.truetype(path, round(size * _AS_WIDE))
    return ImageFont.load_default(size)


def composed(text: str) -> str:
    """Write letters with their marks as one sign: macOS names files with two."""
    return unicodedata.normalize("NFC", text)
