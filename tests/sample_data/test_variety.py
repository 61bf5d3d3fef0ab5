"""Settings of varied scenes: drawn from the documented ranges, by preset, the same per seed."""

from __future__ import annotations

from collections import Counter
from dataclasses import fields, is_dataclass

import numpy as np
import pytest

from grave_cli.errors import DatasetError
from grave_cli.sample_data.clutter.registry import KINDS
from grave_cli.sample_data.scenes import cemetery, strew, surroundings
from grave_cli.sample_data.scenes.sections import GROUNDS
from grave_cli.sample_data.texture.grounds import SURFACES
from grave_cli.sample_data.tombs.borders import BORDERS
from grave_cli.sample_data.tombs.draw import MAKES
from grave_cli.sample_data.tombs.fillings import FILLERS
from grave_cli.sample_data.tombs.heads import HEADS
from grave_cli.sample_data.variety.draw import draw_variety
from grave_cli.sample_data.variety.presets import PRESETS, preset_names
from grave_cli.sample_data.variety.settings import Variety

RANGES = {
    "azimuth_deg": (0, 360),
    "elevation_deg": (17, 70),
    "share": (0, 1),
    "shadow": (0.25, 0.85),
    "sun.blur_m": (0.01, 0.12),
    "gsd_m": (0.015, 0.06),
    "blur_px": (0.3, 1.2),
    "gain": (0.65, 1.5),
    "contrast": (0.8, 1.2),
    "saturation": (0.55, 1.3),
    "white_balance": (0.87, 1.13),
    "haze": (0, 0.25),
    "noise": (0.4, 5),
    "sharpen": (0, 0.5),
    "jpeg_quality": (45, 97),
    "photo_m": (6, 30),
    "gain_spread": (0, 0.05),
    "mosaic.shift_m": (0, 0.035),
    "ghosting": (0, 0.4),
    "lean": (0, 0.10),
    "tilt": (-0.06, 0.06),
    "fray_m": (0, 0.6),
    "relief.gsd_m": (0, 0.20),
    "noise_m": (0.002, 0.04),
    "soften_m": (0, 0.35),
    "holes": (0, 0.06),
    "slope": (0, 0.18),
    "waves_m": (0, 0.4),
    "terraces": (0, 3),
    "relief.shift_m": (-0.08, 0.08),
    "yard_share": (0.7, 1.5),
    "section_m": (7, 24),
    "path_m": (0.9, 4),
    "aisle_m": (0.3, 2.2),
    "gap_m": (0, 0.8),
    "touching": (0, 0.95),
    "occupancy": (0.4, 1),
    "jitter_m": (0, 0.10),
    "twist_deg": (0, 5),
    "bend_per_m": (0, 0.03),
    "turned": (0, 0.5),
    "age": (0, 1),
    "overgrowth": (0, 1),
    "litter": (0, 1),
    "wet": (0, 1),
    "clutter": (0, 1),
    "trees": (0, 1),
}
"""The ranges in the docstrings of the settings."""


def _values(group: object, name: str) -> dict[str, np.ndarray]:
    """Numbers of a group of settings by the name under which `RANGES` has them."""
    found = {}
    for field in fields(group):  # type: ignore[arg-type]
        value = getattr(group, field.name)
        if not isinstance(value, str):
            full = f"{name}.{field.name}"
            found[full if full in RANGES else field.name] = np.atleast_1d(value)
    return found


def _numbers(variety: Variety) -> dict[str, np.ndarray]:
    groups = {f.name: getattr(variety, f.name) for f in fields(variety)}
    return {
        key: values
        for name, group in groups.items()
        if is_dataclass(group)
        for key, values in _values(group, name).items()
    }


@pytest.fixture(scope="module")
def drawn() -> list[Variety]:
    return [draw_variety(np.random.default_rng(seed)) for seed in range(400)]


def test_every_number_lies_in_its_documented_range(drawn: list[Variety]) -> None:
    for variety in drawn:
        numbers = _numbers(variety)
        assert numbers.keys() == RANGES.keys()
        for name, values in numbers.items():
            low, high = RANGES[name]
            assert values.min() >= low - 1e-9, name
            assert values.max() <= high + 1e-9, name


def test_every_number_really_varies(drawn: list[Variety]) -> None:
    for name, (low, high) in RANGES.items():
        values = np.array([_numbers(variety)[name] for variety in drawn], float)
        assert np.ptp(values) > 0.4 * (high - low), name


def test_all_draws_every_preset_but_the_one_that_contradicts(drawn: list[Variety]) -> None:
    found = Counter(variety.preset for variety in drawn)
    assert set(found) == set(PRESETS) - {"headstone-plots"}
    assert 0.07 < found["negatives"] / len(drawn) < 0.22


def test_equal_generators_give_equal_settings() -> None:
    assert draw_variety(np.random.default_rng(3)) == draw_variety(np.random.default_rng(3))
    assert draw_variety(np.random.default_rng(3)) != draw_variety(np.random.default_rng(4))


def test_unknown_preset_is_refused_with_the_known_ones() -> None:
    with pytest.raises(DatasetError, match=r"atlantis.*central-europe"):
        draw_variety(np.random.default_rng(0), "atlantis")


def test_first_habit_of_a_cemetery_has_graves_to_outline() -> None:
    for name in set(PRESETS) - {"negatives"}:
        for seed in range(20):
            habits = draw_variety(np.random.default_rng(seed), name).habits
            assert MAKES[habits[0]].outlined
    assert draw_variety(np.random.default_rng(0), "negatives").habits == ()


def test_names_used_by_the_layouts_have_painters() -> None:
    kinds: set[str] = set(cemetery.ALONG_PATHS)
    for mix in (strew.PARK, strew.YARD, strew.PLOT):
        kinds |= set(mix)
    kinds |= set(strew.SITE) | set(strew.PLAY)
    assert kinds <= set(KINDS)
    assert set(cemetery.PATHS) <= set(SURFACES)
    assert set(cemetery.OUTSIDE) <= set(surroundings.BUILDERS)
    for habit, make in MAKES.items():
        assert set(make.borders) <= set(BORDERS)
        assert set(make.fillings) <= set(FILLERS)
        assert set(make.heads) <= set(HEADS)
        assert set(GROUNDS[habit]) <= set(SURFACES)
    assert all(set(preset.habits) <= set(MAKES) for preset in PRESETS.values())
    assert preset_names()[0] == "all"
