"""No input of any command makes it fetch an address, read others' files or run their code.

Other sides are tested where they live: tensors are never unpickled (`model/test_encoder_weights`,
`learning/test_checkpoints`), secrets are masked (`test_masking`, `tracking/test_broken_stores`),
texts are escaped on the page (`evaluation/test_page`).
"""

import io
import os
import pickle
import shutil
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from counting_server import CountingServer, counting_server
from deliveries import GRAVES, write
from hostile_files import HOSTILE_RASTERS, HOSTILE_VECTORS, bands, geopackage, source, tif, vrt
from terminal import gravecli

from grave_cli.errors import DatasetError, GraveError, RasterReadError
from grave_cli.model.bundle import CARD_FILE, WEIGHTS_FILE, Bundle
from grave_cli.rasters.raster_file import open_raster
from grave_cli.vectors.vector_io import LayerChoice, read_features

REMOTE = (
    "/vsicurl/URL/a.tif",
    "URL/a.tif",
    "WMS:URL",
    "vrt:///vsicurl/URL/a.tif",
    "GPKG:/vsicurl/URL/a.gpkg:graves",
    "/vsizip//vsicurl/URL/a.zip/a.tif",
    "zip+URL/a.zip!a.tif",
    "WFS:URL",
)


def mostly_slow(names: Iterable[str], *quick: str) -> list[Any]:
    """Parameters of which all but a few belong to the slow tests."""
    return [name if name in quick else pytest.param(name, marks=pytest.mark.slow) for name in names]


def folder_in(folder: Path, name: str = "files") -> Path:
    (folder / name).mkdir(parents=True)
    return folder / name


def address_in(server: CountingServer, name: str) -> str:
    """An address of its own: GDAL remembers which ones have failed."""
    return f"{server.url}/{name.replace(' ', '-')}"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CountingServer]:
    with counting_server(tmp_path_factory.mktemp("server")) as running:
        yield running


def is_refused(folder: Path, *arguments: object) -> None:
    """A command ends with exit code 2 and one line; `check` and `--json` print a report."""
    result = gravecli(*arguments, cwd=folder)
    assert result.returncode == 2, result.stderr
    lines = result.stderr.strip().splitlines() or result.stdout.splitlines()
    assert any(line.startswith("gravecli: ") for line in lines) or arguments[0] == "check"


def data_folder(root: Path) -> Path:
    """A data folder with a sound orthophoto and annotations."""
    for name in ("orthophotos", "annotations"):
        (root / name).mkdir(parents=True)
    tif(root / "orthophotos/a.tif")
    write(root / "annotations/a.gpkg", GRAVES)
    return root


def test_the_server_counts(server: CountingServer) -> None:
    before = len(server.calls)
    port = int(server.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port)) as call:
        call.sendall(b"GET / HTTP/1.0\r\n\r\n")
        call.recv(1000)
    assert len(server.calls) > before


@pytest.mark.parametrize("name", HOSTILE_RASTERS)
def test_a_raster_that_opens_more_than_itself_is_refused(
    name: str, tmp_path: Path, server: CountingServer
) -> None:
    path = HOSTILE_RASTERS[name](folder_in(tmp_path), address_in(server, name))
    before = server.calls
    with pytest.raises(RasterReadError) as caught, open_raster(path) as dataset:
        dataset.read()
    assert str(path.parent) in str(caught.value)
    assert server.calls == before


@pytest.mark.parametrize("name", HOSTILE_VECTORS)
def test_a_vector_file_is_read_without_what_it_links_to(
    name: str, tmp_path: Path, server: CountingServer
) -> None:
    path = HOSTILE_VECTORS[name](folder_in(tmp_path), address_in(server, name))
    before = server.calls
    with suppress(DatasetError):
        read_features(path, "EPSG:25832")
    assert server.calls == before


@pytest.mark.parametrize("name", mostly_slow(HOSTILE_RASTERS, "WMS text", ".ovr of WMS"))
def test_no_command_fetches_for_a_raster(
    name: str, tmp_path: Path, server: CountingServer, untrained: Bundle
) -> None:
    data = data_folder(tmp_path / "data")
    path = HOSTILE_RASTERS[name](folder_in(data, "dems"), address_in(server, name))
    shutil.rmtree(data / "orthophotos")
    shutil.copytree(data / "dems", data / "orthophotos", symlinks=True)
    if (data / "dems/tile.tif").exists():
        write(data / "annotations/tile.gpkg", GRAVES)
    before = server.calls
    sound, model = tif(tmp_path / "sound.tif"), ("--model", untrained.folder, "--out", "out.gpkg")
    is_refused(tmp_path, "predict-cemetery", data / "orthophotos" / path.name, *model)
    is_refused(tmp_path, "predict-cemetery", sound, "--dem", path, *model)
    is_refused(tmp_path, "train", "--data", data, "--channels", "rgb+dem", "--dry-run")
    is_refused(tmp_path, "check", data)
    gravecli("dataset-id", data, "--content", cwd=tmp_path)
    assert server.calls == before
    assert not (tmp_path / "out.gpkg").exists()


