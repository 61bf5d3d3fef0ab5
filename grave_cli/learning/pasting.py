"""Graves of one chip pasted into another: they are learnt apart from the ground they lie on."""

from dataclasses import replace

import numpy as np
from scipy import ndimage

from grave_cli.learning.cutting import Chip

_APART_PX = 1  # pasted graves keep away from those of the chip: nobody knows how these would meet


def paste_graves(chip: Chip, donor: Chip, rim_px: int) -> Chip:
    """Paste graves where a chip shows nothing but ground.

    Graves that lie near each other go together, with the ground between them, or not at all. A
    group is left out if it would cover a grave, or what either chip does not score.

    Source: Ghiasi et al. 2021, Simple Copy-Paste.

    Args:
        chip: What is pasted into.
        donor: Where graves come from, as large as the chip.
        rim_px: Width of the ground that comes along around each grave, pixels.
    """
    patch = donor.instances > 0
    if rim_px:
        patch = ndimage.binary_dilation(patch, iterations=rim_px)
    groups, count = ndimage.label(patch)
    near = ndimage.binary_dilation(chip.instances > 0, iterations=_APART_PX)
    taken = np.ones(count + 1, np.bool_)
    taken[0] = False
    taken[groups[near | ~chip.scored | ~donor.scored]] = False
    pasted = taken[groups]
    elevation = chip.elevation
    if elevation is not None and donor.elevation is not None:
        elevation = np.where(pasted, donor.elevation, elevation)
    new_ids = np.where(donor.instances > 0, donor.instances + chip.instances.max(), 0)
    return replace(
        chip,
        rgb=np.where(pasted, donor.rgb, chip.rgb),
        elevation=elevation,
        instances=np.where(pasted, new_ids, chip.instances),
    )
