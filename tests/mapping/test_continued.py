"""`--previous`: a new map continues the ids and columns of an older one."""

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import ezdxf
import fiona
import numpy as np
import pytest
from numpy.typing import NDArray
from shapely import Polygon, affinity
from shapely.geometry import mapping, shape
from support import Listener, tiny_settings
from tidy_scene import UTM, write_map

from grave_cli.dataset.manifest import Cemetery, read_manifest
from grave_cli.errors import DatasetError, ExportError
from grave_cli.mapping.continued import _not_refused, _without_gaps
from grave_cli.mapping.map_files import MapFiles
from grave_cli.mapping.predict_cemetery import predict_cemetery
from grave_cli.model.bundle import Bundle
from grave_cli.resurvey.removed import REFUSED, empty_layer, removed_row
from grave_cli.resurvey.shift import Shift


class Rows:
    """An engine that finds six graves in each tile."""

    name = "rows"
    batch_mpx = 1.0

    def __init__(self) -> None:
        self.calls = 0

    def probabilities(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        self.calls += 1
        found = np.full((len(batch), 3, *batch.shape[2:]), 0.02, np.float32)
        for row in (30, 60):
            for column in (25, 43, 61):
                found[:, 0, row : row + 20, column : column + 10] = 1
        return found


@pytest.fixture
def cemetery(sample_data: Path) -> Cemetery:
    return read_manifest(sample_data).cemeteries[0]


class Mapper:
    """Maps the cemetery into a file."""

    def __init__(self, cemetery: Cemetery, bundle: Bundle, folder: Path) -> None:
        self.cemetery, self.bundle, self.folder = cemetery, bundle, folder
        self.engine = Rows()

    def map(self, name: str, id_column: str = "grave_id", **how: Any) -> MapFiles:
        settings = tiny_settings(self.folder, self.folder)
        settings = settings.model_copy(
            update={"compare": settings.compare.model_copy(update={"id_column": id_column})}
        )
        files = MapFiles(self.cemetery.orthophoto, self.folder / name, all_settings=settings, **how)
        files.check()
        predict_cemetery(
            self.cemetery.orthophoto,
            self.cemetery.dem,
            self.bundle,
            self.engine,
            settings,
            progress=Listener(),
            receiver=files,
        )
        return files


@pytest.fixture
def mapper(cemetery: Cemetery, untrained: Bundle, tmp_path: Path) -> Mapper:
    return Mapper(cemetery, untrained, tmp_path)


def rows(path: Path, layer: str = "graves") -> list[dict[str, Any]]:
    with fiona.open(path, layer=layer) as file:
        return [dict(feature.properties) for feature in file]


def edited(source: Path, target: Path, east_m: float = 0.0) -> list[dict[str, Any]]:
    """Copy the graves of a map as an office keeps them: renumbered, with names, one missing."""
    with fiona.open(source, layer="graves") as graves:
        schema = {**graves.schema, "properties": {**graves.schema["properties"], "Name": "str"}}
        features = list(graves)[1:]
        kept = []
        with fiona.open(
            target, "w", driver="GPKG", layer="graves", crs=graves.crs, schema=schema
        ) as file:
            for index, feature in enumerate(features):
                values = dict(feature.properties)
                values |= {"grave_id": f"anna-F09-R01-{100 + index}", "Name": f"Müller {index}"}
                values |= {"cemetery_id": "anna", "field": 9, "row": 1, "number": 100 + index}
                placed = affinity.translate(shape(feature.geometry), east_m, 0)
                file.write({"geometry": mapping(placed), "properties": values})
                kept.append(values)
    return kept


def test_a_map_continues_the_previous_survey(mapper: Mapper, tmp_path: Path) -> None:
    mapper.map("first.gpkg")
    kept = edited(tmp_path / "first.gpkg", tmp_path / "old.gpkg")
    files = mapper.map("second.gpkg", previous=tmp_path / "old.gpkg", crs="EPSG:3857")
    out = tmp_path / "second.gpkg"
    counts = files.summary["comparison"]["changes"]
    assert (counts["unchanged"], counts["new"]) == (len(kept), 1)
    graves = {row["grave_id"]: row for row in rows(out)}
    for row in kept:
        found = graves.pop(row["grave_id"])
        assert (found["Name"], found["change"]) == (row["Name"], "unchanged")
        assert (found["field"], found["number"]) == (9, row["number"])
    (new,) = graves.values()
    assert (new["change"], new["Name"], new["cemetery_id"]) == ("new", None, "anna")
    assert new["grave_id"].startswith("anna-F")
    ids = [row["grave_id"] for row in rows(out)]
    assert [row["grave_id"] for row in rows(out, "graves_raw")] == ids
    assert {"changes", "graves_before", "coverage"} <= set(fiona.listlayers(out))
    with fiona.open(out, layer="graves") as one, fiona.open(out, layer="changes") as other:
        assert one.crs == other.crs
        assert np.allclose(one.bounds, other.bounds, atol=0.01)
    keys = {row["key"]: row["value"] for row in rows(out, "gravecli_provenance")}
    assert keys["previous"] == "old.gpkg"
    assert keys["graves_unchanged"] == str(len(kept))
    assert "shift_east_m" in keys


def test_the_columns_of_an_office_may_be_like_ours(mapper: Mapper, tmp_path: Path) -> None:
    """Ids in GRAVE_ID and fields with names: every file of the map can be written."""
    mapper.map("first.gpkg")
    with fiona.open(tmp_path / "first.gpkg", layer="graves") as graves:
        crs, features = graves.crs, list(graves)
    schema = {"geometry": "Polygon", "properties": {"GRAVE_ID": "str", "field": "str"}}
    old, ids = tmp_path / "old.gpkg", [f"S/{index}" for index in range(len(features))]
    with fiona.open(old, "w", driver="GPKG", layer="graves", crs=crs, schema=schema) as file:
        for one, feature in zip(ids, features, strict=True):
            file.write(
                {"geometry": feature.geometry, "properties": {"GRAVE_ID": one, "field": "Süd/A"}}
            )
    out, page = tmp_path / "new.gpkg", tmp_path / "new.html"
    mapper.map("new.gpkg", id_column="GRAVE_ID", previous=old, report=page, formats=["gpkg", "dxf"])
    assert sorted(row["GRAVE_ID"] for row in rows(out)) == sorted(ids)
    assert [row["grave_id"] for row in rows(out, "graves_raw")] == [
        row["GRAVE_ID"] for row in rows(out)
    ]
    assert all(f">{one}</td>" in page.read_text("utf-8") for one in ids)
    drawing = ezdxf.readfile(tmp_path / "new.dxf")
    assert not drawing.audit().has_errors
    assert {item.dxf.layer for item in drawing.modelspace()} == {"FSüd_A"}


def test_a_previous_survey_that_cannot_serve_is_refused_before_the_network_runs(
    mapper: Mapper, cemetery: Cemetery, tmp_path: Path
) -> None:
    mapper.map("first.gpkg")
    edited(tmp_path / "first.gpkg", tmp_path / "far.gpkg", east_m=5000)
    calls = mapper.engine.calls
    with pytest.raises(DatasetError, match=r"far\.gpkg: previous survey is of another place"):
        mapper.map("map.gpkg", previous=tmp_path / "far.gpkg")
    with pytest.raises(DatasetError, match=r"no column of ids.*compare\.id_column"):
        mapper.map("map.gpkg", previous=cemetery.annotations)
    with pytest.raises(ExportError, match="--out and --previous are the same file"):
        mapper.map("first.gpkg", previous=tmp_path / "first.gpkg", overwrite=True)
    assert mapper.engine.calls == calls
    assert not (tmp_path / "map.gpkg").exists()


def test_a_map_without_a_common_grave_is_written_with_ids_of_its_own(
    mapper: Mapper, tmp_path: Path
) -> None:
    mapper.map("first.gpkg")
    edited(tmp_path / "first.gpkg", tmp_path / "beside.gpkg", east_m=40)
    words = r"no grave in common.*the map, with ids of its own, is in .*map\.gpkg"
    with pytest.raises(DatasetError, match=words):
        mapper.map("map.gpkg", previous=tmp_path / "beside.gpkg")
    assert rows(tmp_path / "map.gpkg") == rows(tmp_path / "first.gpkg")


def test_graves_outside_the_mapped_area_are_not_gone(mapper: Mapper, tmp_path: Path) -> None:
    mapper.map("first.gpkg")
    shutil.copy(tmp_path / "first.gpkg", tmp_path / "old.gpkg")
    with fiona.open(tmp_path / "old.gpkg", layer="graves") as graves:
        left, bottom, right, top = graves.bounds
        middle = (left + right) / 2
        area = {
            "type": "Polygon",
            "coordinates": [
                [
                    (left - 1, bottom - 1),
                    (middle, bottom - 1),
                    (middle, top + 1),
                    (left - 1, top + 1),
                ]
            ],
        }
        schema = {"geometry": "Polygon", "properties": {}}
        with fiona.open(
            tmp_path / "aoi.gpkg", "w", driver="GPKG", crs=graves.crs, schema=schema
        ) as file:
            file.write({"geometry": area, "properties": {}})
    settings = tiny_settings(tmp_path, tmp_path)
    files = MapFiles(mapper.cemetery.orthophoto, tmp_path / "part.gpkg", all_settings=settings)
    files.previous = tmp_path / "old.gpkg"
    predict_cemetery(
        mapper.cemetery.orthophoto,
        mapper.cemetery.dem,
        mapper.bundle,
        mapper.engine,
        settings,
        aoi=tmp_path / "aoi.gpkg",
        receiver=files,
    )
    counts = files.summary["comparison"]["changes"]
    assert counts["gone"] == 0
    assert counts["unchanged"] > 0
    assert counts["outside"] > 0
    assert counts["unchanged"] + counts["outside"] == len(rows(tmp_path / "old.gpkg"))


def test_refused_candidates_that_cross_themselves_or_have_no_outline_are_left_out(
    tmp_path: Path,
) -> None:
    (tmp_path / "anna.tif").write_bytes(b"pixels")
    result = write_map(tmp_path / "anna.gpkg", tmp_path / "anna.tif")
    left, bottom, right, top = result.candidates.polygons[0].bounds
    mast = [(left, bottom), (right, top), (right, bottom), (left, top), (left, bottom)]
    drawn = [Polygon(mast), None, result.candidates.polygons[1]]
    rows = tuple(removed_row(REFUSED, "2026-01-01", candidate_id=n) for n in range(3))
    removed = replace(empty_layer(UTM), rows=rows, geometries=np.array(drawn, dtype=object))
    still = Shift(0.0, 0.0, 0.0, (0.0, 0.0), 0, 0.0)
    comparison = SimpleNamespace(old=SimpleNamespace(removed=removed), shift=still)
    kept = _not_refused(result, comparison)  # type: ignore[arg-type]
    assert [row["candidate_id"] for row in kept.attributes] == [3]

    rest = _without_gaps(replace(result, candidates=kept))
    before, after = (
        [row["review_rank"] for row in (*one.attributes, *one.candidates.attributes)]
        for one in (replace(result, candidates=kept), rest)
    )
    assert sorted(before) != sorted(after) == list(range(1, len(after) + 1))
    assert np.argsort(before).tolist() == np.argsort(after).tolist()
