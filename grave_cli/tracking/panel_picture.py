"""The form of a picture that MLflow's panels show; a click on it shows the picture itself."""

from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

# A panel shows pictures in a square as wide as itself: of about 230 pixels on the page of a run, of
# more than 1300 in full screen. Smaller pictures stand in its middle, and no more than the upper
# half of it is in sight: the height of a panel is fixed, and params stand above the picture.
_SIDE_PX = 1400
_IN_SIGHT = 0.44


def panel_picture(picture: "Image.Image") -> "Image.Image":
    """Scale a picture into the upper part of a transparent square, which a panel has in sight.

    Args:
        picture: RGB.

    Returns:
        RGBA; its `save` is fast.
    """
    from PIL import Image

    scale = min(_SIDE_PX / picture.width, _IN_SIGHT * _SIDE_PX / picture.height)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    small = picture.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)
    square = Image.new("RGBA", (_SIDE_PX, _SIDE_PX))
    square.paste(small, ((_SIDE_PX - size[0]) // 2, 0))
    square.save = partial(square.save, method=0)  # type: ignore[method-assign]
    return square
