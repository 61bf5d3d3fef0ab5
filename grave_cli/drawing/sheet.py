"""Pictures and captions in, a sheet out: stacks, rows, headings, legends."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageOps

from grave_cli.drawing.colormaps import INK, PAPER, Color, Rgb
from grave_cli.drawing.lettering import Font, composed, letters

TITLE_PX = 22
CAPTION_PX = 16
GAP_PX = 8
_MARGIN_PX = 10
_MARK_PX = 18


@dataclass(frozen=True)
class Mark:
    """One entry of a legend.

    Args:
        caption: Meaning of the symbol.
        color: Colour of the symbol; None for text only.
        is_line: Whether the symbol is an outline instead of a filled box.
        ramp: Colours of a scale, instead of one colour.
    """

    caption: str
    color: Color | None = None
    is_line: bool = False
    ramp: Rgb | None = None

    @property
    def symbol_px(self) -> int:
        """Width of the symbol."""
        if self.ramp is not None:
            return int(self.ramp.shape[1])
        return _MARK_PX if self.color else 0


def stack(pictures: Sequence[Image.Image], gap: int = 0) -> Image.Image:
    """Stack pictures, aligned at the left."""
    width = max(picture.width for picture in pictures)
    height = sum(picture.height for picture in pictures) + gap * (len(pictures) - 1)
    sheet = Image.new("RGB", (width, height), PAPER)
    top = 0
    for picture in pictures:
        sheet.paste(picture, (0, top))
        top += picture.height + gap
    return sheet


def beside(pictures: Sequence[Image.Image], gap: int = GAP_PX) -> Image.Image:
    """Place pictures side by side, aligned at the top."""
    width = sum(picture.width for picture in pictures) + gap * (len(pictures) - 1)
    sheet = Image.new("RGB", (width, max(picture.height for picture in pictures)), PAPER)
    left = 0
    for picture in pictures:
        sheet.paste(picture, (left, 0))
        left += picture.width + gap
    return sheet


def framed(picture: Image.Image, margin: int = _MARGIN_PX) -> Image.Image:
    """Add a margin of paper around a picture."""
    return ImageOps.expand(picture, margin, PAPER)


def heading(text: str, width: int, size: int = CAPTION_PX) -> Image.Image:
    """Write text on a strip of paper, wrapped to its width.

    Args:
        text: The text.
        width: Width of the strip, in pixels.
        size: Height of the letters, in pixels.
    """
    font = letters(size)
    lines = list(_wrap(composed(text), width, font))
    strip = Image.new("RGB", (width, (size + 6) * len(lines) + 2), PAPER)
    draw = ImageDraw.Draw(strip)
    for number, line in enumerate(lines):
        draw.text((0, (size + 6) * number + 2), line, fill=INK, font=font)
    return strip


def legend(marks: Sequence[Mark], width: int, size: int = CAPTION_PX) -> Image.Image:
    """Draw a legend on a strip of paper, wrapped to its width.

    Args:
        marks: The entries.
        width: Width of the strip, in pixels.
        size: Height of the letters, in pixels.
    """
    font = letters(size)
    row = size + 10
    places, left, top = [], 0, 0
    for mark in marks:
        needed = mark.symbol_px + 6 * bool(mark.symbol_px) + int(font.getlength(mark.caption))
        if left and left + needed > width:
            left, top = 0, top + row
        places.append((left, top))
        left += needed + 22
    strip = Image.new("RGB", (width, top + row), PAPER)
    draw = ImageDraw.Draw(strip)
    for mark, (x, y) in zip(marks, places, strict=True):
        _draw_symbol(strip, mark, (x, y + 4), size)
        at = x + mark.symbol_px + 6 * bool(mark.symbol_px)
        draw.text((at, y + 2), mark.caption, fill=INK, font=font)
    return strip


def write_scale(picture: Image.Image, ramp: Rgb, low: str, high: str, note: str) -> None:
    """Draw a colour scale with its ends and a note into the lower left corner, in place.

    Args:
        picture: An RGB picture.
        ramp: Colours from low to high, (1, W, 3).
        low: Text to the left of the scale.
        high: Text to the right of it.
        note: Text below it.
    """
    font = letters(14)
    bar = Image.fromarray(ramp).resize((ramp.shape[1], 12))
    ends = [int(font.getlength(text)) for text in (low, high)]
    width = max(sum(ends) + bar.width + 24, int(font.getlength(note)) + 12)
    top = picture.height - 46
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, top, width, picture.height), fill=PAPER)
    draw.text((6, top + 4), low, fill=INK, font=font)
    picture.paste(bar, (12 + ends[0], top + 7))
    draw.text((18 + ends[0] + bar.width, top + 4), high, fill=INK, font=font)
    draw.text((6, top + 24), note, fill=INK, font=font)


def _draw_symbol(strip: Image.Image, mark: Mark, at: tuple[int, int], size: int) -> None:
    x, y = at
    draw = ImageDraw.Draw(strip)
    if mark.ramp is not None:
        strip.paste(Image.fromarray(mark.ramp).resize((mark.symbol_px, size)), (x, y))
    elif mark.color is not None and mark.is_line:
        draw.rectangle((x, y, x + _MARK_PX - 2, y + size - 2), outline=mark.color, width=3)
    elif mark.color is not None:
        draw.rectangle((x, y, x + _MARK_PX - 2, y + size - 2), fill=mark.color)


def _wrap(text: str, width: int, font: Font) -> Iterator[str]:
    """Break text into lines at its spaces, and a word that is longer than a line anywhere."""
    line = ""
    for word in text.split():
        longer = f"{line} {word}".strip()
        if line and font.getlength(longer) > width:
            yield line
            longer = word
        line = longer
        while len(line) > 1 and font.getlength(line) > width:
            fits = (
                end for end in range(len(line) - 1, 1, -1) if font.getlength(line[:end]) <= width
            )
            end = next(fits, 1)
            yield line[:end]
            line = line[end:]
    yield line
