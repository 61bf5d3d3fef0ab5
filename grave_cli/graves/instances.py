"""Decode: probabilities in, single graves out (the other half is `targets.py`)."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from grave_cli.graves.targets import BODY, BORDER, CONTACT
from grave_cli.settings.mapping import DecodingSettings

Probabilities = NDArray[np.float32]
Labels = NDArray[np.int32]

_PEAK = 0.9  # quantile taken as the peak of a grave; a maximum would favour large graves
_STEP = 0.1  # between two levels of certainty


def decode(probabilities: Probabilities, gsd_m: float, settings: DecodingSettings) -> Labels:
    """Separate graves: seeds where a pixel is surely inside one, then a watershed over the body.

    Parts of the body without a seed become graves of their own, so that small graves are not lost.

    Source: Beucher & Meyer 1993 (marker-controlled watershed); the contact channel follows the
    touching-border class of Iglovikov et al. 2018, TernausNetV2.

    Args:
        probabilities: Probabilities of body, border and contact; 0 where there is no imagery.
        gsd_m: Pixel edge in metres.
        settings: Thresholds.

    Shapes:
        probabilities: (3, H, W); returns: (H, W), grave ids from 1 without gaps, 0 is background
    """
    components = body_components(probabilities[BODY] >= settings.body_threshold)
    return separate(probabilities, components, gsd_m, settings)


def body_components(inside: NDArray[np.bool_]) -> Labels:
    """Number the connected parts of the body from 1; pixels connect at edges, not at corners."""
    return np.asarray(ndimage.label(inside)[0], np.int32)


def separate(
    probabilities: Probabilities, components: Labels, gsd_m: float, settings: DecodingSettings
) -> Labels:
    """Separate the graves within connected parts of the body.

    No part depends on another or on its position: a window that contains whole parts gives the same
    graves as the whole raster. A part with one seed is one grave; a part with several is flooded in
    its own crop.

    Args:
        probabilities: Probabilities of body, border and contact.
        components: Connected parts of the body, numbered from 1 without gaps.
        gsd_m: Pixel edge in metres.
        settings: Thresholds.

    Shapes:
        probabilities: (3, H, W); components: (H, W); returns: like `decode`
    """
    grown = grow_graves(probabilities, components, gsd_m, settings)
    return keep_graves(grown, probabilities, gsd_m, settings)


def grow_graves(
    probabilities: Probabilities, components: Labels, gsd_m: float, settings: DecodingSettings
) -> Labels:
    """Divide connected parts of the body among their seeds, the slow half of `separate`.

    It depends on the thresholds of body and seeds, not on the smallest area and peak.

    Args:
        probabilities: Probabilities of body, border and contact.
        components: Connected parts of the body, numbered from 1 without gaps.
        gsd_m: Pixel edge in metres.
        settings: Thresholds.

    Shapes:
        probabilities: (3, H, W); components: (H, W); returns: (H, W), ids from 1 in every component
    """
    labels = np.zeros(components.shape, np.int32)
    pixels = np.flatnonzero(components)
    if not len(pixels):
        return labels
    # Most of a cemetery is background: compute with the pixels of the body only.
    values = probabilities.reshape(3, -1)[:, pixels]
    certainty = seed_certainty(values)
    level = np.zeros(components.shape, np.float32)
    seeds = np.zeros(components.shape, np.int32)
    level.ravel()[pixels] = -certainty
    seeds.ravel()[pixels] = _seeds(certainty, components, pixels, gsd_m, settings)
    _grow(seeds, components, level, labels)
    return labels


def keep_graves(
    grown: Labels, probabilities: Probabilities, gsd_m: float, settings: DecodingSettings
) -> Labels:
    """Drop graves that are too small or never sure, the fast half of `separate`.

    Args:
        grown: Labels as returned by `grow_graves`.
        probabilities: Probabilities of body, border and contact.
        gsd_m: Pixel edge in metres.
        settings: Smallest area and peak.

    Shapes:
        grown: (H, W); probabilities: (3, H, W); returns: (H, W), ids from 1 without gaps
    """
    labels = np.zeros_like(grown)
    pixels = np.flatnonzero(grown)
    if not len(pixels):
        return labels
    found = drop_small(grown.ravel()[pixels], settings.min_area_m2 / gsd_m**2)
    peaks = quantile_by_label(probabilities[BODY].ravel()[pixels], found, _PEAK)
    kept = _keep(found, np.concatenate([[False], peaks >= settings.min_peak_body]))
    labels.ravel()[pixels] = kept
    return labels


def drop_small(labels: Labels, min_pixels: float) -> Labels:
    """Remove labels with fewer pixels than this and number the others from 1 without gaps."""
    sizes = np.bincount(labels.ravel())
    keep = sizes >= max(min_pixels, 1)
    keep[0] = False
    return _keep(labels, keep)


def _keep(labels: Labels, keep: NDArray[np.bool_]) -> Labels:
    """Select labels and number them from 1; entry 0 of `keep` is the background."""
    renumbered = np.where(keep, np.cumsum(keep), 0).astype(np.int32)
    return renumbered[labels]


def seed_certainty(probabilities: Probabilities) -> Probabilities:
    """Rate how surely each pixel lies inside one grave: body x (1 - contact) x (1 - border / 2).

    Body 0.9, contact 0.1 and border 0.2 give 0.9 * 0.9 * 0.9 = 0.73.

    Shapes:
        probabilities: (3, ...); returns: (...)
    """
    body, border, contact = (probabilities[index] for index in (BODY, BORDER, CONTACT))
    return np.asarray(body * (1 - contact) * (1 - border / 2))


def quantile_by_label(
    values: NDArray[np.float32], labels: Labels, share: float
) -> NDArray[np.float64]:
    """Compute a quantile of the values of each label; entry i is for label i + 1.

    The result is one of the values: the ninth smallest of ten for a share of 0.9.

    Shapes:
        values: (H, W); labels: (H, W); returns: (labels,), NaN for an id without pixels
    """
    inside = np.flatnonzero(labels)
    ids, found = labels.ravel()[inside], values.ravel()[inside]
    order = np.lexsort((found, ids))
    counts = np.bincount(ids, minlength=int(labels.max(initial=0)) + 1)[1:]
    ends = np.cumsum(counts)
    # Of ten values and a share of 0.9: floor(0.9 * 9) = 8, the ninth.
    places = ends - counts + np.floor(share * np.maximum(counts - 1, 0)).astype(np.intp)
    result = np.full(len(counts), np.nan)
    result[counts > 0] = found[order][places[counts > 0]]
    return result


def _seeds(
    certainty: Probabilities,
    components: Labels,
    pixels: NDArray[np.intp],
    gsd_m: float,
    settings: DecodingSettings,
) -> Labels:
    """Label the surest pixels first, then, level by level, parts that hold no seed yet.

    So a grave that is less sure than its neighbours still gets a seed of its own, and lower levels,
    at which touching graves run together, do not join what higher levels separate:

        certainty    .9 .9 .6 .7 .7 .2
        from 0.85     1  1  .  .  .  .
        from 0.65     1  1  .  2  2  .     a second part without a seed
        from 0.55     1  1  .  2  2  .     one part now, but it holds seeds

    Parts of the body without any seed are seeds as a whole.

    Shapes:
        certainty: (pixels,); components: (H, W); pixels: (pixels,), flat; returns: (pixels,)
    """
    seeds = np.zeros(len(pixels), np.int32)
    sure = np.zeros(components.shape, np.bool_)
    for level in seed_levels(settings):
        sure.ravel()[pixels] = certainty >= level
        parts = body_components(sure).ravel()[pixels]
        seeds = _add_seeds(seeds, parts, settings.min_seed_area_m2 / gsd_m**2)
    return _add_seeds(seeds, components.ravel()[pixels], 0.0)


def seed_levels(settings: DecodingSettings) -> NDArray[np.float64]:
    """List the levels of certainty, from high to low; below the floor, the threshold is alone."""
    lowest = min(settings.seed_floor, settings.seed_threshold)
    return np.arange(settings.seed_threshold, lowest - _STEP / 2, -_STEP)


def _add_seeds(seeds: Labels, parts: Labels, min_pixels: float) -> Labels:
    """Turn parts that are large enough and hold no seed into seeds."""
    # Seeds 1 1 0 0 0 and parts 1 1 0 2 2: part 1 holds seed 1, part 2 becomes seed 2.
    is_new = np.bincount(parts) >= max(min_pixels, 1)
    is_new[0] = False
    is_new[parts[seeds > 0]] = False
    ids = np.where(is_new, np.cumsum(is_new) + seeds.max(), 0).astype(np.int32)
    return np.maximum(seeds, ids[parts])


def _grow(seeds: Labels, components: Labels, level: Probabilities, labels: Labels) -> None:
    """Fill each part of the body with its seeds: directly if there is one, else by flooding."""
    seeded = seeds > 0
    component_of = np.zeros(int(seeds.max()) + 1, np.intp)
    component_of[seeds[seeded]] = components[seeded]
    count = np.bincount(component_of[1:], minlength=int(components.max()) + 1)
    seed_of = np.zeros(len(count), np.int32)
    seed_of[component_of] = np.arange(len(component_of))
    labels[:] = seed_of[components]  # final for parts with one seed; the others are flooded
    for part, crop in enumerate(ndimage.find_objects(components), start=1):
        if count[part] > 1:
            mine = components[crop] == part
            labels[crop][mine] = _flood(level[crop], np.where(mine, seeds[crop], 0), mine)[mine]


def _flood(level: Probabilities, seeds: Labels, mine: NDArray[np.bool_]) -> Labels:
    """Grow the seeds of one part over it, from low level to high.

    The inside of a seed cannot grow and is left out, which saves most of the work.
    """
    from skimage.segmentation import watershed

    inner = ndimage.binary_erosion(seeds > 0)
    grown = watershed(level, seeds, mask=mine & ~inner)  # type: ignore[no-untyped-call]
    return np.where(inner, seeds, grown)


def centroids(labels: Labels) -> NDArray[np.float64]:
    """Compute the centroid of each label; entry i is for label i + 1, NaN for an id without pixels.

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


def owned_labels(labels: NDArray[np.int32], area: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Find the graves whose centroid lies in an area.

    Args:
        labels: Grave ids from 1.
        area: True inside the area.

    Shapes:
        labels: (H, W); area: (H, W); returns: (largest id + 1,), entry 0 is for the background
    """
    # A centroid at column 3.7 lies in pixel 4, whose centre is at 4 and whose edge is at 3.5.
    rows, columns = np.floor(np.nan_to_num(centroids(labels)) + 0.5).astype(np.intp).T
    return np.concatenate([[False], area[rows, columns]])
