"""Parts of cemeteries as arrays: the same from memory and from the cache, which knows its age."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely
from deliveries import GRAVES, GRID, UTM, grave, named, write
from support import Listener, tiny_settings

from grave_cli.dataset.array_cache import read_parts
from grave_cli.dataset.cemetery_arrays import (
    CemeteryArrays,
    memory_bytes,
    read_part,
    valid_share,
)
from grave_cli.dataset.manifest import read_manifest
from grave_cli.dataset.plans import PartPlan, plan_parts
from grave_cli.dataset.splits import Part, Strip
from grave_cli.dataset.training_data import plan_training, reading_recipe
from grave_cli.errors import GraveError
from grave_cli.settings.tree import Settings

IN_A_ROW = [grave(2 + 2.2 * number, 3 + 4 * (number % 2)) for number in range(8)]
HALF = shapely.box(500000, 5400000, 500010, 5400010)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """One cemetery: its left half is labelled, and of its eight graves two are free."""
    root = tmp_path / "data"
    for folder in ("orthophotos", "annotations", "areas"):
        (root / folder).mkdir(parents=True)
    profile = {"driver": "GTiff", "width": 200, "height": 100, "count": 4, "dtype": "uint8"}
    with rasterio.open(
        root / "orthophotos" / "a.tif", "w", **profile, crs=UTM, transform=GRID.transform
    ) as file:
        pixels = np.full((4, 100, 200), 255, np.uint8)
        pixels[:, :20] = 0
        file.write(pixels)
    features = [*named("belegt", GRAVES[1:-1]), *named("frei", [GRAVES[0], GRAVES[-1]])]
    write(root / "annotations" / "a.gpkg", features)
    write(root / "areas" / "a.gpkg", [HALF])
    return root


def make_plan(
    root: Path, strip: Strip | None = None, **options: object
) -> tuple[PartPlan, Settings]:
    settings = tiny_settings(root, root.parent / "runs", **options)
    (cemetery,) = read_manifest(root).cemeteries
    (plan,) = plan_parts([Part(cemetery, "train", strip)], settings)
    return plan, settings


def from_cache(plan: PartPlan, settings: Settings) -> CemeteryArrays:
    recipe, cache = reading_recipe(settings), settings.work_dir / "cache"
    return read_parts([plan], recipe, max_bytes=0, cache=cache)[0]


def label_all(root: Path, graves: list[shapely.Polygon]) -> None:
    (root / "areas" / "a.gpkg").unlink()
    write(root / "annotations" / "a.gpkg", graves)


def test_a_cached_part_equals_one_that_is_read(root: Path) -> None:
    plan, settings = make_plan(root)
    read = read_part(plan, reading_recipe(settings))
    for cached in (from_cache(plan, settings), from_cache(plan, settings)):
        assert isinstance(cached.rgb, np.memmap)
        for name in ("rgb", "valid", "instances", "labelled", "scored"):
            assert np.array_equal(getattr(cached, name), getattr(read, name))
        assert cached.elevation is None


@pytest.mark.parametrize(
    ("change", "field"), [("filter", "instances"), ("area", "labelled"), ("none", "rgb")]
)
def test_the_cache_knows_what_else_the_same_files_can_mean(
    root: Path, change: str, field: str
) -> None:
    plan, settings = make_plan(root)
    before = from_cache(plan, settings)
    if change == "filter":
        plan, settings = make_plan(root, data__annotation_filter="NAME = 'belegt'")
    if change == "area":
        plan = replace(plan, whole=replace(plan.whole, area=HALF.buffer(-2)))
    after = from_cache(plan, settings)
    assert np.array_equal(getattr(before, field), getattr(after, field)) == (change == "none")


def test_a_part_is_scored_where_it_is_valid_and_labelled(root: Path) -> None:
    plan, settings = make_plan(root)
    arrays = read_part(plan, reading_recipe(settings))
    assert arrays.valid[25:].all()
    assert not arrays.valid[:15].any()
    assert np.array_equal(arrays.scored, arrays.valid & arrays.labelled)
    assert arrays.scored.mean() == pytest.approx(0.4, abs=0.02)
    assert valid_share(plan) == pytest.approx(0.4, abs=0.15)


def test_a_filter_chooses_the_graves(root: Path) -> None:
    plan, _ = make_plan(root, data__annotation_filter="NAME = 'frei'")
    assert len(plan.whole.graves.polygons) == 2
    assert len(plan.graves) == 1


def test_a_strip_without_graves_is_refused(root: Path) -> None:
    label_all(root, IN_A_ROW)
    with pytest.raises(GraveError, match=r"a\.gpkg: no graves in a:train"):
        make_plan(root, Strip(0.6, 0.8), data__guard_m=3.0)


def test_a_guard_that_leaves_nothing_is_refused(root: Path) -> None:
    with pytest.raises(GraveError, match=r"a\.tif: cemetery is too small") as caught:
        make_plan(root, Strip(0.4, 0.6), data__guard_m=30.0)
    assert "\n" not in str(caught.value)


def test_the_memory_of_a_part_is_that_of_its_arrays(root: Path) -> None:
    plan, settings = make_plan(root)
    recipe = reading_recipe(settings)
    arrays = read_part(plan, recipe)
    held = (arrays.rgb, arrays.valid, arrays.instances, arrays.labelled)
    assert memory_bytes(plan, recipe) == sum(array.nbytes for array in held)


def test_findings_are_reported(root: Path, listener: Listener) -> None:
    first = IN_A_ROW[0]
    label_all(root, [*IN_A_ROW, first, shapely.affinity.translate(first, 500)])
    plan_training(tiny_settings(root, root.parent / "runs", data__guard_m=0.0), listener)
    path = root / "annotations" / "a.gpkg"
    assert listener.notes == [
        f"{path}: 1 duplicate outline ignored",
        f"{path}: 1 grave outside the orthophoto ignored",
    ]
