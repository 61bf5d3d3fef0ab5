"""Rasters and the files of runs in S3, through the same keys and the same address."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import rasterio
from hostile_files import tif
from image_cog import cog_of
from object_store import BUCKET, object_store
from rasterio.windows import Window
from support import tiny_settings
from terminal import SETS, gravecli

from grave_cli import remote
from grave_cli.errors import RasterReadError
from grave_cli.model.bundle import Bundle
from grave_cli.rasters.raster_file import open_raster
from grave_cli.tracking.models import CHANNELS_TAG, MODEL_FOLDER, MODEL_TAG, resolve_model
from grave_cli.tracking.runs import tracked_run


@pytest.fixture(scope="module")
def store() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch, object_store(patch) as client:
        yield client


@pytest.fixture(autouse=True)
def permitted() -> Iterator[None]:
    remote.permit(True)
    yield
    remote.permit(False)


def keys_of(store: Any) -> list[str]:
    found = store.list_objects_v2(Bucket=BUCKET).get("Contents", ())
    return [one["Key"] for one in found]


def test_a_raster_in_s3_is_read_and_fingerprinted(store: Any, tmp_path: Path) -> None:
    town = cog_of(tif(tmp_path / "a.tif"), tmp_path / "town.tif")
    store.upload_file(str(town), BUCKET, "hill side/town.tif")
    link, missing = tmp_path / "town.url", tmp_path / "missing.url"
    link.write_text(f"s3://{BUCKET}/hill side/town.tif\n", encoding="utf-8")
    missing.write_text(f"s3://{BUCKET}/missing.tif", encoding="utf-8")
    with pytest.raises(RasterReadError, match="cannot be opened") as caught, open_raster(missing):
        pass
    assert "anna" not in str(caught.value)
    assert "Signature" not in str(caught.value)
    window = Window(10, 10, 20, 20)
    with open_raster(link) as dataset, rasterio.open(town) as here:
        assert (dataset.read(window=window) == here.read(window=window)).all()
    stamp = remote.stamp_of(remote.find_remote(link))
    assert (stamp.size, stamp.mtime_ns > 0, bool(stamp.tag)) == (town.stat().st_size, True, True)
    first = remote.fingerprint_of(link)
    changed = bytearray(town.read_bytes())
    changed[-1] ^= 1
    store.put_object(Bucket=BUCKET, Key="hill side/town.tif", Body=bytes(changed))
    assert remote.fingerprint_of(link) != first


def test_a_model_in_s3_is_found_again(
    store: Any, untrained: Bundle, new_work_dir: Callable[[Path], Path], tmp_path: Path
) -> None:
    where = {"tracking__artifacts": f"s3://{BUCKET}/runs"}
    settings = tiny_settings(tmp_path / "data", new_work_dir(tmp_path / "runs"), **where)
    with tracked_run(settings, "first", {CHANNELS_TAG: "rgb+dem", MODEL_TAG: MODEL_FOLDER}) as run:
        run.log_folder(untrained.folder, MODEL_FOLDER)
    assert any(key.startswith("runs/") and key.endswith(".safetensors") for key in keys_of(store))
    assert not list((tmp_path / "runs").rglob("*.safetensors"))
    assert resolve_model("first", settings).bundle.sha256 == untrained.sha256


@pytest.mark.slow
def test_a_training_keeps_its_files_in_s3_and_maps_from_there(
    store: Any, sample_data: Path, work_dir: Path, tmp_path: Path
) -> None:
    where = ("--set", f"tracking.artifacts=s3://{BUCKET}/trained", "--set", f"work_dir={work_dir}")
    result = gravecli("train", "--data", sample_data, "--name", "t", *SETS, *where, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert any("checkpoints" in key for key in keys_of(store))
    photo = next((sample_data / "orthophotos").glob("*.tif"))
    result = gravecli("predict-cemetery", photo, "--model", "t", *where, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
