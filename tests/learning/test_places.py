from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import shapely
import torch
from support import tiny_settings

from grave_cli.dataset.cemetery_arrays import CemeteryArrays
from grave_cli.dataset.training_data import plan_training, read_training_data
from grave_cli.errors import DatasetError
from grave_cli.learning.hard_examples import HardExamples
from grave_cli.learning.places import ChipPlaces, Place
from grave_cli.settings.learning import ChipSettings

DRAWS = 3000


@pytest.fixture(scope="module")
def part(sample_data: Path, tmp_path_factory: pytest.TempPathFactory) -> CemeteryArrays:
    settings = tiny_settings(sample_data, tmp_path_factory.mktemp("places") / "runs")
    return read_training_data(plan_training(settings), settings).train[0]


def with_graves_at(part: CemeteryArrays, metres: list[tuple[float, float]]) -> CemeteryArrays:
    """Replace the graves of a part by small squares at (right, down) of its corner."""
    left, _, _, top = part.grid.bounds
    squares = [
        shapely.box(left + x - 0.5, top - y - 0.5, left + x + 0.5, top - y + 0.5) for x, y in metres
    ]
    return replace(part, graves=np.array(squares, dtype=object), valid=np.ones_like(part.valid))


def draw(places: ChipPlaces, examples: HardExamples | None = None) -> list[Place]:
    rng = np.random.default_rng(0)
    return [places.draw(rng, examples or HardExamples()) for _ in range(DRAWS)]


def test_a_grave_in_a_dense_row_is_seen_about_as_often_as_an_isolated_one(
    part: CemeteryArrays,
) -> None:
    row = [(2.0 + 0.3 * i, 2.0) for i in range(10)]
    crowded = with_graves_at(part, [*row, (10.0, 10.0)])
    settings = ChipSettings(size_px=64, grave_share=1.0)
    places = draw(ChipPlaces([crowded], settings))
    near_isolated = sum(place.row > 60 for place in places)  # 10 px a metre
    assert near_isolated == pytest.approx(DRAWS / 2, rel=0.1)


def test_places_are_usable(part: CemeteryArrays) -> None:
    half = part.valid.copy()
    half[:, : half.shape[1] // 2] = False
    places = draw(ChipPlaces([replace(part, valid=half)], ChipSettings(size_px=64)))
    assert all(half[place.row, place.column] for place in places)


def test_hard_examples_are_revisited_at_the_share_of_the_settings(part: CemeteryArrays) -> None:
    examples = HardExamples()
    examples.add(torch.tensor([[0, 30, 40]]), torch.tensor([0.2]))
    examples.end_epoch()
    settings = ChipSettings(size_px=64, grave_share=0.0, revisit_share=0.5)
    places = draw(ChipPlaces([replace(part, valid=np.ones_like(part.valid))], settings), examples)
    reach = 0.35 * 64 + 1
    near = [abs(p.row - 30) <= reach and abs(p.column - 40) <= reach for p in places]
    around = (2 * reach) ** 2 / part.valid.size  # share of the others that fall there
    assert np.mean(near) == pytest.approx(0.5 + 0.5 * around, abs=0.05)


@pytest.mark.parametrize("grave_share", [0.0, 1.0])
def test_generated_parts_get_their_share_of_each_kind_of_place(
    part: CemeteryArrays, grave_share: float
) -> None:
    half = part.valid.copy()
    half[:, : half.shape[1] // 2] = False
    settings = ChipSettings(size_px=64, grave_share=grave_share, generated_share=0.3)
    chosen = ChipPlaces([part], settings, [replace(part, valid=half), part])
    assert chosen.usable_px == part.valid.sum()  # the length of an epoch is that of the own parts
    places = draw(chosen)
    assert np.mean([place.part > 0 for place in places]) == pytest.approx(0.3, abs=0.03)
    assert {place.part for place in places} == {0, 1, 2}


def test_with_no_share_generated_parts_change_no_place(part: CemeteryArrays) -> None:
    settings = ChipSettings(size_px=64)
    assert draw(ChipPlaces([part], settings, [part])) == draw(ChipPlaces([part], settings))


def test_without_hard_examples_places_are_anywhere(part: CemeteryArrays) -> None:
    settings = ChipSettings(size_px=64, grave_share=0.0, revisit_share=1.0)
    rows = [place.row for place in draw(ChipPlaces([part], settings))]
    assert np.ptp(rows) > 0.8 * part.grid.height


def test_a_part_without_a_usable_pixel_is_named(part: CemeteryArrays) -> None:
    empty = replace(part, valid=np.zeros_like(part.valid))
    with pytest.raises(DatasetError, match=part.part.name):
        ChipPlaces([empty], ChipSettings())
