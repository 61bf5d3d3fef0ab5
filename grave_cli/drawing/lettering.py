"""The font of captions, with letters for the names of European cemeteries."""

import importlib.util
import unicodedata
from functools import lru_cache
from pathlib import Path

from PIL import ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

# Pillow's own font has no umlauts. DejaVu Sans covers European scripts but runs wider.
_FONT = Path("mpl-data", "fonts", "ttf", "DejaVuSans.ttf")
_AS_WIDE = 0.9


@lru_cache(maxsize=8)
def letters(size: int) -> Font:
    """Return the font of captions.

    Source: DejaVu Sans as shipped with matplotlib, which is located but not imported.

    Args:
        size: Approximate height of the letters, in pixels.
    """
    found = importlib.util.find_spec("matplotlib")
    for folder in (found.submodule_search_locations or ()) if found else ():
        path = Path(folder) / _FONT
        if path.is_file():
            return ImageFont.truetype(str(path), round(size * _AS_WIDE))
    return ImageFont.load_default(size)


def composed(text: str) -> str:
    """Compose letters with their diacritics, and put all on one line.

    macOS decomposes letters in file names; on Linux and macOS, a name may hold a line break.
    """
    plain = "".join(" " if unicodedata.category(one) == "Cc" else one for one in text)
    return unicodedata.normalize("NFC", plain)
