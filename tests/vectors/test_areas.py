"""Labelled areas: outside of them nothing counts, whether or not something is labelled there."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely
import torch
from affine import Affine
from deliveries import GRAVES, GRID, UTM, by_place, grave, moved, outline, write
from rasterio.windows import Window
from support import tiny_settings
from torch import Tensor, nn

from grave_cli.dataset.annotations import read_labelled_area
from grave_cli.dataset.cemetery_arrays import CemeteryArrays, read_part
from grave_cli.dataset.manifest import Cemetery, read_manifest
from grave_cli.dataset.plans import PartPlan, plan_parts
from grave_cli.dataset.splits import Part, Strip
from grave_cli.dataset.training_data import reading_recipe
from grave_cli.errors import GraveError
from grave_cli.evaluation.score import add_scores
from grave_cli.learning.chips import ChipDataset, to_tensors
from grave_cli.learning.cutting import Chip, cut_chip
from grave_cli.learning.datamodule import TileDataset
from grave_cli.learning.losses import GraveLoss
from grave_cli.learning.task import GraveTask
from grave_cli.mapping.extract_graves import extract_graves
from grave_cli.mapping.probability_map import ProbabilityMap
from grave_cli.mapping.scene import Scene
from grave_cli.mapping.stream import map_probabilities
from grave_cli.rasters.grid import WorkingGrid
from grave_cli.settings.inputs import DataSettings
from grave_cli.settings.mapping import DecodingSettings, PredictionSettings
from grave_cli.settings.tree import Settings
from grave_cli.training.judged_part import judge_part
from grave_cli.vectors.areas import both_areas, rasterize_area, read_area, within_area

# The left 9.4 m of 20 m: four graves lie within, four outside, and one reaches in from outside.
AREA = shapely.box(500000, 5400000, 500009.4, 5400010)
INSIDE = [shape for shape in GRAVES if AREA.contains(shape.centroid)]
OUTSIDE = [shape for shape in GRAVES if not AREA.contains(shape.centroid)]
BESIDE = grave(10, 5, 0)


def data_folder(root: Path, graves: list[shapely.Polygon], area: bool = True) -> Path:
    """A data folder with one cemetery, on which nothing but noise is to be seen."""
    for folder in ("orthophotos", "annotations", "areas"):
        (root / folder).mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(0, 255, (3, 100, 200), np.uint8)
    with rasterio.open(
        root / "orthophotos" / "a.tif",
        "w",
        driver="GTiff",
        width=200,
        height=100,
        count=3,
        dtype="uint8",
        crs=UTM,
        transform=GRID.transform,
    ) as file:
        file.write(pixels)
    write(root / "annotations" / "a.gpkg", graves)
    if area:
        write(root / "areas" / "a.gpkg", [AREA])
    return root


def make_plan(
    tmp_path: Path,
    graves: list[shapely.Polygon],
    strip: Strip | None = None,
    area: bool = True,
    **options: object,
) -> tuple[PartPlan, Settings]:
    root = data_folder(tmp_path / "data", graves, area)
    settings = tiny_settings(
        root, tmp_path / "runs", data__guard_m=0.0, chips__per_epoch=30, **options
    )
    (cemetery,) = read_manifest(root).cemeteries
    (plan,) = plan_parts([Part(cemetery, "train", strip)], settings)
    return plan, settings


AREAS: dict[str, Callable[[Path], Path]] = {
    "one polygon": lambda f: write(f / "a.gpkg", [AREA]),
    "degrees": lambda f: write(f / "a.geojson", moved([AREA], "EPSG:4326"), crs="EPSG:4326"),
    "a closed line": lambda f: write(f / "a.shp", [outline(AREA)], kind="LineString"),
    "halves that overlap": lambda f: write(
        f / "a.fgb", [AREA, shapely.box(500000, 5400000, 500005, 5400010)]
    ),
    "reaching beyond the image": lambda f: write(
        f / "a.gpkg", [shapely.box(0, 0, 500009.4, 9999999)]
    ),
    "beside other layers": lambda f: write(
        write(f / "a.gpkg", GRAVES, layer="graves"), [AREA], layer="area"
    ),
}


@pytest.mark.parametrize("name", AREAS)
def test_an_area_is_read_from_any_file(tmp_path: Path, name: str) -> None:
    area = read_area(AREAS[name](tmp_path), GRID)
    assert area.area == pytest.approx(AREA.area, rel=1e-3)
    drawn = rasterize_area(area, GRID)
    assert drawn[:, :94].all()
    assert not drawn[:, 94:].any()


def test_a_layer_of_the_annotations_can_say_the_area(tmp_path: Path) -> None:
    path = write(write(tmp_path / "g.gpkg", GRAVES, layer="plots"), [AREA], layer="done")
    cemetery = Cemetery("a", tmp_path / "a.tif", annotations=path)
    data = DataSettings(area_layer="done")
    assert read_labelled_area(cemetery, GRID, data).equals(AREA)
    assert read_labelled_area(cemetery, GRID, DataSettings()) is None
    own = write(tmp_path / "own.gpkg", [AREA.buffer(-1)])
    both = Cemetery("a", tmp_path / "a.tif", annotations=path, area=own)
    assert read_labelled_area(both, GRID, data).equals(AREA.buffer(-1))


@pytest.mark.parametrize(
    ("shapes", "layer", "why"),
    [
        ([grave(900, 900)], "", "lies outside the orthophoto"),
        ([shapely.Point(500001, 5400001)], "", "area has no polygons"),
        ([AREA], "done", "layer is missing"),
    ],
)
def test_an_area_that_cannot_serve_is_refused(
    tmp_path: Path, shapes: list[shapely.Geometry], layer: str, why: str
) -> None:
    path = write(tmp_path / "a.gpkg", shapes, kind="Unknown")
    with pytest.raises(GraveError, match=why) as caught:
        read_area(path, GRID, layer)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_without_an_area_every_grave_belongs() -> None:
    assert within_area(np.array(GRAVES), None).all()
    assert within_area(np.array(GRAVES), AREA).tolist() == [s in INSIDE for s in GRAVES]


def test_of_two_layers_of_an_area_the_one_called_area_counts(tmp_path: Path) -> None:
    path = tmp_path / "part.gpkg"
    for layer in ("north", "south"):
        write(path, [AREA], layer=layer)
    with pytest.raises(
        GraveError, match=r"layer is ambiguous.*call it area, or merge them"
    ) as said:
        read_area(path, GRID)
    assert "annotation_layer" not in str(said.value)
    write(path, [shapely.buffer(AREA, -1)], layer="area")
    assert read_area(path, GRID).area < AREA.area


def test_an_area_without_graves_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GraveError, match=r"a\.gpkg: no graves in the labelled area"):
        make_plan(tmp_path, OUTSIDE)


def test_only_graves_inside_belong_to_a_part_and_only_pixels_inside_are_scored(
    tmp_path: Path,
) -> None:
    plan, settings = make_plan(tmp_path, [*GRAVES, BESIDE])
    arrays = read_part(plan, reading_recipe(settings))
    assert shapely.equals_exact(by_place(plan.graves), by_place(INSIDE), 1e-6).all()
    assert arrays.valid.all()
    assert arrays.scored[:, :94].all()
    assert not arrays.scored[:, 94:].any()
    assert arrays.instances[:, 112:].max() == 0  # but BESIDE, which reaches into the area, is drawn
    assert arrays.instances[50, 100] > 0


def test_strips_share_out_the_graves_inside(tmp_path: Path) -> None:
    plan, _ = make_plan(tmp_path, GRAVES, Strip(0.5, 1.0))
    assert len(plan.graves) == 2
    assert plan.window.col_off == pytest.approx(50, abs=2)
    assert plan.owns(np.array(GRAVES)).sum() == 2


def test_training_sees_the_same_whether_or_not_graves_outside_are_labelled(tmp_path: Path) -> None:
    (items, settings), (others, _) = (
        chips(tmp_path / name, graves) for name, graves in (("all", GRAVES), ("few", INSIDE))
    )
    loss = GraveLoss.from_settings(settings.training)
    for item, other in zip(items, others, strict=True):
        assert torch.equal(item["input"], other["input"])
        logits = torch.randn(1, 3, 64, 64)
        assert loss_of(loss, logits, item) == loss_of(loss, logits, other)


def test_what_is_drawn_outside_of_the_area_costs_nothing(tmp_path: Path) -> None:
    plan, settings = make_plan(tmp_path, GRAVES)
    recipe = reading_recipe(settings)
    chip = cut_chip(read_part(plan, recipe), Window(0, 0, 192, 96))
    item = to_tensors(chip, None, recipe, settings)
    loss = GraveLoss.from_settings(settings.training)
    calm = torch.randn(1, 3, 96, 192)
    outside, inside = calm.clone(), calm.clone()
    outside[..., 95:] = 50
    inside[..., 93:] = 50
    assert loss_of(loss, outside, item) == loss_of(loss, calm, item)
    assert loss_of(loss, inside, item) != loss_of(loss, calm, item)


@pytest.mark.parametrize("grave_share", [0.0, 1.0])
def test_no_chip_is_centred_outside_of_the_area(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, grave_share: float
) -> None:
    centres = []

    def cut(arrays: CemeteryArrays, window: Window) -> Chip:
        centres.append(window.col_off + window.width // 2)
        return cut_chip(arrays, window)

    monkeypatch.setattr("grave_cli.learning.augmentation.cut_chip", cut)
    near_the_edge = grave(8, 5, 0)
    chips(tmp_path, [*GRAVES, near_the_edge], chips__grave_share=grave_share)
    assert 80 < max(centres) < 95
    assert min(centres) >= 0


def chips(
    tmp_path: Path, graves: list[shapely.Polygon], **options: object
) -> tuple[list[dict[str, Tensor]], Settings]:
    plan, settings = make_plan(tmp_path, graves, **options)
    recipe = reading_recipe(settings)
    dataset = ChipDataset([read_part(plan, recipe)], recipe, settings)
    return [dataset[0, index] for index in range(len(dataset))], settings


def loss_of(loss: GraveLoss, logits: Tensor, item: dict[str, Tensor]) -> float:
    return float(loss(logits, item["targets"][None], item["scored"][None]))


class Knowing(nn.Module):
    """A network that knows where all graves are, those outside of the area too."""

    def __init__(self, targets: Tensor) -> None:
        super().__init__()
        self.logits = (targets - 0.5) * 20

    def forward(self, batch: Tensor) -> Tensor:
        return self.logits.expand(len(batch), -1, -1, -1)


def test_validation_counts_graves_by_their_centroid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything, settings = make_plan(tmp_path / "all", [*GRAVES, BESIDE], area=False)
    part, _ = make_plan(tmp_path / "part", INSIDE)
    recipe = reading_recipe(settings)
    (known,), (tile,) = (
        TileDataset([read_part(plan, recipe)], recipe, settings) for plan in (everything, part)
    )
    task = GraveTask(Knowing(known["targets"][None]), settings)
    monkeypatch.setattr(task, "log", lambda *args, **options: None)
    task.validation_step({name: value[None] for name, value in tile.items()}, 0)
    score = add_scores(task.scores._graves)
    assert (score.truths, score.predictions, score.matches) == (4, 4, 4)
    assert task.scores.pixels.rates()["recall"] == 1


@pytest.mark.parametrize("labelled", [INSIDE, [*GRAVES, BESIDE]])
def test_the_final_score_counts_graves_by_their_centroid(
    tmp_path: Path, labelled: list[shapely.Polygon]
) -> None:
    plan, _ = make_plan(tmp_path, labelled)
    score = judge_part(plan, np.array([*GRAVES, BESIDE])).scores[0]
    assert (score.truths, score.predictions, score.matches) == (4, 4, 4)


class Counting:
    """An engine that sees a grave in every pixel, and counts the tiles it was given."""

    name = "counting"
    batch_mpx = 1.0

    def __init__(self) -> None:
        self.tiles = 0

    def probabilities(self, batch: np.ndarray) -> np.ndarray:
        self.tiles += len(batch)
        return np.ones((len(batch), 3, *batch.shape[2:]), np.float32)


def scene_of(plan: PartPlan, settings: Settings, aoi: shapely.Geometry | None) -> Scene:
    whole = plan.whole
    return Scene(whole.orthophoto, None, whole.grid, reading_recipe(settings), None, aoi)


def test_tiles_that_see_nothing_of_the_aoi_are_not_computed(tmp_path: Path) -> None:
    plan, settings = make_plan(tmp_path, GRAVES)
    tiles = PredictionSettings(tile_px=64, halo_px=8)
    computed = {}
    for name, aoi in (("all", None), ("some", AREA), ("one", grave(2, 8, 0))):
        engine = Counting()
        seen = map_probabilities(scene_of(plan, settings, aoi), engine, tiles)
        computed[name] = engine.tiles
        levels = seen.read(plan.whole.grid.window)
        assert ((levels == 255) == (levels > 0)).all()
    assert computed["one"] < computed["some"] < computed["all"]


def test_graves_and_coverage_end_with_the_aoi(tmp_path: Path) -> None:
    plan, settings = make_plan(tmp_path, [*GRAVES, BESIDE], area=False)
    instances = read_part(plan, reading_recipe(settings)).instances
    levels = np.stack([instances > 0, instances < 0, instances < 0]) * np.uint8(255)
    seen = ProbabilityMap.of(levels, np.ones(instances.shape, np.bool_), plan.whole.grid)
    scene = scene_of(plan, settings, AREA)
    result = extract_graves(seen, scene, DecodingSettings(), settings, {})
    assert len(result.polygons) == len(result.attributes) == len(INSIDE)
    assert AREA.contains(shapely.centroid(result.polygons)).all()
    assert result.attributes[0]["grave_id"].startswith("a-F0")
    assert result.coverage.difference(AREA).area == pytest.approx(0, abs=1e-6)
    assert result.coverage.area == pytest.approx(AREA.area, rel=0.05)


def test_an_edge_along_which_two_areas_touch_is_not_mapped() -> None:
    # A U of which the second area takes the left arm, and touches the bottom between both arms.
    corners = [(0, 0), (10, 0), (10, 10), (8, 10), (8, 4), (4, 4), (4, 10), (0, 10)]
    both = both_areas(shapely.Polygon(corners), shapely.box(0, 4, 6, 12))
    assert both is not None
    assert both.equals(shapely.box(0, 4, 4, 10))
    grid = WorkingGrid(UTM, Affine(1, 0, 0, 0, -1, 12), 12, 12, 1.0)
    assert rasterize_area(both, grid).sum() == 24
