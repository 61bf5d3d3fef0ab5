"""Encode: grave instances in, the three target channels out (the other half is `instances.py`).

Channels, in this order: body (inside an outline), border (a band along the inside of each outline),
contact (a band where two graves meet, reaching into both).
"""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

BODY, BORDER, CONTACT = range(3)
CHANNEL_NAMES = ("body", "border", "contact")
MIN_BAND_PX = 2  # thinner bands are lost in the last upsampling of the decoder


def encode(
    instances: NDArray[np.integer], gsd_m: float, border_width_m: float, contact_width_m: float
) -> NDArray[np.uint8]:
    """Turn grave ids into the channels that the network learns.

    The contact band is centred on the edge or gap between two graves and contact_width_m wide.
    Between graves that share an edge it reaches at least 2 px into both.

    Args:
        instances: Grave ids from 1, 0 is background.
        gsd_m: Pixel edge in metres.
        border_width_m: Width of the border band, metres.
        contact_width_m: Width of the contact band, metres; graves farther apart have no contact.

    Shapes:
        instances: (H, W); returns: (3, H, W), 0 or 1
    """
    border_px = max(MIN_BAND_PX, round(border_width_m / gsd_m))
    reach_px = max(MIN_BAND_PX, round(contact_width_m / gsd_m / 2))
    if instances.max(initial=0) < np.iinfo(np.int16).max:
        instances = instances.astype(np.int16)  # half the bytes, half the time
    none = np.iinfo(instances.dtype).max
    body = instances > 0
    lowest, highest = (extreme(instances, border_px, pick) for pick in (np.minimum, np.maximum))
    border = body & ((lowest != instances) | (highest != instances))
    lowest = extreme(np.where(body, instances, none), reach_px, np.minimum)
    highest = extreme(instances, reach_px, np.maximum)
    contact = (lowest != highest) & (highest > 0) & (lowest < none)
    return np.stack([body, border, contact]).astype(np.uint8)


def extreme(
    ids: NDArray[np.integer], reach_px: int, pick: Callable[..., NDArray[np.integer]]
) -> NDArray[np.integer]:
    """Find the lowest or highest id within reach of each pixel; edge pixels repeat beyond the edge.

    The reach is round: with a square one, bands would be 1.4 times as wide on graves at 45 degrees,
    and close over small graves. The disc is a pile of runs, one for each row. Each run extends the
    next shorter one by two columns, which is four times as fast as a filter over the whole disc.
    For a reach of 2:

        . # # # .
        # # # # #
        # # # # #
        # # # # #
        . # # # .

    Args:
        ids: Grave ids.
        reach_px: Radius of the disc.
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
    # For a reach of 2, 2.3² is 5: row 2 reaches isqrt(5 - 2²) = 1 to each side, row 1 isqrt(4) = 2.
    found = ids
    for row in range(-reach_px, reach_px + 1):
        run = runs[math.isqrt(int((reach_px + 0.3) ** 2) - row**2)]
        found = pick(found, run[reach_px + row :][:height])
    return found
