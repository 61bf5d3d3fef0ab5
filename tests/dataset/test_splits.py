"""No grave is trained on and scored, and who is held out is the same every time."""

from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from grave_cli.dataset.manifest import Cemetery, Manifest
from grave_cli.dataset.splits import (
    _HELD_OUT,
    SPLITS,
    Part,
    Strip,
    _placement,
    assign_parts,
    strip_window,
)
from grave_cli.errors import DatasetError
from grave_cli.rasters.grid import lay_grid
from grave_cli.settings.inputs import DataSettings

ROOT = Path("data")


def cemetery(name: str, labels: bool = True, dem: bool = True) -> Cemetery:
    return Cemetery(
        name,
        ROOT / "orthophotos" / f"{name}.tif",
        dem=ROOT / "dems" / f"{name}.tif" if dem else None,
        annotations=ROOT / "annotations" / f"{name}.gpkg" if labels else None,
    )


def manifest(*names: str) -> Manifest:
    return Manifest(ROOT, tuple(cemetery(name) for name in sorted(names)))


def named(parts: tuple[Part, ...]) -> dict[str, list[str]]:
    return {
        split: [part.cemetery.name for part in parts if part.split == split] for split in SPLITS
    }


def test_one_cemetery_is_cut_into_three_strips() -> None:
    parts = assign_parts(manifest("a"), DataSettings())
    assert [(part.split, part.strip) for part in parts] == [
        ("train", Strip(0.0, pytest.approx(0.6))),
        ("val", Strip(pytest.approx(0.6), 0.8)),
        ("test", Strip(0.8, 1.0)),
    ]
    assert [part.name for part in parts] == ["a:train", "a:val", "a:test"]


GRAVE_M = (1.0, 2.2)
spots = st.tuples(st.floats(2, 58), st.floats(2, 38))


@settings(deadline=None)
@given(
    centres=st.lists(spots, min_size=1, max_size=60),
    wide=st.booleans(),
    shares=st.tuples(st.floats(0.05, 0.45), st.floats(0.05, 0.45)),
)
def test_no_grave_of_one_cemetery_lies_in_two_strips(
    centres: list[tuple[float, float]], wide: bool, shares: tuple[float, float]
) -> None:
    span = (60.0, 40.0) if wide else (40.0, 60.0)
    x0, y0 = 600_000.0, 5_300_000.0
    grid = lay_grid("EPSG:25832", (x0, y0, x0 + span[0], y0 + span[1]), 0.1, "a.tif")
    half_x, half_y = GRAVE_M[0] / 2, GRAVE_M[1] / 2
    at = [(x, y) if wide else (y, x) for x, y in centres]
    graves = [
        shapely.box(x0 + x - half_x, y0 + y - half_y, x0 + x + half_x, y0 + y + half_y)
        for x, y in at
    ]
    data = DataSettings(val_share=shares[0], test_share=shares[1], guard_m=3.0)
    boxes = []
    for part in assign_parts(manifest("a"), data):
        assert part.strip is not None
        try:
            window = strip_window(grid, graves, part.strip, data.guard_m)
        except DatasetError:
            continue
        assert window.col_off >= 0
        assert window.row_off >= 0
        assert window.col_off + window.width <= grid.width
        assert window.row_off + window.height <= grid.height
        assert (window.height == grid.height) if wide else (window.width == grid.width)
        boxes.append(shapely.box(*grid.crop(window).bounds))
    for index, box in enumerate(boxes):
        for other in boxes[index + 1 :]:
            assert box.distance(other) >= 3.0 - grid.gsd_m - 1e-6
    for grave in graves:
        assert sum(shapely.intersects(boxes, grave)) <= 1


def test_each_strip_has_its_share_of_the_graves_wherever_they_lie() -> None:
    x0, y0 = 600_000.0, 5_300_000.0
    grid = lay_grid("EPSG:25832", (x0, y0, x0 + 100, y0 + 20), 0.1, "a.tif")
    # Ten times as dense in the last fifth.
    xs = np.concatenate([np.linspace(1, 80, 50), np.linspace(81, 99, 500)])
    graves = [shapely.box(x0 + x, y0 + 5, x0 + x + 0.1, y0 + 7) for x in xs]
    counts = []
    for part in assign_parts(manifest("a"), DataSettings(guard_m=0)):
        assert part.strip is not None
        strip = shapely.box(*grid.crop(strip_window(grid, graves, part.strip, 0)).bounds)
        counts.append(int(shapely.contains(strip, shapely.centroid(graves)).sum()))
    assert counts == pytest.approx([330, 110, 110], abs=6)


