"""Pictures and captions laid out on a sheet: stacks, rows, headings, legends."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

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
        caption: What the sign means.
        color: Of the sign; None for plain words.
        is_line: The sign is a line, not an area.
        ramp: Colours of a scale, instead of one colour.
    """

    caption: str
    color: Color | None = None
    is_line: bool = False
    ramp: Rgb | None = None

    @property
    def sign_px(self) -> int:
        """Width of the sign."""
        if self.ramp is not None:
            return int(self.ramp.shape[1])
        return _MARK_PX if self.color else 0


def stack(pictures: Sequence[Image.Image], gap: int = 0) -> Image.Image:
    """Lay pictures below one another, at the left."""
    width = max(picture.width for picture in pictures)
    height = sum(picture.height for picture in pictures) + gap * (len(pictures) - 1)
    sheet = Image.new("RGB", (width, height), PAPER)
    top = 0
    for picture in pictures:
        sheet.paste(picture, (0, top))
        top += picture.height + gap
    return sheet


def beside(pictures: Sequence[Image.Image], gap: int = GAP_PX) -> Image.Image:
    """Lay pictures side by side, at the top."""
    width = sum(picture.width for picture in pictures) + gap * (len(pictures) - 1)
    sheet = Image.new("RGB", (width, max(picture.height for picture in pictures)), PAPER)
    left = 0
    for picture in pictures:
        sheet.paste(picture, (left, 0))
        left += picture.width + gap
    return sheet


def framed(picture: Image.Image, margin: int = _MARGIN_PX) -> Image.Image:
    """Leave a margin of paper around a picture."""
    size = (picture.width + 2 * margin, picture.height + 2 * margin)
    sheet = Image.new("RGB", size, PAPER)
    sheet.paste(picture, (margin, margin))
    return sheet


def heading(text: str, width: int, size: int = CAPTION_PX) -> Image.Image:
    """Write words on a strip of paper, folded to its width.

    Args:
        text: The words.
        width: Of the strip, in pixels.
        size: Of the letters, in pixels.
    """
    font = letters(size)
    lines = list(_fold(composed(text), width, font))
    strip = Image.new("RGB", (width, (size + 6) * len(lines) + 2), PAPER)
    draw = ImageDraw.Draw(strip)
    for number, line in enumerate(lines):
        draw.text((0, (size + 6) * number + 2), line, fill=INK, font=font)
    return strip


def legend(marks: Sequence[Mark], width: int, size: int = CAPTION_PX) -> Image.Image:
    """Explain signs on a strip of paper, in as many lines as its width needs.

    Args:
        marks: What to explain.
        width: Of the strip, in pixels.
        size: Of the letters, in pixels.
    """
    font = letters(size)
    row = size + 10
    places, left, top = [], 0, 0
    for mark in marks:
        needed = mark.sign_px + 6 * bool(mark.sign_px) + int(font.getlength(mark.caption))
        if left and left + needed > width:
            left, top = 0, top + row
        places.append((left, top))
        left += needed + 22
    strip = Image.new("RGB", (width, top + row), PAPER)
    draw = ImageDraw.Draw(strip)
    for mark, (x, y) in zip(marks, places, strict=True):
        _draw_sign(strip, mark, (x, y + 4), size)
        at = x + mark.sign_px + 6 * bool(mark.sign_px)
        draw.text((at, y + 2), mark.caption, fill=INK, font=font)
    return strip


def write_scale(picture: Image.Image, ramp: Rgb, low: str, high: str, note: str) -> None:
    """Draw a scale of colours with its ends and a note into the lower left, in place.

    Args:
        picture: RGB.
        ramp: Colours from low to high, (1, W, 3).
        low: What stands left of it.
        high: What stands right of it.
        note: What stands below it.
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


def _draw_sign(strip: Image.Image, mark: Mark, at: tuple[int, int], size: int) -> None:
    x, y = at
    draw = ImageDraw.Draw(strip)
    if mark.ramp is not None:
        strip.paste(Image.fromarray(mark.ramp).resize((mark.sign_px, size)), (x, y))
    elif mark.color is not None and mark.is_line:
        draw.rectangle((x, y, x + _MARK_PX - 2, y + size - 2), outline=mark.color, width=3)
    elif mark.color is not None:
        draw.rectangle((x, y, x + _MARK_PX - 2, y + size - 2), fill=mark.color)


def _fold(text: str, width: int, font: Font) -> Iterator[str]:
    line = ""
    for word in text.split():
        longer = f"{line} {word}".strip()
        if line and font.getlength(longer) > width:
            yield line
            line = word
        else:
            line = longer
    yield line
