"""The default look of the sample cemeteries does not change: figures in the docs rest on it."""

from __future__ import annotations

import hashlib
import platform
from importlib.metadata import version

import numpy as np
import pytest
import shapely

from grave_cli.sample_data.elevation import SurfaceModel, model_surface
from grave_cli.sample_data.layout import plan_cemetery
from grave_cli.sample_data.paint import Picture, paint_cemetery
from grave_cli.sample_data.style import draw_style

GSD_M = 0.025
TESTED = {"numpy": "2.4.6", "scipy": "1.17.1", "pillow": "13.0.0"}
"""Other versions may round a pixel differently; the block means below hold for them too."""
MEANS = [
    [73.5, 72.1, 63.4, 205.3],
    [84.7, 82.0, 68.1, 229.1],
    [77.8, 74.1, 62.6, 195.9],
    [100.1, 96.6, 80.7, 232.6],
    [118.3, 110.3, 92.4, 255.0],
    [98.1, 94.4, 78.3, 248.6],
    [97.6, 92.7, 74.8, 213.7],
    [99.3, 94.9, 75.0, 246.3],
    [81.1, 78.4, 64.8, 214.9],
]
"""Mean of red, green, blue and alpha in nine blocks."""


@pytest.fixture(scope="module")
def cemetery() -> tuple[Picture, SurfaceModel]:
    rng = np.random.default_rng([7, 1])
    picture = paint_cemetery(rng, plan_cemetery(rng, 12.0, draw_style(rng, 1)), GSD_M)
    return picture, model_surface(rng, picture.height, GSD_M)


def _digest(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:16]


def _block_means(rgba: np.ndarray) -> np.ndarray:
    blocks = [part for rows in np.array_split(rgba, 3) for part in np.array_split(rows, 3, axis=1)]
    return np.array([block.reshape(-1, 4).mean(axis=0) for block in blocks])


def _runs_as_tested() -> bool:
    found = {name: version(name) for name in TESTED}
    return found == TESTED and platform.machine() in ("x86_64", "AMD64")


def test_default_cemetery_looks_as_it_did(cemetery: tuple[Picture, SurfaceModel]) -> None:
    picture, surface = cemetery
    assert picture.rgba.shape == (480, 480, 4)
    assert _block_means(picture.rgba) == pytest.approx(np.array(MEANS), abs=0.6)
    assert len(picture.graves) == 10
    areas = [shapely.Polygon(grave.corners).area for grave in picture.graves]
    assert sum(areas) == pytest.approx(22.3018, abs=1e-3)
    assert surface.values.shape == (88, 93)


@pytest.mark.skipif(not _runs_as_tested(), reason="other versions may round pixels differently")
def test_default_cemetery_is_equal_to_the_last_byte(
    cemetery: tuple[Picture, SurfaceModel],
) -> None:
    picture, surface = cemetery
    corners = np.array([grave.corners for grave in picture.graves])
    assert _digest(picture.rgba) == "cb1bf6151307ab3c"
    assert _digest(picture.height) == "1b83a5a09ed2fa41"
    assert _digest(surface.values) == "217f789a1f7864d5"
    assert _digest(corners) == "2f0a24664919fda7"