def test_a_cemetery_too_small_for_strips_is_refused() -> None:
    grid = lay_grid("EPSG:25832", (6e5, 5.3e6, 6e5 + 4, 5.3e6 + 4), 0.1, "a.tif")
    graves = [shapely.box(6e5 + 1, 5.3e6, 6e5 + 2, 5.3e6 + 1)] * 3
    with pytest.raises(DatasetError, match=r"too small for a spatial split \(found 4 m, .*guard"):
        strip_window(grid, graves, Strip(0.6, 0.8), 3.0)


def test_of_two_cemeteries_one_trains_and_one_tests_and_a_strip_validates() -> None:
    parts = assign_parts(manifest("a", "b"), DataSettings())
    chosen = named(parts)
    assert len(chosen["train"]) == len(chosen["test"]) == 1
    assert chosen["train"] != chosen["test"]
    assert chosen["val"] == chosen["train"]
    strips = {part.split: part.strip for part in parts}
    assert strips == {"train": Strip(0.0, 0.8), "val": Strip(0.8, 1.0), "test": None}


names = st.lists(
    st.text("abcdef_0123", min_size=1, max_size=8), min_size=3, max_size=25, unique=True
)


@settings(deadline=None)
@given(names=names)
def test_three_or_more_fill_every_split_the_same_way_each_time(
    names: list[str],
) -> None:
    parts = assign_parts(manifest(*names), DataSettings())
    chosen = named(parts)
    assert all(chosen.values())
    assert sorted(chain(*chosen.values())) == sorted(names)
    assert all(part.strip is None for part in parts)
    shuffled = tuple(sorted(manifest(*names).cemeteries, key=lambda c: c.name[::-1]))
    assert assign_parts(Manifest(ROOT, shuffled), DataSettings()) == parts


@settings(deadline=None)
@given(names=names, more=st.lists(st.text("ghij", min_size=1), max_size=10, unique=True))
def test_no_addition_turns_a_training_cemetery_into_a_test_one(
    names: list[str], more: list[str]
) -> None:
    trained = set(named(assign_parts(manifest(*names), DataSettings()))["train"])
    # Where even the last one of the first few would test among many, one of those must train.
    assume(max(_placement(cemetery(name)) for name in names) >= _HELD_OUT)
    for count in range(len(more) + 1):
        chosen = named(assign_parts(manifest(*names, *more[:count]), DataSettings()))
        assert not trained & set(chosen["test"])
        trained |= set(chosen["train"])  # also not what has trained in between


def test_a_cemetery_of_many_keeps_its_split_when_others_come() -> None:
    few = [f"friedhof_{number}" for number in range(12)]
    before = named(assign_parts(manifest(*few), DataSettings()))
    after = named(assign_parts(manifest(*few, *(f"new_{i}" for i in range(40))), DataSettings()))
    assert all(set(before[split]) <= set(after[split]) for split in SPLITS)
    assert [len(after[split]) for split in SPLITS] == [33, 12, 7]  # 3 : 1 : 1, roughly


def test_lists_are_followed_and_name_everything_that_is_used() -> None:
    data = DataSettings(train=("c", "a"), val=("d",), test=("b",))
    parts = assign_parts(manifest("a", "b", "c", "d", "unused"), data)
    assert named(parts) == {"train": ["a", "c"], "val": ["d"], "test": ["b"]}
    assert all(part.strip is None for part in parts)


@pytest.mark.parametrize("split", ["val", "test"])
def test_what_the_lists_leave_open_is_filled_from_the_others(split: str) -> None:
    data = DataSettings(**{split: ("b",)})  # type: ignore[arg-type]
    chosen = named(assign_parts(manifest("a", "b", "c", "d"), data))
    assert chosen[split] == ["b"]
    assert sorted(chain(*chosen.values())) == ["a", "b", "c", "d"]
    assert all(chosen.values())


def test_one_training_cemetery_without_a_test_one_is_cut_for_both() -> None:
    parts = assign_parts(manifest("a", "b", "c"), DataSettings(train=("b",)))
    assert named(parts) == {"train": ["b"], "val": ["b"], "test": ["b"]}


def test_a_validation_cemetery_saves_the_validation_strip() -> None:
    parts = assign_parts(manifest("a", "b"), DataSettings(train=("a",), val=("b",)))
    assert [(part.name, part.strip) for part in parts] == [
        ("a:train", Strip(0.0, 0.8)),
        ("b", None),
        ("a:test", Strip(0.8, 1.0)),
    ]


