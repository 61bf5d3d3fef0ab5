"""The sample cemeteries hold what a real data set holds, and the same seed makes them again."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import fiona
import numpy as np
import pyproj
import pytest
import rasterio
import shapely
from node import nodes
from rasterio import features

from grave_cli.errors import DatasetError, ExportError, InUseError
from grave_cli.sample_data.light import cast_shadows
from grave_cli.sample_data.write import GSD_M, SampleCemetery, write_sample_data

SIZE_M = 14.0


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sample") / "data"


@pytest.fixture(scope="module")
def samples(root: Path) -> list[SampleCemetery]:
    return write_sample_data(root, cemeteries=3, size_m=SIZE_M, seed=1)


def _outlines(sample: SampleCemetery) -> list[shapely.Polygon]:
    with fiona.open(sample.annotations, layer="graves") as source:
        return [shapely.geometry.shape(feature["geometry"]) for feature in source]


def test_files_lie_where_a_data_set_has_them(root: Path, samples: list[SampleCemetery]) -> None:
    found = sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())
    assert found == sorted(
        f"{folder}/sample_0{number}.{ending}"
        for number in (1, 2, 3)
        for folder, ending in (("orthophotos", "tif"), ("dems", "tif"), ("annotations", "gpkg"))
    )
    assert [sample.name for sample in samples] == ["sample_01", "sample_02", "sample_03"]


def test_same_seed_gives_equal_files_and_another_seed_does_not(
    tmp_path: Path, samples: list[SampleCemetery]
) -> None:
    again = write_sample_data(tmp_path / "again", cemeteries=1, size_m=SIZE_M, seed=1)[0]
    other = write_sample_data(tmp_path / "other", cemeteries=1, size_m=SIZE_M, seed=2)[0]
    assert again.orthophoto.read_bytes() == samples[0].orthophoto.read_bytes()
    assert again.dem.read_bytes() == samples[0].dem.read_bytes()
    assert again.annotations.read_bytes() == samples[0].annotations.read_bytes()
    assert other.orthophoto.read_bytes() != samples[0].orthophoto.read_bytes()


@pytest.mark.parametrize("crs", ["EPSG:25832", "EPSG:3857", "EPSG:2263"])
def test_pixels_are_true_ground_sizes_in_any_unit(tmp_path: Path, crs: str) -> None:
    sample = write_sample_data(tmp_path, cemeteries=1, size_m=10, crs=crs)[0]
    with rasterio.open(sample.orthophoto) as ortho, rasterio.open(sample.dem) as dem:
        assert ortho.crs == dem.crs == rasterio.CRS.from_string(crs)
        left, bottom, right, top = ortho.bounds
        width, height = ortho.width, ortho.height
    back = pyproj.Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    longitude, latitude = back.transform([left, right, left], [top, top, bottom])
    geod = pyproj.Geod(ellps="WGS84")
    across = geod.line_length(longitude[:2], latitude[:2]) / width
    down = geod.line_length(longitude[::2], latitude[::2]) / height
    assert across == pytest.approx(GSD_M, rel=0.005)
    assert down == pytest.approx(GSD_M, rel=0.005)
    with fiona.open(sample.annotations) as source:
        assert pyproj.CRS(source.crs_wkt) == pyproj.CRS(crs)


def test_orthophoto_is_a_tiled_rgba_geotiff_with_overviews_and_ragged_edges(
    samples: list[SampleCemetery],
) -> None:
    for sample in samples:
        with rasterio.open(sample.orthophoto) as source:
            assert source.count == 4
            assert source.profile["tiled"]
            assert source.profile["compress"] == "deflate"
            assert source.overviews(1)[:2] == [2, 4]
            alpha, red = source.read(4), source.read(1)
            assert source.colorinterp[3].name == "alpha"
        assert set(np.unique(alpha)) == {0, 255}
        assert 0.02 < (alpha == 0).mean() < 0.35
        assert not red[alpha == 0].any()


def test_outlines_are_valid_disjoint_and_sized_like_graves(
    samples: list[SampleCemetery],
) -> None:
    for sample in samples:
        outlines = _outlines(sample)
        assert len(outlines) == sample.graves >= 4
        assert all(outline.is_valid for outline in outlines)
        assert all(0.2 < outline.area < 6.5 for outline in outlines)
        overlaps = [a.intersection(b).area for a, b in combinations(outlines, 2)]
        assert max(overlaps) < 1e-6


def test_outlines_lie_inside_the_footprint(samples: list[SampleCemetery]) -> None:
    for sample in samples:
        with rasterio.open(sample.orthophoto) as source:
            alpha = source.read(4)
            burnt = features.rasterize(_outlines(sample), alpha.shape, transform=source.transform)
        assert alpha[burnt == 1].mean() / 255 > 0.95


def test_some_graves_share_an_edge(samples: list[SampleCemetery]) -> None:
    shared = [
        a.intersection(b).length
        for sample in samples
        for a, b in combinations(_outlines(sample), 2)
    ]
    assert sum(length > 0.5 for length in shared) >= 3


def test_annotations_say_kind_and_status(samples: list[SampleCemetery]) -> None:
    kinds, states = set(), set()
    for sample in samples:
        with fiona.open(sample.annotations) as source:
            assert source.schema["geometry"] == "Polygon"
            kinds |= {feature["properties"]["kind"] for feature in source}
            states |= {feature["properties"]["status"] for feature in source}
    assert {"single", "double"} <= kinds <= {"single", "double", "urn", "child"}
    assert states <= {"occupied", "neglected", "new"}


def test_dem_has_its_own_grid_with_holes_and_absolute_heights(
    samples: list[SampleCemetery],
) -> None:
    for sample in samples:
        with rasterio.open(sample.orthophoto) as ortho, rasterio.open(sample.dem) as dem:
            assert dem.bounds != ortho.bounds
            assert dem.res[0] > 3 * ortho.res[0]
            assert dem.nodata == -9999
            heights = dem.read(1, masked=True)
        assert heights.dtype == np.float32
        assert 0 < np.ma.getmaskarray(heights).mean() < 0.1
        assert 200 < heights.min() < heights.max() < 700


def test_headstones_stand_out_of_the_dem(samples: list[SampleCemetery]) -> None:
    """Within most graves the surface rises by a good part of a headstone's height."""
    rises = []
    for sample in samples:
        with rasterio.open(sample.dem) as dem:
            heights = dem.read(1, masked=True)
            for outline in _outlines(sample):
                inside = features.geometry_mask([outline], dem.shape, dem.transform, invert=True)
                values = heights[inside].compressed()
                rises.append(np.ptp(values) if values.size else 0.0)
    assert np.median(rises) > 0.4


