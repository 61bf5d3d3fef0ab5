"""Encode: grave instances in, the three target channels out (the other half is `instances.py`).

Channels, in this order: body (inside an outline), border (a band inside each outline), contact (a
band where two graves meet, reaching into both).
"""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

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
    lowest, highest = (extreme(instances, border_px, pick) for pick in (np.minimum, np.maximum))
    border = body & ((lowest != instances) | (highest != instances))
    lowest = extreme(np.where(body, instances, _NONE), reach_px, np.minimum)
    highest = extreme(instances, reach_px, np.maximum)
    contact = (lowest != highest) & (highest > 0) & (lowest < _NONE)
    return np.stack([body, border, contact]).astype(np.uint8)


def extreme(
    ids: NDArray[np.int32], reach_px: int, pick: Callable[..., NDArray[np.int32]]
) -> NDArray[np.int32]:
    """Find the lowest or the highest id within reach of each pixel; the edge goes on beyond itself.

    Reach is round: bands of a square reach would be 1.4 times as wide on graves that lie askew, and
    close over small ones. A disc is a pile of runs; from run to run only two columns are new, which
    is four times as fast as a filter that looks at each pixel of the disc.

    Args:
        ids: Grave ids.
        reach_px: Radius.
        pick: np.minimum or np.maximum.

    Shapes:
        ids: (H, W); returns: (H, W)
    """
    height, width = ids.shape
    padded = np.pad(ids, reach_px, mode="edge")
    runs = [padded[:, reach_px : reach_px + width]]
    for step in range(1, reach_px + 1):
        left, right = (padded[:, start:][:, :width] for start in (reach_px - step, reach_px + step))
        runs.append(pick(pick(left, right), runs[-1]))
    found = ids
    for row in range(-reach_px, reach_px + 1):
        run = runs[math.isqrt(int((reach_px + 0.3) ** 2) - row**2)]
        found = pick(found, run[reach_px + row :][:height])
    return found