@pytest.mark.parametrize(
    "data",
    [
        DataSettings(train=("a", "a")),
        DataSettings(train=("a", "b"), val=("a",)),
        DataSettings(val=("a",), test=("a",)),
    ],
)
def test_a_cemetery_listed_twice_is_named(data: DataSettings) -> None:
    with pytest.raises(DatasetError, match=r"^data: cemetery a is listed twice"):
        assign_parts(manifest("a", "b", "c"), data)


def test_a_name_counts_however_its_accents_are_written() -> None:
    parts = assign_parts(manifest("Mülln", "b", "c"), DataSettings(test=("Mu\u0308lln",)))
    assert named(parts)["test"] == ["Mülln"]
    with pytest.raises(DatasetError, match="cemetery Mülln is listed twice"):
        assign_parts(manifest("Mülln", "b"), DataSettings(test=("Mülln", "Mu\u0308lln")))


def test_an_unknown_cemetery_is_named_with_those_there_are() -> None:
    with pytest.raises(DatasetError, match=r"^data: .*found west, expected a, b\)"):
        assign_parts(manifest("a", "b"), DataSettings(test=("west",)))


def test_lists_that_leave_none_to_train_on_are_refused() -> None:
    with pytest.raises(DatasetError, match=r"^data: no cemetery is left to train on"):
        assign_parts(manifest("a", "b"), DataSettings(val=("a",), test=("b",)))


@pytest.mark.parametrize("position", range(3))
def test_missing_labels_name_the_cemetery_and_what_is_expected(position: int) -> None:
    found = tuple(cemetery(name, labels=index != position) for index, name in enumerate("abc"))
    lacking = "abc"[position]
    with pytest.raises(DatasetError, match=f"no annotations for cemetery {lacking} ") as error:
        assign_parts(Manifest(ROOT, found), DataSettings())
    assert str(error.value).startswith(str(ROOT / "orthophotos" / f"{lacking}.tif"))
    assert f"annotations/{lacking}.gpkg" in str(error.value)


def test_a_missing_dem_matters_only_where_heights_are_asked_for() -> None:
    found = Manifest(ROOT, (cemetery("a"), cemetery("b", dem=False)))
    assign_parts(found, DataSettings(channels="rgb"))
    with pytest.raises(DatasetError, match=r"b\.tif: no DEM for cemetery b .*dems/b\.tif"):
        assign_parts(found, DataSettings(channels="rgb+dem"))


def test_cemeteries_that_no_list_uses_may_be_incomplete() -> None:
    found = Manifest(ROOT, (cemetery("a"), cemetery("b"), cemetery("c", labels=False)))
    data = DataSettings(train=("a",), test=("b",))
    assert named(assign_parts(found, data))["test"] == ["b"]


def with_ground(found: Manifest, *names: str) -> Manifest:
    ground = tuple(
        Cemetery(name, ROOT / "ground" / "orthophotos" / f"{name}.tif", is_ground=True)
        for name in names
    )
    return Manifest(found.root, found.cemeteries, ground)


def test_ground_is_trained_on_whole_and_changes_no_split() -> None:
    for names in (("a",), ("a", "b"), ("a", "b", "c", "d")):
        plain = assign_parts(manifest(*names), DataSettings(channels="rgb+dem"))
        parts = assign_parts(
            with_ground(manifest(*names), "park", "yard"), DataSettings(channels="rgb+dem")
        )
        ground = [part for part in parts if part.cemetery.is_ground]
        assert [(part.name, part.split, part.strip) for part in ground] == [
            ("park", "train", None),
            ("yard", "train", None),
        ]
        assert [part for part in parts if not part.cemetery.is_ground] == list(plain)


def test_a_list_assigns_ground_to_another_split() -> None:
    found = with_ground(manifest("a", "b", "c"), "park", "yard")
    data = DataSettings(train=("a",), val=("b", "yard"), test=("c",))
    assert named(assign_parts(found, data)) == {
        "train": ["a", "park"],
        "val": ["b", "yard"],
        "test": ["c"],
    }


def test_ground_to_validate_on_needs_a_dem_where_the_model_does() -> None:
    found = with_ground(manifest("a", "b", "c"), "park")
    data = DataSettings(val=("b", "park"), test=("c",), channels="rgb+dem")
    with pytest.raises(DatasetError, match=r"no DEM for cemetery park \(val\)"):
        assign_parts(found, data)
