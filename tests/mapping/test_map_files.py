"""What a user named is checked before the network runs; a finished map is never lost."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import fiona
import numpy as np
import pytest
from node import nodes
from numpy.typing import NDArray
from support import Listener, tiny_settings

from grave_cli.dataset.manifest import Cemetery, read_manifest
from grave_cli.errors import GraveError, InUseError
from grave_cli.mapping.map_files import MapFiles
from grave_cli.mapping.predict_cemetery import predict_cemetery
from grave_cli.model.bundle import Bundle
from grave_cli.owners.claims import is_claimed
from grave_cli.settings.output import OutputSettings


class Squares:
    """An engine that finds a square in each tile, and lets something happen meanwhile."""

    name = "squares"
    batch_mpx = 1.0

    def __init__(self, meanwhile: Callable[[], object] = lambda: None) -> None:
        self.meanwhile = meanwhile
        self.calls = 0

    def probabilities(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        self.calls += 1
        self.meanwhile()
        found = np.full((len(batch), 3, *batch.shape[2:]), 0.02, np.float32)
        found[:, 0, 50:65, 50:65] = 1
        return found


@pytest.fixture
def cemetery(sample_data: Path) -> Cemetery:
    return read_manifest(sample_data).cemeteries[0]


@pytest.fixture
def run(cemetery: Cemetery, untrained: Bundle, tmp_path: Path) -> Callable[..., MapFiles]:
    """Map the cemetery into `out/map.gpkg`; the arguments are those of `MapFiles`."""

    def run(engine: Squares, memory_mpx: float = 25, **how: object) -> MapFiles:
        files = MapFiles(cemetery.orthophoto, tmp_path / "out" / "map.gpkg", **how)  # type: ignore[arg-type]
        settings = tiny_settings(tmp_path, tmp_path, prediction__memory_mpx=memory_mpx)
        files.check()
        predict_cemetery(
            cemetery.orthophoto,
            cemetery.dem,
            untrained,
            engine,
            settings,
            progress=Listener(),
            receiver=files,
        )
        return files

    return run


def graves_in(path: Path) -> int:
    with fiona.open(path, layer="graves") as layer:
        return len(layer)


def test_the_map_its_preview_and_its_score_are_written(
    run: Callable[..., MapFiles], cemetery: Cemetery, tmp_path: Path
) -> None:
    preview = tmp_path / "new" / "map.png"
    files = run(Squares(), preview=preview, truth=cemetery.annotations)
    assert files.summary["graves"] == graves_in(files.out) > 0
    assert files.summary["preview"] == str(preview)
    assert files.summary["score"]["predictions"] == files.summary["graves"]
    assert files.summary["notes"] == []


def test_what_is_wrong_with_the_ground_truth_is_said(
    run: Callable[..., MapFiles], cemetery: Cemetery, tmp_path: Path
) -> None:
    truth = tmp_path / "truth.gpkg"
    with (
        fiona.open(cemetery.annotations) as graves,
        fiona.open(truth, "w", **graves.meta) as twice,
    ):
        twice.writerecords([*graves, *graves])
    (note,) = run(Squares(), truth=truth).summary["notes"]
    assert note.startswith(f"{truth}: ")
    assert note.endswith("duplicate outlines ignored")


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"truth": Path("typo.gpkg")}, r"typo\.gpkg: file is missing"),
        ({"crs": "EPSG:2193"}, r"--crs: this CRS is not for the place .*New Zealand"),
        ({"crs": "EPSG:3031"}, r"--crs: this CRS is not for the place .*Antarctic"),
        (
            {"crs": "+proj=gnom +lat_0=-50 +lon_0=-170 +type=crs"},
            r"--crs: this CRS is not for the place",
        ),
    ],
)
def test_a_wrong_option_is_told_before_the_network_runs(
    run: Callable[..., MapFiles], tmp_path: Path, how: dict[str, object], words: str
) -> None:
    engine = Squares()
    with pytest.raises(GraveError, match=words):
        run(engine, **how)
    assert engine.calls == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"truth": Path("typo.gpkg")}, r"typo\.gpkg: file is missing"),
        ({"inputs": {"--aoi": Path("typo.geojson")}}, r"typo\.geojson: file is missing"),
        ({"inputs": {"--dem": Path("typo.tif")}}, r"typo\.tif: file is missing"),
    ],
)
def test_a_mistyped_input_is_named_by_the_first_check(
    cemetery: Cemetery, tmp_path: Path, how: dict[str, object], words: str
) -> None:
    files = MapFiles(cemetery.orthophoto, tmp_path / "map.gpkg", **how)  # type: ignore[arg-type]
    with pytest.raises(GraveError, match=words):
        files.check()


@pytest.mark.parametrize("crs", ["EPSG:25832", "EPSG:3857", "EPSG:4326", "EPSG:25833"])
def test_the_usual_crss_reach_the_place(run: Callable[..., MapFiles], crs: str) -> None:
    assert run(Squares(), crs=crs).summary["graves"] > 0


def edit(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE IF NOT EXISTS notes (text)")


def test_a_map_that_is_edited_meanwhile_is_kept_and_the_new_one_lies_beside_it(
    run: Callable[..., MapFiles], tmp_path: Path
) -> None:
    path = tmp_path / "out" / "map.gpkg"
    run(Squares())
    with pytest.raises(GraveError, match=r"was changed.*the new map is in .*map-2\.gpkg"):
        run(Squares(partial(edit, path)))
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT count(*) FROM notes").fetchone() == (0,)
    assert graves_in(tmp_path / "out" / "map-2.gpkg") == graves_in(path)


def test_every_format_is_written_and_renewed_until_somebody_changes_it(
    run: Callable[..., MapFiles], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    names = ("csv", "shp", "dxf", "gpkg")
    how = {"formats": names, "work_dir": tmp_path, "settings": OutputSettings(language="de")}
    for _ in range(2):
        files = run(Squares(), **how)
        written = {name: str(out / f"map.{name}") for name in ("gpkg", "csv", "shp", "dxf")}
        assert files.summary["files"] == written
        assert files.summary["geopackage"] == written["gpkg"]
        assert len([note for note in files.summary["notes"] if "the graves alone" in note]) == 1
    assert ";centroid_x;" in (out / "map.csv").read_text("utf-8-sig")
    with (out / "map.dbf").open("ab") as table:
        table.write(b" ")
    with pytest.raises(GraveError, match=r"map\.shp: file exists and was changed since"):
        run(Squares(), **how)
    assert run(Squares(), overwrite=True, **how).summary["graves"] > 0


def test_files_of_other_programs_beside_a_shapefile_are_kept(
    run: Callable[..., MapFiles], cemetery: Cemetery, tmp_path: Path
) -> None:
    world = tmp_path / "out" / "map.prj"
    world.parent.mkdir()
    world.write_text("the CRS of an orthophoto")
    with pytest.raises(
        GraveError, match=r"map\.prj: file exists and was changed since .*or was not"
    ):
        run(Squares(), formats=("shp",))
    assert world.read_text() == "the CRS of an orthophoto"


def test_a_format_that_cannot_be_written_does_not_stop_the_others(
    run: Callable[..., MapFiles], tmp_path: Path
) -> None:
    table = tmp_path / "out" / "map.csv"
    with pytest.raises(GraveError, match=r"map\.csv: path is a folder.*the new map is in .*map-2"):
        run(Squares(lambda: table.mkdir(parents=True, exist_ok=True)), formats=("csv", "fgb"))
    names = sorted(path.name for path in table.parent.iterdir())
    assert names == ["map-2.csv", "map.csv", "map.fgb", "map.gpkg"]


def test_the_map_is_written_although_the_preview_cannot_be(
    run: Callable[..., MapFiles], tmp_path: Path
) -> None:
    preview = tmp_path / "map.png"
    with pytest.raises(GraveError, match=r"map\.png: path is a folder.*the map is in .*map\.gpkg"):
        run(Squares(lambda: preview.mkdir(exist_ok=True)), preview=preview)
    assert graves_in(tmp_path / "out" / "map.gpkg") > 0


def test_the_sections_are_kept_until_the_map_is_written(
    run: Callable[..., MapFiles], tmp_path: Path
) -> None:
    folder = tmp_path / "out"

    def spoil() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.write_text("a file where the folder was to be")

    with pytest.raises(GraveError, match=r"map\.gpkg: .*cannot be written"):
        run(Squares(spoil), memory_mpx=0.001)
    folder.unlink()
    again = Squares()
    assert run(again, memory_mpx=0.001).summary["graves"] > 0
    assert again.calls == 0


def test_another_process_that_maps_into_one_of_the_files_is_named(
    cemetery: Cemetery, tmp_path: Path
) -> None:
    out, pictures = tmp_path / "out", tmp_path / "pictures"
    files = MapFiles(cemetery.orthophoto, out / "map.gpkg", ["csv"], pictures / "a.png")
    with nodes("office-2") as (other,):
        taken = pictures / "a.png"
        assert other.ask("claim", taken) == "done"
        with pytest.raises(InUseError, match=f"^{taken}: in use by .* on office-2"):
            files.alone().__enter__()
        other.ask("release", taken)
    with files.alone():
        assert all(is_claimed(out / f"map.{ending}") for ending in ("gpkg", "csv"))
    assert list(tmp_path.iterdir()) == []
