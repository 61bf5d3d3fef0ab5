from pathlib import Path

import numpy as np
import pytest
from grave_cli.training.validation_maps import ValidationMap, map_validation, score_decoding
from support import tiny_settings

from grave_cli.dataset.cemetery_arrays import CemeteryArrays
from grave_cli.dataset.training_data import plan_training, read_training_data
from grave_cli.rasters.recipe import InputRecipe
from grave_cli.settings.mapping import DecodingSettings, PredictionSettings

HALF = (0.5, 0.5, 0.5)
TILES = PredictionSettings(tile_px=96, halo_px=16, batch_size=3)


class Mirror:
    """Gives the colours back as probabilities: what it answers depends on each pixel alone."""

    batch_mpx = 1.0
    name = "mirror"
    batch_mpx = 1.0

    def probabilities(self, batch: np.ndarray) -> np.ndarray:
        return (batch[:, :3] + 1) / 2


@pytest.fixture(scope="module")
def part(sample_data: Path, tmp_path_factory: pytest.TempPathFactory) -> CemeteryArrays:
    settings = tiny_settings(sample_data, tmp_path_factory.mktemp("maps") / "runs")
    return read_training_data(plan_training(settings), settings).val[0]


def test_maps_hold_what_the_engine_says_of_each_valid_pixel(part: CemeteryArrays) -> None:
    recipe = InputRecipe(channels="rgb", gsd_m=0.1, mean=HALF, std=HALF, elevation=None)
    (mapped,) = map_validation([part], Mirror(), recipe, TILES)
    assert (mapped.levels == part.rgb * part.valid).all()
    assert (mapped.truth == part.instances).all()
    assert mapped.probabilities().max() <= 1


def test_graves_count_where_their_centroid_is_scored(part: CemeteryArrays) -> None:
    labels = np.zeros((60, 60), np.int32)
    labels[5:25, 5:15] = 1
    labels[35:55, 5:15] = 2
    levels = np.zeros((3, 60, 60), np.uint8)
    levels[0][labels > 0] = 255
    upper = np.zeros((60, 60), bool)
    upper[:30] = True
    one = ValidationMap(levels, labels, upper, np.ones_like(upper), 0.1)
    score = score_decoding([one, one], DecodingSettings())
    assert (score.truths, score.predictions, score.matches) == (2, 2, 2)
