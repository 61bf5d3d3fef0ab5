"""Encode: grave instances in, the three target channels out (the other half is `instances.py`).

Channels, in this order: body (inside an outline), border (a band inside each outline), contact (a
band where two graves meet, reaching into both).
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

BODY, BORDER, CONTACT = range(3)
CHANNEL_NAMES = ("body", "border", "contact")
MIN_BAND_PX = 2  # thinner bands get lost in the decoder's last upsampling

_NONE = np.iinfo(np.int32).max


def encode(
    instances: NDArray[np.int32], gsd_m: float, border_width_m: float, contact_width_m: float
) -> NDArray[np.uint8]:
    """Turn grave ids into the channels the network learns.

    The contact band is centred on the line, or the gap, between two graves and as wide as
    contact_width_m. Graves that share an edge get it too: it reaches at least 2 px into both.

    Args:
        instances: Grave ids from 1, 0 is background.
        gsd_m: Pixel edge in metres.
        border_width_m: Width of the border band, metres.
        contact_width_m: Width of the contact band, metres; graves farther apart have none.

    Shapes:
        instances: (H, W); returns: (3, H, W), 0 or 1
    """
    border_px = max(MIN_BAND_PX, round(border_width_m / gsd_m))
    reach_px = max(MIN_BAND_PX, round(contact_width_m / gsd_m / 2))
    body = instances > 0
    lowest, highest = _extremes(instances, border_px)
    border = body & ((lowest != instances) | (highest != instances))
    lowest, highest = _extremes(np.where(body, instances, _NONE), reach_px, instances)
    contact = (lowest != highest) & (highest > 0) & (lowest < _NONE)
    return np.stack([body, border, contact]).astype(np.uint8)


def _extremes(
    for_lowest: NDArray[np.int32], reach_px: int, for_highest: NDArray[np.int32] | None = None
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Find the lowest and the highest id within reach of each pixel.

    Reach is round: bands of a square reach would be 1.4 times as wide on graves that lie askew, and
    close over small ones.
    """
    rows, columns = np.ogrid[-reach_px : reach_px + 1, -reach_px : reach_px + 1]
    reach = rows**2 + columns**2 <= (reach_px + 0.3) ** 2
    highest_of = for_lowest if for_highest is None else for_highest
    lowest = ndimage.minimum_filter(for_lowest, footprint=reach, mode="nearest")
    highest = ndimage.maximum_filter(highest_of, footprint=reach, mode="nearest")
    return lowest, highest
