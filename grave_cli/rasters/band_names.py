"""Descriptions of bands in, the colours that they name out."""

import re
import unicodedata
from collections.abc import Sequence
from typing import Final, Literal

BandName = Literal["red", "green", "blue", "alpha", "other"]
COLOURS: Final[tuple[BandName, ...]] = ("red", "green", "blue")

_WORDS: dict[str, BandName] = {
    **dict.fromkeys(("red", "rot", "rouge", "rojo", "rosso", "rood", "vermelho"), "red"),
    **dict.fromkeys(("green", "grün", "gruen", "vert", "verde", "groen"), "green"),
    **dict.fromkeys(("blue", "blau", "bleu", "azul", "blu", "blauw"), "blue"),
    "alpha": "alpha",
}
_LETTERS: dict[str, BandName] = {"r": "red", "g": "green", "b": "blue", "a": "alpha"}
_INFRARED = ("edge", "rededge", "re", "nir", "ir", "infrared", "swir", "lwir", "thermal")
_NO_COLOUR = {*_INFRARED, "pan", "panchromatic", "coastal", "yellow", "ndvi", "dsm", "dem"}


def name_of(description: str | None) -> BandName | None:
    """Find the colour that the description of a band names.

    `Red`, `Band 3 (red)`, `R` -> red; `Red edge`, `NIR` -> other; `Band 1` -> None.

    Args:
        description: Description of the band; None or empty without one.
    """
    text = unicodedata.normalize("NFC", description or "").lower()
    words = re.findall(r"[^\W\d_]+", text)
    if _NO_COLOUR & set(words):
        return "other"
    if len(words) == 1 and words[0] in _LETTERS:
        return _LETTERS[words[0]]
    named = {_WORDS[word] for word in words if word in _WORDS}
    return named.pop() if len(named) == 1 else None


def named_colours(names: Sequence[BandName | None]) -> tuple[int, int, int] | None:
    """Return the bands named red, green and blue, from 1; None unless each is named once."""
    if any(names.count(colour) != 1 for colour in COLOURS):
        return None
    red, green, blue = (names.index(colour) + 1 for colour in COLOURS)
    return red, green, blue


def agree(names: Sequence[BandName | None], bands: tuple[int, int, int]) -> bool:
    """Tell whether bands can be red, green and blue: none of them is named otherwise."""
    pairs = zip(COLOURS, bands, strict=True)
    return all(names[band - 1] in (None, colour) for colour, band in pairs)