def test_shadows_fall_away_from_the_sun_as_long_as_the_sun_is_low() -> None:
    """A 1 m post under a sun 45° high in the south throws 1 m of shadow to the north."""
    height = np.zeros((100, 41), np.float32)
    height[80, 20] = 1.0
    shadow = cast_shadows(height, gsd_m=0.025, azimuth_deg=180, elevation_deg=45)
    rows, cols = np.nonzero(shadow > 127)
    assert set(cols) == {20}
    assert (rows.min(), rows.max()) == pytest.approx((41, 79), abs=2)


def test_any_projected_crs_is_taken_but_others_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"EPSG:4326.*EPSG:25832"):
        write_sample_data(tmp_path, crs="EPSG:4326")
    with pytest.raises(DatasetError, match=r"unknown CRS.*EPSG:999999"):
        write_sample_data(tmp_path, crs="EPSG:999999")
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("folder", ["orthophotos", "dems", "annotations"])
def test_a_folder_that_holds_files_is_refused_by_name(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).mkdir()
    mine = tmp_path / folder / "mine.tif"
    mine.write_text("mine")
    with pytest.raises(DatasetError, match=rf"{folder}.*mine\.tif"):
        write_sample_data(tmp_path, size_m=10)
    assert sorted(tmp_path.rglob("*")) == [mine.parent, mine]


def test_no_folder_is_left_if_another_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "annotations").write_text("a file")
    with pytest.raises(DatasetError, match="annotations: cannot create this folder"):
        write_sample_data(tmp_path, size_m=10)
    assert [path.name for path in tmp_path.iterdir()] == ["annotations"]


@pytest.mark.parametrize(("cemeteries", "size_m"), [(0, 40.0), (1, 9.0), (1, 201.0)])
def test_sizes_out_of_bounds_are_refused(tmp_path: Path, cemeteries: int, size_m: float) -> None:
    with pytest.raises(DatasetError):
        write_sample_data(tmp_path, cemeteries=cemeteries, size_m=size_m)


def test_a_seed_below_zero_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="seed"):
        write_sample_data(tmp_path / "new", seed=-1)
    assert not (tmp_path / "new").exists()


def test_two_processes_never_write_into_one_folder(tmp_path: Path) -> None:
    root = tmp_path / "data"
    with nodes("office-2") as (other,):
        assert other.ask("claim", root / "orthophotos") == "done"
        with pytest.raises(InUseError, match=r"in use by .* on office-2"):
            write_sample_data(root, cemeteries=1, size_m=SIZE_M)
    assert not list(root.rglob("*.tif"))


def test_nothing_is_left_when_writing_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("grave_cli.sample_data.write.write_annotations", fail)
    with pytest.raises(ExportError, match="disk full"):
        write_sample_data(tmp_path, cemeteries=1, size_m=10)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
