"""Probabilities in, evidence for and against each instance out.

Measured once, window by window, while the raster is in memory. Confidence and review flags follow
from it later, over all graves of a cemetery.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from grave_cli.graves.instances import Labels, Probabilities, seed_certainty
from grave_cli.graves.targets import BODY, CONTACT, MIN_BAND_PX

_UNSURE = 0.7  # body probabilities below are doubtful
_DEPTH_PX = 4  # deeper inside than the contact band along the grave's own outline
_LINE_PX = 2 * MIN_BAND_PX  # width of a contact line
_SURE_SEED = 0.7  # certainty of pixels that surely lie within one grave
_SEED_PX = 12  # pixels; smaller spots of certainty are noise


@dataclass(frozen=True)
class Evidence:
    """Evidence for and against each instance, one entry each.

    Args:
        body: Mean body probability.
        unsure: Share of pixels with a doubtful body probability.
        line_inside: Contact probability away from the outline, as a share of a full line across the
            grave; two graves merged into one have such a line.
        second_seed: Size of the second largest spot of high certainty, as a share of all such
            spots; two graves merged into one have two.
        contact_seam: Mean contact probability along other graves that it touches; 0 without any.
        nodata: Share of the rim next to ground without imagery.
        edge: Whether the grave touches the edge of the array.
    """

    body: NDArray[np.float64]
    unsure: NDArray[np.float64]
    line_inside: NDArray[np.float64]
    second_seed: NDArray[np.float64]
    contact_seam: NDArray[np.float64]
    nodata: NDArray[np.float64]
    edge: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.body)

    def take(self, keep: NDArray[np.bool_] | NDArray[np.intp]) -> "Evidence":
        """Select graves by a mask, or by indices in the wanted order."""
        return Evidence(*(getattr(self, field.name)[keep] for field in fields(self)))

    @staticmethod
    def join(parts: Sequence["Evidence"]) -> "Evidence":
        """Concatenate the evidence of one or more windows."""
        columns = ([getattr(part, field.name) for part in parts] for field in fields(Evidence))
        return Evidence(*(np.concatenate(column) for column in columns))


def measure_evidence(
    labels: Labels, probabilities: Probabilities, valid: NDArray[np.bool_]
) -> Evidence:
    """Measure the evidence for and against each instance.

    A window that is not the whole cemetery must show at least one pixel around each instance, so
    that only the edge of the cemetery counts as edge.

    Args:
        labels: Grave ids from 1, 0 is background.
        probabilities: Probabilities of body, border and contact.
        valid: True where there is imagery.

    Returns:
        One entry for each id present, ascending, like `trace_instances`.

    Shapes:
        labels: (H, W); probabilities: (3, H, W); valid: (H, W)
    """
    inside = np.flatnonzero(labels)
    ids, owner = np.unique(labels.ravel()[inside], return_inverse=True)
    count = len(ids)

    def total(values: NDArray[Any]) -> NDArray[np.float64]:
        return np.asarray(np.bincount(owner, values.ravel()[inside], count), np.float64)

    def mean(values: NDArray[Any], where: NDArray[np.bool_]) -> NDArray[np.float64]:
        return total(np.where(where, values, 0)) / np.maximum(total(where), 1)

    body, contact = probabilities[BODY], probabilities[CONTACT]
    rim, seam = _rim(labels)
    pixels = np.bincount(owner, minlength=count)
    # A contact line across a grave of 40 x 40 px has 4 * 40 pixels, 4 * 32 of them deep inside: the
    # result is 0.8.
    line = total(np.where(_deep(labels), contact, 0))
    return Evidence(
        body=total(body) / pixels,
        unsure=total(body < _UNSURE) / pixels,
        line_inside=(line / (_LINE_PX * np.sqrt(pixels))).clip(0, 1),
        second_seed=_second_seed(labels, seed_certainty(probabilities))[ids],
        contact_seam=mean(contact, seam),
        nodata=mean(ndimage.binary_dilation(~valid), rim),
        edge=total(_on_edge(labels.shape)) > 0,
    )


def _rim(labels: Labels) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Find pixels next to a different label, and those next to a different grave."""
    padded = np.pad(labels, 1)
    shifted = (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:])
    other = [labels != beside for beside in shifted]
    grave = [differs & (beside > 0) for differs, beside in zip(other, shifted, strict=True)]
    return np.logical_or.reduce(other), np.logical_or.reduce(grave)


def _deep(labels: Labels) -> NDArray[np.bool_]:
    """Find pixels whose whole surroundings have one label."""
    size = 2 * _DEPTH_PX + 1
    lowest = ndimage.minimum_filter(labels, size, mode="nearest")
    return np.asarray(lowest == ndimage.maximum_filter(labels, size, mode="nearest"))


def _second_seed(labels: Labels, certainty: NDArray[np.float32]) -> NDArray[np.float64]:
    """Compare the second largest sure spot of each label with all of them; entry i is label i."""
    # Spots of 60, 30, 14 and 5 px: the last is noise, and the result is 30 / (60 + 30 + 14) = 0.29.
    spots, count = ndimage.label((certainty >= _SURE_SEED) & (labels > 0))
    sizes = np.bincount(spots.ravel(), minlength=count + 1)
    owner = np.zeros(count + 1, np.intp)
    owner[spots] = labels
    owner[(sizes < _SEED_PX) | (np.arange(count + 1) == 0)] = 0
    order = np.lexsort((-sizes, owner))
    sizes, owner = sizes[order], owner[order]
    rank = np.arange(len(owner)) - np.searchsorted(owner, owner)
    total, second = np.zeros((2, int(labels.max(initial=0)) + 1))
    np.add.at(total, owner, sizes)
    second[owner[rank == 1]] = sizes[rank == 1]
    return np.asarray(second / np.maximum(total, 1))


def _on_edge(shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Mark the outermost pixels of an array."""
    edge = np.ones(shape, np.bool_)
    edge[1:-1, 1:-1] = False
    return edge
