"""Two edge pictures of one place in, the shift of one against the other out."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

Picture = NDArray[np.float32]
Mask = NDArray[np.bool_]

_CONTRAST = 1.3  # least ratio of the fit at the best place to the fit without a shift
_PROMINENCE = 4.0  # least prominence of the best place
_LEAST_FIT = 0.1  # least correlation; below, the pictures are unrelated
_RIM_PX = 4  # pixels left out along the rim of the mask, where smoothing mixes in its outside


@dataclass(frozen=True)
class Shift:
    """The shift of a picture from the place where it fits best.

    Args:
        east_m: Metres too far to the east.
        north_m: Metres too far to the north.
        fit: Correlation of the edges at the best place, at most 1.
        fit_now: Correlation without a shift.
        prominence: Standard deviations of `fit` above the mean over all shifts tried.
    """

    east_m: float
    north_m: float
    fit: float
    fit_now: float
    prominence: float

    @property
    def distance_m(self) -> float:
        """Length of the shift in metres."""
        return math.hypot(self.east_m, self.north_m)

    def is_clear(self, least_m: float) -> bool:
        """Whether the shift has at least this length and is not a coincidence."""
        better = self.fit >= max(_CONTRAST * self.fit_now, _LEAST_FIT)
        return self.distance_m >= least_m and better and self.prominence >= _PROMINENCE


def edges(values: Picture, mask: Mask, ceiling: float) -> Picture:
    """Find the edges of a picture: its gradient, clipped at a ceiling.

    Args:
        values: Any quantity.
        mask: Where it is known.
        ceiling: Gradient per pixel above which edges count alike.

    Shapes:
        values: (H, W); mask: (H, W); returns: (H, W)
    """
    smooth = ndimage.gaussian_filter(np.where(mask, values, values[mask].mean()), 1.0)
    gradient = np.hypot(ndimage.sobel(smooth, axis=0), ndimage.sobel(smooth, axis=1)) / 8
    return np.asarray(np.minimum(gradient, ceiling), np.float32)


def measure_shift(
    reference: Picture, other: Picture, mask: Mask, gsd_m: float, reach_m: float
) -> Shift:
    """Find the shift at which two edge pictures correlate best.

    All whole-pixel shifts within reach are tried, by Fourier transform. The mean inside the mask is
    subtracted from both pictures, so that the shape of the mask does not count.

    Source: Lewis 1995, Fast Template Matching, without the local norm.

    Args:
        reference: Edges at the right place.
        other: Edges that may be shifted.
        mask: Where both are known.
        gsd_m: Pixel edge in metres.
        reach_m: Largest shift tried along each axis, metres.

    Shapes:
        reference: (H, W); other: (H, W); mask: (H, W)
    """
    inside = ndimage.binary_erosion(mask, iterations=_RIM_PX)
    if not inside.any():  # a DEM may cover a sliver of the orthophoto
        return Shift(0.0, 0.0, 0.0, 0.0, 0.0)
    first, second = (_centred(picture, inside) for picture in (reference, other))
    reach = max(1, math.floor(reach_m / gsd_m))
    # A margin of `reach` zeros is enough for the shifts tried. scipy.signal.correlate doubles the
    # size for all shifts: on 4 Mpx it takes 6 times as long and 3 times the memory.
    shape = [fft.next_fast_len(length + reach) for length in first.shape]
    spectrum = fft.rfft2(first, shape) * np.conj(fft.rfft2(second, shape))
    norm = float(np.linalg.norm(first) * np.linalg.norm(second)) or 1.0
    fits = np.roll(fft.irfft2(spectrum, shape), (reach, reach), (0, 1))
    fits = fits[: 2 * reach + 1, : 2 * reach + 1] / norm
    row, column = np.unravel_index(int(fits.argmax()), fits.shape)
    best = float(fits[row, column])
    return Shift(
        east_m=(reach - int(column)) * gsd_m,
        north_m=(int(row) - reach) * gsd_m,
        fit=best,
        fit_now=float(fits[reach, reach]),
        prominence=(best - float(fits.mean())) / (float(fits.std()) or 1.0),
    )


def _centred(picture: Picture, mask: Mask) -> Picture:
    return np.asarray(np.where(mask, picture - picture[mask].mean(), 0), np.float32)