@pytest.mark.parametrize("name", mostly_slow(HOSTILE_VECTORS, "WFS", "crs by link, escaped"))
def test_no_command_fetches_for_a_vector_file(
    name: str, tmp_path: Path, server: CountingServer, untrained: Bundle
) -> None:
    data = data_folder(tmp_path / "data")
    (data / "annotations/a.gpkg").unlink()
    path = HOSTILE_VECTORS[name](data / "annotations", address_in(server, name))
    before = server.calls
    sound, model = tif(tmp_path / "sound.tif"), ("--model", untrained.folder, "--out", "out.gpkg")
    graves = write(tmp_path / "graves.gpkg", GRAVES)
    gravecli("check", data, cwd=tmp_path)
    gravecli("train", "--data", data, "--dry-run", cwd=tmp_path)
    gravecli("evaluate", path, "--truth", graves, cwd=tmp_path)
    gravecli("evaluate", graves, "--truth", path, cwd=tmp_path)
    gravecli("predict-cemetery", sound, "--aoi", path, *model, cwd=tmp_path)
    gravecli("dataset-id", data, "--content", cwd=tmp_path)
    assert server.calls == before


@pytest.mark.parametrize("address", mostly_slow(REMOTE, *REMOTE[:2]))
def test_an_address_is_no_file(
    address: str, tmp_path: Path, server: CountingServer, untrained: Bundle
) -> None:
    address = address.replace("URL", server.url)
    before = server.calls
    sound, graves = tif(tmp_path / "sound.tif"), write(tmp_path / "graves.gpkg", GRAVES)
    model = ("--model", untrained.folder, "--out", "out.gpkg")
    for arguments in (
        ("predict-cemetery", address, *model),
        ("predict-cemetery", sound, "--dem", address, *model),
        ("predict-cemetery", sound, "--aoi", address, *model),
        ("predict-cemetery", sound, "--truth", address, *model),
        ("evaluate", graves, "--truth", address),
        ("evaluate", address, "--truth", graves),
        ("check", address),
        ("dataset-id", address),
        ("train", "--data", address, "--dry-run"),
        ("train", "--config", address, "--dry-run"),
    ):
        is_refused(tmp_path, *arguments)
    assert server.calls == before


def test_a_vrt_of_files_beside_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "tiles").mkdir()
    tif(tmp_path / "tiles/1.tif")
    tif(tmp_path / "2.tif")
    inner = vrt(tmp_path / "inner.vrt", bands(source("tiles/1.tif", 1)))
    both = source(inner.name, 1) + source(str(tmp_path / "2.tif"))
    with open_raster(vrt(tmp_path / "a.vrt", f"<!-- by hand -->{bands(both)}")) as dataset:
        assert dataset.read().any()


def test_the_tile_is_sought_where_gdal_seeks_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not relative to its VRT, a source lies in the working directory: a file of somebody else."""
    (tmp_path / "here").mkdir()
    (tmp_path / "data").mkdir()
    tif(tmp_path / "here/tile.tif")
    tif(tmp_path / "data/tile.tif")
    path = vrt(tmp_path / "data/a.vrt", bands(source("tile.tif", 0)))
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(GraveError, match="outside its folder"), open_raster(path):
        pass


def test_vrts_that_multiply_are_refused(tmp_path: Path) -> None:
    """Four VRTs that name each other forty times would read 2.5 million tiles."""
    tif(tmp_path / "0.vrt.tif")
    (tmp_path / "0.vrt.tif").rename(tmp_path / "0.vrt")
    for level in range(1, 5):
        inner = bands(source(f"{level - 1}.vrt", 1) * 40)
        vrt(tmp_path / f"{level}.vrt", inner)
    with pytest.raises(GraveError, match="too many files"), open_raster(tmp_path / "4.vrt"):
        pass
    vrt(tmp_path / "self.vrt", bands(source("self.vrt", 1)))
    with pytest.raises(GraveError, match="names itself"), open_raster(tmp_path / "self.vrt"):
        pass


def test_a_view_that_ends_is_a_layer(tmp_path: Path) -> None:
    path = geopackage("CREATE VIEW v AS SELECT fid, geom, NAME FROM plain", view="v")(tmp_path, "")
    found = read_features(path, "EPSG:25832", LayerChoice("v"))
    assert len(found.geometries) == len(GRAVES)


class Explosive:
    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return os.mkdir, ("exploded",)


def test_a_pickle_in_place_of_any_model_file_is_not_loaded(
    tmp_path: Path, untrained: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.chdir(tmp_path)
    buffer = io.BytesIO()
    torch.save({"state_dict": Explosive()}, buffer)
    for number, content in enumerate((pickle.dumps(Explosive()), buffer.getvalue())):
        for name in (CARD_FILE, WEIGHTS_FILE, "model.onnx"):
            folder = Path(shutil.copytree(untrained.folder, tmp_path / f"{number}-{name}"))
            (folder / name).write_bytes(content)
            out = ("--out", "out.gpkg")
            scene = tif(tmp_path / "a.tif")
            is_refused(tmp_path, "predict-cemetery", scene, "--model", folder, *out)
        weights = tmp_path / f"{number}.pt"
        weights.write_bytes(content)
        data = tmp_path / f"data-{number}"
        data_folder(data)
        start = ("--set", f"model.start={weights}")
        gravecli("train", "--data", data, "--dry-run", *start, cwd=tmp_path)
    assert not (tmp_path / "exploded").exists()
