"""Decode: probabilities in, single graves out (the other half is `targets.py`)."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from grave_cli.graves.targets import BODY, BORDER, CONTACT
from grave_cli.settings.mapping import DecodingSettings

Probabilities = NDArray[np.float32]
Labels = NDArray[np.int32]

_PEAK = 0.9  # share of a grave's pixels below its peak: the size of a grave does not matter then
_STEP = 0.1  # between two levels at which seeds are sought


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
    labels = np.zeros(components.shape, np.int32)
    pixels = np.flatnonzero(components)
    if not len(pixels):
        return labels
    values = probabilities.reshape(3, -1)[:, pixels]
    certainty = seed_certainty(values)
    level = np.zeros(components.shape, np.float32)
    seeds = np.zeros(components.shape, np.int32)
    level.ravel()[pixels] = -certainty
    seeds.ravel()[pixels] = _seeds(certainty, components, pixels, gsd_m, settings)
    _grow(seeds, components, level, labels)
    found = drop_small(labels.ravel()[pixels], settings.min_area_m2 / gsd_m**2)
    peaks = quantile_by_label(values[BODY], found, _PEAK)
    kept = _keep(found, np.concatenate([[False], peaks >= settings.min_peak_body]))
    labels.ravel()[pixels] = kept
    return labels


def drop_small(labels: Labels, min_pixels: float) -> Labels:
    """Remove labels of fewer pixels and number the others from 1 without gaps."""
    sizes = np.bincount(labels.ravel())
    keep = sizes >= max(min_pixels, 1)
    keep[0] = False
    return _keep(labels, keep)


def _keep(labels: Labels, keep: NDArray[np.bool_]) -> Labels:
    """Keep some labels, numbered from 1; entry 0 of `keep` is for the background."""
    renumbered = np.where(keep, np.cumsum(keep), 0).astype(np.int32)
    return renumbered[labels]


def seed_certainty(probabilities: Probabilities) -> Probabilities:
    """Rate how surely each pixel lies inside one grave: body x (1 - contact) x (1 - border / 2).

    Shapes:
        probabilities: (3, ...); returns: (...)
    """
    body, border, contact = (probabilities[index] for index in (BODY, BORDER, CONTACT))
    return np.asarray(body * (1 - contact) * (1 - border / 2))


def quantile_by_label(
    values: NDArray[np.float32], labels: Labels, share: float
) -> NDArray[np.float64]:
    """Find the value that a share of each label's pixels does not exceed; entry i is for i + 1.

    Shapes:
        values: (H, W); labels: (H, W); returns: (labels,), NaN for an id without pixels
    """
    inside = np.flatnonzero(labels)
    ids, found = labels.ravel()[inside], values.ravel()[inside]
    order = np.lexsort((found, ids))
    counts = np.bincount(ids, minlength=int(labels.max(initial=0)) + 1)[1:]
    ends = np.cumsum(counts)
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
    """Label the sure pixels, then what is less and less sure and holds no seed yet.

    A grave that the network is less sure of than of its neighbours keeps a seed of its own, and
    lower levels, on which graves that touch run together, do not join what higher ones separate.
    Parts of the body without any are seeds as a whole.

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
    """List the levels of certainty at which seeds are sought, from high to low."""
    return np.arange(settings.seed_threshold, settings.seed_floor - _STEP / 2, -_STEP)


def _add_seeds(seeds: Labels, parts: Labels, min_pixels: float) -> Labels:
    """Make seeds of the parts that are large enough and hold none."""
    is_new = np.bincount(parts) >= max(min_pixels, 1)
    is_new[0] = False
    is_new[parts[seeds > 0]] = False
    ids = np.where(is_new, np.cumsum(is_new) + seeds.max(), 0).astype(np.int32)
    return np.maximum(seeds, ids[parts])


def _grow(seeds: Labels, components: Labels, level: Probabilities, labels: Labels) -> None:
    """Fill each part of the body with its seeds: at once when there is one, else by flooding."""
    seeded = seeds > 0
    component_of = np.zeros(int(seeds.max()) + 1, np.intp)
    component_of[seeds[seeded]] = components[seeded]
    count = np.bincount(component_of[1:], minlength=int(components.max()) + 1)
    seed_of = np.zeros(len(count), np.int32)
    seed_of[component_of] = np.arange(len(component_of))
    labels[:] = seed_of[components]
    for part, crop in enumerate(ndimage.find_objects(components), start=1):
        if count[part] > 1:
            mine = components[crop] == part
            labels[crop][mine] = _flood(level[crop], np.where(mine, seeds[crop], 0), mine)[mine]


def _flood(level: Probabilities, seeds: Labels, mine: NDArray[np.bool_]) -> Labels:
    """Let the seeds of one part grow over it, from low level to high.

    The inside of a seed has nowhere to grow and is left out: it is most of a grave.
    """
    from skimage.segmentation import watershed

    inner = ndimage.binary_erosion(seeds > 0)
    grown = watershed(level, seeds, mask=mine & ~inner)  # type: ignore[no-untyped-call]
    return np.where(inner, seeds, grown)


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


def owned_labels(labels: NDArray[np.int32], area: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Say which graves have their centroid in an area.

    Args:
        labels: Grave ids from 1.
        area: True within it.

    Shapes:
        labels: (H, W); area: (H, W); returns: (largest id + 1,), entry 0 is for the background
    """
    rows, columns = np.nan_to_num(centroids(labels)).astype(np.intp).T
    return np.concatenate([[False], area[rows, columns]])
