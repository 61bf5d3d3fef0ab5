"""Decode: probabilities in, single graves out (the other half is `targets.py`)."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from grave_cli.graves.targets import BODY, BORDER, CONTACT
from grave_cli.settings.sections import DecodingSettings

Probabilities = NDArray[np.float32]
Labels = NDArray[np.int32]


def decode(probabilities: Probabilities, gsd_m: float, settings: DecodingSettings) -> Labels:
    """Separate graves: seeds where a pixel is surely inside one, then a watershed over the body.

    Parts of the body that no seed reaches become graves of their own, so that small ones are not
    lost.

    Source: Beucher & Meyer 1993 (marker-controlled watershed); the contact channel follows the
    touching-border class of Iglovikov et al. 2018, TernausNetV2.

    Args:
        probabilities: Of body, border and contact; 0 where the orthophoto shows nothing.
        gsd_m: Pixel edge in metres.
        settings: Thresholds.

    Shapes:
        probabilities: (3, H, W); returns: (H, W), grave ids from 1 without gaps, 0 is background
    """
    components = body_components(probabilities[BODY] >= settings.body_threshold)
    return separate(probabilities, components, gsd_m, settings)


def body_components(inside: NDArray[np.bool_]) -> Labels:
    """Number the connected parts of the body from 1; pixels meet at their edges, not at corners."""
    return np.asarray(ndimage.label(inside)[0], np.int32)


def separate(
    probabilities: Probabilities, components: Labels, gsd_m: float, settings: DecodingSettings
) -> Labels:
    """Separate the graves within connected parts of the body.

    No part depends on another, nor on where it lies: the graves of a window are those of the whole
    raster, if the window holds their parts whole. A part with one seed is a grave as it is; each
    other one is flooded in its own crop.

    Args:
        probabilities: Of body, border and contact.
        components: Parts of the body, from 1 without gaps.
        gsd_m: Pixel edge in metres.
        settings: Thresholds.

    Shapes:
        probabilities: (3, H, W); components: (H, W); returns: like `decode`
    """
    pixels = np.flatnonzero(components)
    labels = np.zeros(components.shape, np.int32)
    if not len(pixels):
        return labels
    certainty = seed_certainty(probabilities.reshape(3, -1)[:, pixels])
    sure = np.zeros(components.shape, np.bool_)
    sure.ravel()[pixels] = certainty >= settings.seed_threshold
    seeds = body_components(sure)
    _keep_large(seeds, pixels, settings.min_seed_area_m2 / gsd_m**2)
    seed_of, count = _seeds_within(components.ravel()[pixels], seeds.ravel()[pixels])
    labels.ravel()[pixels] = seed_of[components.ravel()[pixels]]
    level = np.zeros(components.shape, np.float32)
    level.ravel()[pixels] = -certainty
    for part, crop in enumerate(ndimage.find_objects(components), start=1):
        if count[part] > 1:
            mine = components[crop] == part
            labels[crop][mine] = _flood(level[crop], seeds[crop], mine)[mine]
    _keep_large(labels, pixels, settings.min_area_m2 / gsd_m**2)
    return labels


def seed_certainty(probabilities: Probabilities) -> Probabilities:
    """Rate how surely each pixel lies inside one grave: body x (1 - contact) x (1 - border / 2).

    Shapes:
        probabilities: (3, ...); returns: (...)
    """
    body, border, contact = (probabilities[index] for index in (BODY, BORDER, CONTACT))
    return np.asarray(body * (1 - contact) * (1 - border / 2))


def drop_small(labels: Labels, min_pixels: float) -> Labels:
    """Remove labels of fewer pixels and number the others from 1 without gaps."""
    sizes = np.bincount(labels.ravel())
    keep = sizes >= max(min_pixels, 1)
    keep[0] = False
    renumbered = np.where(keep, np.cumsum(keep), 0).astype(np.int32)
    return renumbered[labels]


def mean_by_label(values: NDArray[np.float32], labels: Labels) -> NDArray[np.float64]:
    """Average values over each label; entry i is for label i + 1.

    Shapes:
        values: (H, W); labels: (H, W); returns: (labels,)
    """
    counts = np.bincount(labels.ravel())
    sums = np.bincount(labels.ravel(), weights=values.ravel())
    return sums[1:] / np.maximum(counts[1:], 1)


def centroids(labels: Labels) -> NDArray[np.float64]:
    """Find the centroid of each label, NaN for an id without pixels; entry i is for label i + 1.

    Shapes:
        labels: (H, W); returns: (labels, 2), row and column in pixels
    """
    size = int(labels.max(initial=0)) + 1
    rows, columns = np.nonzero(labels)
    ids = labels[rows, columns]
    counts = np.bincount(ids, minlength=size)[1:]
    sums = [np.bincount(ids, weights=axis, minlength=size)[1:] for axis in (rows, columns)]
    with np.errstate(invalid="ignore"):
        return np.column_stack(sums) / counts[:, None]


def _seeds_within(
    components: NDArray[np.int32], seeds: NDArray[np.int32]
) -> tuple[NDArray[np.int32], NDArray[np.intp]]:
    """Find a seed of each component, one of its own where there is none, and count them.

    Shapes:
        components, seeds: (pixels,); returns: two of (components + 1,)
    """
    largest, last = int(components.max()), int(seeds.max())
    component_of = np.zeros(last + 1, np.intp)
    component_of[seeds] = components
    count = np.bincount(component_of[1:], minlength=largest + 1)
    seed_of = np.arange(largest + 1, dtype=np.int32) + last
    seed_of[component_of[1:]] = np.arange(1, last + 1)
    return seed_of, count


def _flood(level: Probabilities, seeds: Labels, mine: NDArray[np.bool_]) -> Labels:
    """Let the seeds of one part grow over it, from low level to high.

    The inside of a seed has nowhere to grow and is left out: it is most of a grave.
    """
    from skimage.segmentation import watershed

    own = np.where(mine, seeds, 0)
    inner = ndimage.binary_erosion(own > 0)
    grown = watershed(level, own, mask=mine & ~inner)  # type: ignore[no-untyped-call]
    return np.where(inner, own, grown)


def _keep_large(labels: Labels, pixels: NDArray[np.intp], min_pixels: float) -> None:
    """Do what `drop_small` does, in place, where the labels are known to lie."""
    labels.ravel()[pixels] = drop_small(labels.ravel()[pixels], min_pixels)
