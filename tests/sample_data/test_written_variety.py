"""`sample-data --variety` on disk: cemeteries in the data layout, ground beside it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import get_type_hints

import fiona
import pytest
import rasterio

from grave_cli.cli.sample_data import sample_data
from grave_cli.errors import DatasetError
from grave_cli.sample_data.scenes.scene import make_scene
from grave_cli.sample_data.variety.presets import preset_names
from grave_cli.sample_data.write import write_sample_data, write_scene


def test_varied_cemeteries_lie_where_a_data_set_has_them(tmp_path: Path) -> None:
    made = write_sample_data(
        tmp_path, cemeteries=2, size_m=10, seed=3, variety="central-europe", crs="EPSG:3857"
    )
    for cemetery in made:
        assert cemetery.graves > 0
        assert cemetery.annotations == tmp_path / "annotations" / f"{cemetery.name}.gpkg"
        with (
            rasterio.open(cemetery.orthophoto) as ortho,
            rasterio.open(cemetery.dem) as dem,
            fiona.open(cemetery.annotations) as graves,
        ):
            assert ortho.count == 4
            assert dem.crs == ortho.crs
            assert len(graves) == cemetery.graves
    gsds = {rasterio.open(cemetery.orthophoto).res[0] for cemetery in made}
    assert len(gsds) == 2


def test_ground_without_graves_is_written_beside_the_data_set(tmp_path: Path) -> None:
    made = write_sample_data(tmp_path, cemeteries=1, size_m=10, variety="negatives")
    found = sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file())
    assert found == ["ground/dems/sample_01.tif", "ground/orthophotos/sample_01.tif"]
    assert made[0].annotations is None
    assert made[0].graves == 0


def test_same_seed_gives_equal_files(tmp_path: Path) -> None:
    first, second = (
        write_sample_data(tmp_path / name, cemeteries=1, size_m=10, seed=2, variety="all")[0]
        for name in ("first", "second")
    )
    assert first.orthophoto.read_bytes() == second.orthophoto.read_bytes()
    assert first.dem.read_bytes() == second.dem.read_bytes()


def test_unknown_variety_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"atlantis.*france-italy"):
        write_sample_data(tmp_path / "data", variety="atlantis")
    assert not (tmp_path / "data").exists()


def test_help_names_every_preset() -> None:
    option = get_type_hints(sample_data, include_extras=True)["variety"].__metadata__[0]
    assert all(name in option.help for name in preset_names())


def test_single_scenes_are_written_with_and_without_graves_and_dem(tmp_path: Path) -> None:
    scene = make_scene(1, "central-europe", 10.0, 0.05)
    written = write_scene(tmp_path, "one", replace(scene, surface=None))
    assert written.dem is None
    assert written.annotations == tmp_path / "annotations" / "one.gpkg"
    with fiona.open(written.annotations) as graves:
        assert len(graves) == len(scene.graves) > 0
    empty = write_scene(tmp_path, "two", replace(scene, graves=[], is_ground=True))
    assert empty.annotations is None
    assert empty.orthophoto == tmp_path / "ground" / "orthophotos" / "two.tif"
    with pytest.raises(DatasetError, match=r"hidden_only.*leave it out"):
        write_scene(tmp_path, "hidden_only", replace(scene, graves=[]))
