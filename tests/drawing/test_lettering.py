import numpy as np
import pytest
from PIL import Image, ImageDraw

from grave_cli.drawing.lettering import composed, letters
from grave_cli.drawing.sheet import _wrap, heading

UNKNOWN = "\uffff"  # no character: the font shows its sign for "missing"


def drawn(text: str) -> np.ndarray:
    picture = Image.new("L", (60, 40))
    ImageDraw.Draw(picture).text((10, 5), text, fill=255, font=letters(24))
    return np.asarray(picture)


@pytest.mark.parametrize("sign", "äöüÄÖÜßéłčøЖΩ–²")
def test_letters_of_european_names_are_known(sign: str) -> None:
    assert drawn(sign).any()
    assert (drawn(sign) != drawn(UNKNOWN)).any()


def test_a_long_name_without_spaces_is_wrapped_not_cut() -> None:
    name = "St_Anna_" + "x" * 60
    lines = list(_wrap(f"{name}: F1 0.91", 200, letters(22)))
    assert "".join(lines).replace(" ", "") == f"{name}:F10.91"
    assert len(lines) > 2
    assert max(letters(22).getlength(line) for line in lines) <= 200
    assert list(_wrap("", 200, letters(22))) == [""]


def test_a_line_break_in_a_name_is_a_space() -> None:
    assert composed("St. Anna\nNord\r") == "St. Anna Nord "
    ImageDraw.Draw(Image.new("L", (60, 40))).textlength(composed("a\nb"), letters(24))


def test_a_name_written_with_separate_marks_looks_the_same() -> None:
    apart = "Ko\u0308ln"
    assert composed(apart) == "Köln"
    assert np.array_equal(np.asarray(heading(apart, 200)), np.asarray(heading("Köln", 200)))
