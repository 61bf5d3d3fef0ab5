"""Descriptions and wavelengths of bands in, the colours that they name out."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
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
_SEEN_NM: tuple[tuple[float, BandName], ...] = (
    (435, "other"),
    (515, "blue"),
    (600, "green"),
    (700, "red"),
)
"""Upper ends of wavelengths; the cameras of drones have 450 to 475, 560 and 650 to 668 nm."""
_LENGTH = re.compile(
    r"(?:(\d+(?:[.,]\d+)?)\s*[-–]\s*)?(\d+(?:[.,]\d+)?)\s*(nm|nanom|[uµμ]m|microm)", re.IGNORECASE
)


def name_of(description: str | None) -> BandName | None:
    """Find the colour that the description of a band names.

    `Red`, `Band 3 (red)`, `R`, `668 nm` -> red; `Red edge`, `NIR`, `0.84 µm` -> other; `Band 1` ->
    None.

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
    if named:
        return named.pop() if len(named) == 1 else None
    return _seen_at(text)


def stated_wavelength(tags: Mapping[str, str]) -> str | None:
    """Find the wavelength in the metadata of a band, as ENVI and GDAL write it.

    Args:
        tags: Metadata of the band.

    Returns:
        Text that `name_of` reads, such as "560 nm"; None without a wavelength.
    """
    lower = {key.lower().replace("_", ""): value for key, value in tags.items()}
    if value := lower.get("centralwavelengthum"):
        return f"{value} um"
    if not (value := lower.get("wavelength")):
        return None
    unit = lower.get("wavelengthunits") or lower.get("wavelengthunit")
    return f"{value} {unit}" if unit else f"{value} nm"


def _seen_at(text: str) -> BandName | None:
    """Find the colour of the light of a wavelength, or of the middle of two (`520-600 nm`)."""
    match = _LENGTH.search(text)
    if match is None:
        return None
    ends = [float(end.replace(",", ".")) for end in match.group(1, 2) if end]
    middle = sum(ends) / len(ends) * (1 if match[3].lower().startswith("n") else 1000)
    return next((name for end, name in _SEEN_NM if middle < end), "other")


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
