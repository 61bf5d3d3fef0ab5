"""Rasters on a server of this machine: what is fetched, how much of it, and when nothing is."""

import os
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import fiona
import pytest
import rasterio
from counting_server import counting_server
from image_cog import block_bytes, cog_of
from range_server import RangeServer, range_server
from rasterio.windows import Window
from terminal import assert_refused, gravecli

from grave_cli import remote
from grave_cli.batch.jobs import list_jobs
from grave_cli.cli.addresses import as_link
from grave_cli.dataset.identity.dataset_id import content_fingerprint, fingerprint
from grave_cli.dataset.manifest import read_manifest
from grave_cli.errors import RasterReadError
from grave_cli.model.bundle import Bundle
from grave_cli.outputs import source_of
from grave_cli.rasters.raster_file import open_raster
from grave_cli.sample_data.write import write_sample_data

ALLOWED = ("--set", "data.allow_remote=true")
SLACK = 1.3  # bytes fetched per byte of the blocks that are needed


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The rasters of a cemetery of 50 m as cloud-optimised GeoTIFFs, and its annotations."""
    root = tmp_path_factory.mktemp("served")
    write_sample_data(root / "data", cemeteries=1, size_m=50, seed=3)
    cog_of(next((root / "data/orthophotos").glob("*.tif")), root / "files/town.tif")
    cog_of(next((root / "data/dems").glob("*.tif")), root / "files/town_dem.tif")
    shutil.copytree(root / "data/annotations", root / "files/annotations")
    return root / "files"


@pytest.fixture
def server(files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RangeServer]:
    with range_server(files, tmp_path) as running:
        monkeypatch.setenv("SSL_CERT_FILE", str(running.certificate))
        monkeypatch.delenv("GDAL_CURL_CA_BUNDLE", raising=False)
        remote._opener.cache_clear()
        yield running
        remote.permit(False)
        remote._opener.cache_clear()


def link(path: Path, address: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{address}\n", encoding="utf-8")
    return path


def test_a_window_fetches_its_blocks_and_no_more(
    files: Path, server: RangeServer, tmp_path: Path
) -> None:
    remote.permit(True)
    path = link(tmp_path / "town.url", f"{server.url}/town.tif")
    window = Window(300, 400, 700, 600)
    with open_raster(path) as dataset, rasterio.open(files / "town.tif") as here:
        opened = server.sent_bytes
        assert (dataset.read(window=window) == here.read(window=window)).all()
        fetched = server.sent_bytes - opened
        dataset.read(window=window)
        assert server.sent_bytes - opened == fetched
    assert opened < 40_000  # the header, and no file beside it
    assert block_bytes(files / "town.tif", window) <= fetched
    assert fetched <= SLACK * block_bytes(files / "town.tif", window)
    assert {answer.path for answer in server.answers} == {"/town.tif"}


def test_a_map_of_addresses_equals_that_of_files(
    files: Path, server: RangeServer, tmp_path: Path, untrained: Bundle
) -> None:
    how = ("--model", untrained.folder, "--preview", "a.png", "--report", "a.html", "--overwrite")
    addresses = (f"{server.url}/town.tif", "--dem", f"{server.url}/town_dem.tif")
    result = gravecli("predict-cemetery", *addresses, *how, *ALLOWED, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    for name in ("town.tif", "town_dem.tif"):
        fetched = sum(one.size for one in server.answers if one.path == f"/{name}")
        assert fetched <= SLACK * block_bytes(files / name)
    here = (files / "town.tif", "--dem", files / "town_dem.tif", "--out", "here.gpkg")
    assert gravecli("predict-cemetery", *here, *how, cwd=tmp_path).returncode == 0
    outlines = []
    for name in ("town.gpkg", "here.gpkg"):
        with fiona.open(tmp_path / name, layer="graves") as layer:
            outlines.append([dict(feature["geometry"]) for feature in layer])
    assert outlines[0] == outlines[1]


def test_an_address_with_umlauts_is_asked_for_as_browsers_do(
    files: Path, server: RangeServer, tmp_path: Path
) -> None:
    remote.permit(True)
    shutil.copy(files / "town.tif", files / "Gr%C3%BCn.tif")  # the server takes names as they come
    path = link(tmp_path / "a.url", f"{server.url}/Grün.tif")
    encoded = link(tmp_path / "b.url", f"{server.url}/Gr%C3%BCn.tif")
    assert remote.fingerprint_of(path) == remote.fingerprint_of(encoded)
    with open_raster(path) as dataset, open_raster(encoded) as same:
        assert dataset.shape == same.shape
    assert {answer.path for answer in server.answers} == {"/Gr%C3%BCn.tif"}


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("https://h/Gr%C3%BCn%20Ost.tif", "Grün Ost"),
        ("https://h/Grün.tif", "Grün"),
        ("https://h/a%0Ab.tif", "a%0Ab"),
        ("https://h/a%3Fb.tif", "a%3Fb"),
        ("s3://b/a%20b.tif", "a%20b"),  # keys are not encoded
    ],
)
def test_a_map_bears_the_name_that_the_server_means(
    address: str, name: str, tmp_path: Path
) -> None:
    remote.permit(True)
    try:
        assert as_link(Path(address), tmp_path).stem == name
    finally:
        remote.permit(False)


def test_a_list_holds_addresses(tmp_path: Path) -> None:
    remote.permit(True)
    try:
        towns = link(
            tmp_path / "towns.txt", "https://h/east/town_ortho.tif\ns3://b/hill.tif\nc.tif"
        )
        (tmp_path / "c.tif").touch()
        jobs = list_jobs([Path(f"@{towns}")], tmp_path, None, partial(as_link, work_dir=tmp_path))
    finally:
        remote.permit(False)
    assert [job.cemetery for job in jobs] == ["c", "hill", "town"]
    texts = [job.orthophoto.read_text("utf-8").strip() for job in jobs]
    assert texts == ["", "s3://b/hill.tif", "https://h/east/town_ortho.tif"]


def test_a_data_folder_of_links_is_checked_trained_and_named(
    files: Path, server: RangeServer, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    shutil.copytree(files / "annotations", data / "annotations")
    name = next((data / "annotations").glob("*.gpkg")).stem.removesuffix("_graves")
    photo = link(
        data / f"orthophotos/{name}.url", f"[InternetShortcut]\r\nURL={server.url}/town.tif"
    )
    result = gravecli("check", data, *ALLOWED, cwd=tmp_path)
    assert result.returncode == 0, result.stdout
    result = gravecli("train", "--data", data, "--dry-run", *ALLOWED, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    manifest = read_manifest(data)
    remote.permit(True)
    by_times, by_content = fingerprint(manifest), content_fingerprint(manifest, tmp_path / "c.json")
    status = (files / "town.tif").stat()
    listed = {file.path: file for file in by_times.files}[f"orthophotos/{name}.url"]
    assert (listed.size, listed.mtime) == (status.st_size, int(status.st_mtime))
    os.utime(files / "town.tif", (1e9, 1e9))
    assert fingerprint(manifest).id != by_times.id
    assert content_fingerprint(manifest, tmp_path / "c.json").id == by_content.id
    os.utime(files / "town.tif", (status.st_atime, status.st_mtime))
    before = len(server.answers)
    for command in (("check", data), ("train", "--data", data), ("dataset-id", data)):
        refused = gravecli(*command, cwd=tmp_path)
        assert refused.returncode == 2
        assert "data.allow_remote=true" in refused.stdout + refused.stderr
    assert source_of(photo) == ""
    assert len(server.answers) == before


def test_without_permission_nothing_is_fetched(tmp_path: Path, untrained: Bundle) -> None:
    with counting_server(tmp_path) as server:
        for address in (server.url.replace("http", "https"), "s3://bucket"):
            for given in (f"{address}/a.tif", link(tmp_path / "a.url", f"{address}/a.tif")):
                result = gravecli(
                    "predict-cemetery", given, "--model", untrained.folder, cwd=tmp_path
                )
                assert_refused(result, "remote data is not allowed", "data.allow_remote=true")
        assert not server.calls


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("two\nlines", "2 lines"),
        ("https://127.0.0.1/two words.tif", "address is not read"),
        ("http://127.0.0.1/a.tif", "address is not read"),
        ("ftp://127.0.0.1/a.tif", "address is not read"),
        ("file:///maps/a.tif", "address is not read"),
        ("/vsicurl/https://127.0.0.1/a.tif", "address is not read"),
        ("https://anna:pa55word@127.0.0.1/a.tif", "address is not read"),
        ("https://127.0.0.1", "address is not read"),
        ("https://[::1/a.tif", "address is not read"),
        ("https://ü..de/a.tif", "address is not read"),
        ("https://127.0.0.1:9/a.tif?X-Amz-Signature=pa55word", "cannot be opened"),
    ],
)
def test_a_link_that_is_not_read_is_named_without_its_secrets(
    text: str, words: str, tmp_path: Path
) -> None:
    remote.permit(True)
    try:
        path = link(tmp_path / "town.url", text)
        with pytest.raises(RasterReadError, match=words) as caught, open_raster(path):
            pass
    finally:
        remote.permit(False)
    assert "town.url" in str(caught.value)
    assert "pa55word" not in str(caught.value)


def test_a_signature_on_the_command_line_is_refused(tmp_path: Path) -> None:
    result = gravecli("predict-cemetery", "https://h/a.tif?token=pa55word", *ALLOWED, cwd=tmp_path)
    assert_refused(result, "history of the shell", "https://h/a.tif?token=***")


def test_only_a_geotiff_is_read_from_a_server(
    files: Path, server: RangeServer, tmp_path: Path
) -> None:
    """Other formats make GDAL open what they name."""
    remote.permit(True)
    inner = "<SourceFilename>/etc/passwd</SourceFilename>"
    (files / "town.vrt").write_text(f"<VRTDataset>{inner}</VRTDataset>", encoding="utf-8")
    for name in ("town.vrt", "missing.tif", "moved.tif"):
        path = link(tmp_path / "a.url", f"{server.url}/{name}")
        with (
            pytest.raises(RasterReadError, match="cannot be opened as a raster"),
            open_raster(path),
        ):
            pass
        if name != "town.vrt":
            with pytest.raises(RasterReadError, match="does not give this file"):
                remote.fingerprint_of(path)


def test_a_server_that_falls_silent_is_named(
    server: RangeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote.permit(True)
    assert set(remote._READING) >= {"connecttimeout", "low_speed_time", "max_retry"}
    quick = {**remote._READING, "low_speed_time": "1", "max_retry": "0"}
    monkeypatch.setattr(remote, "_READING", quick)
    monkeypatch.setattr(remote, "_TIMEOUT_S", 0.5)
    path = link(tmp_path / "a.url", f"{server.url}/slow.tif")
    with pytest.raises(RasterReadError, match="cannot be opened as a raster"), open_raster(path):
        pass
    with pytest.raises(RasterReadError, match="does not give this file"):
        remote.stamp_of(remote.find_remote(path))
