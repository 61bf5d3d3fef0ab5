"""Maps of validation and test parts: the network runs once, everything else decodes them."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rasterio.windows import Window
from support import tiny_settings

from grave_cli.dataset.cemetery_arrays import read_part
from grave_cli.dataset.plans import PartPlan
from grave_cli.dataset.training_data import plan_training, reading_recipe
from grave_cli.mapping.engine import Engine, open_engine
from grave_cli.model.bundle import Bundle, ModelCard
from grave_cli.settings.load import with_values
from grave_cli.settings.mapping import DecodingSettings
from grave_cli.settings.tree import Settings
from grave_cli.tracking.models import resolve_model
from grave_cli.training import finishing
from grave_cli.training.mapped_parts import TruthMap, beside_truth, map_parts, score_decoding
from grave_cli.training.trainer import run_training

HALF = (0.5, 0.5, 0.5)


class Mirror:
    """Returns the colours as probabilities, and counts the pixels that it sees."""

    name = "mirror"
    batch_mpx = 1.0

    def probabilities(self, batch: np.ndarray) -> np.ndarray:
        return (batch[:, :3] + 1) / 2


@pytest.fixture(scope="module")
def settings(sample_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return tiny_settings(sample_data, tmp_path_factory.mktemp("maps") / "runs")


@pytest.fixture(scope="module")
def plan(settings: Settings) -> PartPlan:
    return plan_training(settings).split("val")[0]


@pytest.fixture(scope="module")
def mirror(trained: Settings) -> Bundle:
    """A model whose recipe leaves colours as they are."""
    bundle = resolve_model("tiny", trained).bundle
    recipe = bundle.card.recipe.model_copy(
        update={"mean": HALF, "std": HALF, "elevation": None, "channels": "rgb"}
    )
    card = bundle.card.model_copy(update={"recipe": recipe})
    return bundle.model_copy(update={"card": card})


def test_a_part_shows_the_engine_s_answer_beside_the_truth(
    plan: PartPlan, mirror: Bundle, settings: Settings
) -> None:
    arrays = read_part(plan, reading_recipe(settings))
    with map_parts([plan], mirror, Mirror(), settings) as (mapped,):
        found = beside_truth(mapped)
    # The body is at least 1/255 where the orthophoto has pixels.
    assert (np.abs(found.levels.astype(int) - arrays.rgb * arrays.valid) <= 1).all()
    assert (found.truth == arrays.instances).all()
    assert (found.scored == arrays.valid).all()


def test_strips_of_a_cemetery_share_one_map(
    plan: PartPlan, mirror: Bundle, settings: Settings
) -> None:
    height, width = plan.grid.shape
    window = Window(20, 20, width - 40, height - 40)  # the middle of the cemetery
    strip = replace(plan, window=window)
    seen: Counter[str] = Counter()

    class Counting(Mirror):
        def probabilities(self, batch: np.ndarray) -> np.ndarray:
            seen["tiles"] += len(batch)
            return super().probabilities(batch)

    with map_parts([strip], mirror, Counting(), settings) as (alone,):
        cut = beside_truth(alone)
    once = seen["tiles"]
    with map_parts([plan, strip, plan], mirror, Counting(), settings) as parts:
        assert len({id(part.probabilities) for part in parts}) == 1
        whole = beside_truth(parts[0])
    assert seen["tiles"] == 2 * once
    rows, columns = window.toslices()
    assert (cut.levels == whole.levels[:, rows, columns]).all()
    assert cut.levels.shape[1:] < (height, width)


def test_large_maps_are_files_that_go_with_the_block(
    plan: PartPlan, mirror: Bundle, settings: Settings, tmp_path: Path
) -> None:
    small = with_values(settings, {"prediction.memory_mpx": 0.001, "work_dir": tmp_path / "runs"})
    with map_parts([plan], mirror, Mirror(), settings) as (held,):
        expected = beside_truth(held).levels
    with map_parts([plan], mirror, Mirror(), small) as (filed,):
        assert list((tmp_path / "runs").rglob("*.npy"))
        assert (beside_truth(filed).levels == expected).all()
    assert not list((tmp_path / "runs").rglob("*.npy"))


def test_graves_count_where_their_centroid_is_scored() -> None:
    labels = np.zeros((60, 60), np.int32)
    labels[5:25, 5:15] = 1
    labels[35:55, 5:15] = 2
    levels = np.zeros((3, 60, 60), np.uint8)
    levels[0][labels > 0] = 255
    upper = np.zeros((60, 60), bool)
    upper[:30] = True
    one = TruthMap(levels, labels, upper, 0.1)
    score = score_decoding([one, one], DecodingSettings())
    assert (score.truths, score.predictions, score.matches) == (2, 2, 2)


@pytest.mark.usefixtures("work_dir")
def test_after_a_fit_the_network_sees_each_cemetery_once_and_the_card_is_written_once(
    sample_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: Counter[str] = Counter()

    def opened(*args: object, **kwargs: object) -> Engine:
        seen["engines"] += 1
        engine = open_engine(*args, **kwargs)
        compute = engine.probabilities

        def count(batch: np.ndarray) -> np.ndarray:
            seen["pixels"] += batch[:, 0].size
            return compute(batch)

        engine.probabilities = count
        return engine

    def write_card(folder: Path, card: ModelCard) -> None:
        seen["cards"] += 1
        assert card.metrics["test/object_f1"] >= 0
        assert card.metrics["val/dice"] >= 0
        real_card(folder, card)

    real_card = finishing.write_card
    monkeypatch.setattr(finishing, "open_engine", opened)
    monkeypatch.setattr(finishing, "write_card", write_card)
    chosen = tiny_settings(
        sample_data, tmp_path / "runs", training__epochs=1, prediction__halo_px=0
    )
    plan = plan_training(chosen)
    run_training(chosen, name="counted")
    parts = [*plan.split("val"), *plan.final]
    grids = {part.part.cemetery.name: part.whole.grid for part in parts}
    assert len(grids) == 2
    assert seen["engines"] == 1
    assert seen["cards"] == 1
    # 140 px: two rows and columns of tiles of 96 px, the fewest multiples of 32 that cover it.
    assert [grid.shape for grid in grids.values()] == [(140, 140)] * 2
    assert seen["pixels"] == 2 * 4 * 96 * 96
