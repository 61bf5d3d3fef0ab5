"""Copy-paste augmentation: graves of one chip, pasted onto the ground of another."""

from dataclasses import replace

import numpy as np
from scipy import ndimage

from grave_cli.learning.cutting import Chip

_GAP_PX = 1  # between pasted graves and the chip's own: their contact has no ground truth


def paste_graves(chip: Chip, donor: Chip, rim_px: int) -> Chip:
    """Paste the graves of a donor onto the free ground of a chip.

    Neighbouring graves are pasted together, with the ground between them, or not at all. A group is
    left out if it would cover a grave, or a pixel that either chip does not score.

    Source: Ghiasi et al. 2021, Simple Copy-Paste.

    Args:
        chip: Chip that receives graves.
        donor: Chip whose graves are pasted, of the same size.
        rim_px: Width of the ground that is pasted around each grave, pixels.
    """
    patch = donor.instances > 0
    if rim_px:
        patch = ndimage.binary_dilation(patch, iterations=rim_px)
    groups, count = ndimage.label(patch)
    near = ndimage.binary_dilation(chip.instances > 0, iterations=_GAP_PX)
    taken = np.ones(count + 1, np.bool_)
    taken[0] = False  # the ground between the groups
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
