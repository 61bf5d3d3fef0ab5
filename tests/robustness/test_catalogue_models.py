"""Bad models, stores of runs and studies, and data folders: refused by all that read them."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from affine import Affine
from broken_database import BROKEN
from deliveries import write
from office import (
    ANNOTATIONS,
    CHECK,
    CRS,
    DEM,
    HERE,
    ORTHOPHOTO,
    PREDICT,
    TINY_SETS,
    TRAIN,
    WITH_DEM,
    assert_refuses,
    graves,
    write_dem,
    write_raster,
)
from shapely.affinity import translate

Spoil = Callable[[Path], object]
FILES = ("model.json", "model.safetensors", "model.onnx")
WITH_MODEL = {
    "predict": PREDICT,
    "info": "model-info model",
    "train": f"{TRAIN} --init-from model",
    "verify": "verify anna.gpkg --model model",
    "export": "export model --deepness graves.onnx -q",
}


@pytest.fixture
def own_model(office: Path) -> Path:
    """A model in the office that may be changed."""
    here = office / "model"
    folder = here.resolve()
    here.unlink()
    shutil.copytree(folder, here)
    return here


def bytes_of(name: str, content: bytes) -> Spoil:
    return lambda model: (model / name).write_bytes(content)


def card(change: Callable[[dict], object]) -> Spoil:
    """Change what a description says."""

    def spoil(model: Path) -> None:
        file = model / "model.json"
        content = json.loads(file.read_text("utf-8"))
        change(content)
        file.write_text(json.dumps(content))

    return spoil


def without(name: str) -> Spoil:
    return lambda model: (model / name).unlink()


def a_folder(name: str) -> Spoil:
    def spoil(model: Path) -> None:
        (model / name).unlink()
        (model / name).mkdir()

    return spoil


# Faults of a description, which every command meets -> words of the line.
DESCRIPTIONS: dict[str, tuple[Spoil, str]] = {
    "no description": (without("model.json"), "not a gravecli model"),
    "no weights": (without("model.safetensors"), "not a gravecli model"),
    "a folder for a description": (a_folder("model.json"), "not a gravecli model"),
    "a folder for weights": (a_folder("model.safetensors"), "not a gravecli model"),
    "empty": (bytes_of("model.json", b""), "damaged model description"),
    "text": (bytes_of("model.json", b"a model"), "damaged model description"),
    "no UTF-8": (bytes_of("model.json", b'{"format": "\xff"}'), "damaged model description"),
    "cut short": (bytes_of("model.json", b'{"format": 1, "name": '), "damaged model description"),
    "a list": (bytes_of("model.json", b"[1]"), "damaged model description"),
    "deep": (bytes_of("model.json", b"[" * 100_000), "damaged model description"),
    "another format": (card(lambda content: content.update(format=99)), "format 99"),
    "no recipe": (card(lambda content: content.pop("recipe")), "recipe"),
    "no network": (card(lambda content: content.pop("architecture")), "architecture"),
    "unknown field": (card(lambda content: content.update(urn=1)), "urn"),
    "a number for a name": (card(lambda content: content.update(name=3)), "name"),
    "other channels": (card(lambda content: content["recipe"].update(channels="rgb")), ""),
    "unknown channels": (card(lambda content: content["recipe"].update(channels="x")), "channels"),
    "no GSD": (card(lambda content: content["recipe"].update(gsd_m=0)), "gsd_m"),
    "a threshold of 2": (
        card(lambda content: content["decoding"].update(body_threshold=2)),
        "body_threshold",
    ),
}
# Faults of the network, which predict-cemetery and train meet.
NETWORKS: dict[str, tuple[Spoil, str]] = {
    "empty weights": (bytes_of("model.safetensors", b""), ""),
    "weights of text": (bytes_of("model.safetensors", b"weights" * 99), ""),
    "half of the weights": (
        lambda model: os.truncate(model / "model.safetensors", 5_000),
        "",
    ),
}
ONNX: dict[str, tuple[Spoil, str]] = {
    "empty ONNX": (bytes_of("model.onnx", b""), ""),
    "ONNX of text": (bytes_of("model.onnx", b"network" * 99), ""),
    "half of the ONNX": (lambda model: os.truncate(model / "model.onnx", 5_000), ""),
}


@pytest.mark.parametrize("command", WITH_MODEL)
@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_a_bad_description(office: Path, own_model: Path, name: str, command: str) -> None:
    spoil, words = DESCRIPTIONS[name]
    spoil(own_model)
    assert_refuses(office, WITH_MODEL[command], "model", words)


@pytest.mark.parametrize("name", NETWORKS)
def test_bad_weights(office: Path, own_model: Path, name: str) -> None:
    spoil, words = NETWORKS[name]
    spoil(own_model)
    assert_refuses(office, f"{WITH_MODEL['train']} {WITH_DEM}", "model.safetensors", words)


@pytest.mark.parametrize("name", ONNX)
def test_a_bad_onnx_file(office: Path, own_model: Path, name: str) -> None:
    spoil, words = ONNX[name]
    spoil(own_model)
    assert_refuses(office, PREDICT, "model.onnx", words)


@pytest.mark.parametrize("name", ONNX)
def test_a_bad_onnx_file_is_not_exported(office: Path, own_model: Path, name: str) -> None:
    spoil, words = ONNX[name]
    card(lambda content: content["settings"].update(chips={"dem_dropout": 0.5}))(own_model)
    spoil(own_model)
    assert_refuses(office, "export model --deepness graves.onnx -q", "model.onnx", words)


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("graves.onnx", "needs heights above ground"),
        ("model/model.onnx", "needs heights"),
    ],
)
def test_a_model_that_deepness_cannot_feed(office: Path, target: str, words: str) -> None:
    assert_refuses(office, f"export model --deepness {target} -q", "untrained", words)


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("model/model.onnx", "--deepness and model.onnx of MODEL are the same file"),
        ("notes.txt", "expected a name that ends in .onnx"),
        ("data", "path is a folder"),
        ("notes.onnx", "was not written by gravecli"),
        ("drawn/none/notes.txt/a.onnx", "a.onnx"),
    ],
)
def test_a_bad_place_for_an_exported_model(
    office: Path, own_model: Path, target: str, words: str
) -> None:
    card(lambda content: content["settings"].update(chips={"dem_dropout": 0.5}))(own_model)
    (office / "notes.onnx").write_text("not to be lost")
    (office / "drawn" / "none").mkdir()
    (office / "drawn" / "none" / "notes.txt").write_text("a file")
    assert_refuses(office, f"export model --deepness {target} -q", words)


def test_a_model_that_needs_a_dem(office: Path, own_model: Path) -> None:
    shutil.rmtree(office / "data" / "dems")
    assert_refuses(office, PREDICT, "anna", "--dem")


STORE_COMMANDS = {
    "runs": "runs",
    "info": "model-info nobody",
    "train": TRAIN,
    "resume": "train --resume nobody -q",
    "predict": f"{PREDICT} --model nobody",
    "verify": "verify anna.gpkg --model nobody",
    "cross-validate": f"evaluate --cross-validate -q {TINY_SETS}",
}


@pytest.fixture
def with_store(office: Path, new_work_dir: Callable[[Path], Path]) -> Path:
    new_work_dir(office / "runs")
    return office


@pytest.mark.parametrize(
    ("name", "command"),
    [
        *((name, command) for name in BROKEN for command in STORE_COMMANDS),
        ("folder", "train"),  # the others see that there is no store
        ("folder", "cross-validate"),
    ],
)
def test_a_bad_store_of_runs(with_store: Path, name: str, command: str) -> None:
    file = with_store / "runs" / "mlflow.db"
    if name == "folder":
        file.unlink()
        file.mkdir()
    else:
        BROKEN[name][0](file)
    if command == "cross-validate":
        there = Affine.translation(100, 0) @ HERE
        write_raster(with_store / "data/orthophotos/berta.tif", transform=there)
        write_dem(with_store / "data/dems/berta.tif", transform=there @ Affine.scale(2))
        moved = [translate(one, 100) for one in graves()]
        write(with_store / "data/annotations/berta.gpkg", moved, crs=CRS)
    assert_refuses(with_store, STORE_COMMANDS[command], "mlflow.db")


@pytest.mark.parametrize("command", ["dashboard", f"hpo --study seen -q {TINY_SETS}"])
@pytest.mark.parametrize("content", [b"<html>" * 99, b"SQLite format 3\x00" + bytes(5_000)])
def test_a_bad_storage_of_studies(office: Path, content: bytes, command: str) -> None:
    (office / "runs").mkdir()
    (office / "runs" / "optuna.db").write_bytes(content)
    assert_refuses(office, command, "optuna.db")


def copied(kind: str, name: str) -> Spoil:
    """Copy a file of the cemetery under another name."""

    def spoil(office: Path) -> None:
        source = {"orthophotos": ORTHOPHOTO, "dems": DEM, "annotations": ANNOTATIONS}[kind]
        shutil.copy2(office / source, office / "data" / kind / name)

    return spoil


def removed(path: str) -> Spoil:
    def spoil(office: Path) -> None:
        target = office / path
        shutil.rmtree(target) if target.is_dir() else target.unlink()

    return spoil


def masked(office: Path) -> None:
    write_raster(office / "data" / "masks" / "anna.tif", 1)


def ground(office: Path) -> None:
    write_raster(office / "data" / "ground" / "orthophotos" / "anna.tif")


def labelled_ground(office: Path) -> None:
    write_raster(office / "data" / "ground" / "orthophotos" / "park.tif")
    (office / "data" / "ground" / "annotations").mkdir()
    shutil.copy2(office / ANNOTATIONS, office / "data" / "ground" / "annotations" / "park.gpkg")


# Faults of a data folder -> how to make it, words of the line.
FOLDERS: dict[str, tuple[Spoil, list[str]]] = {
    "no data": (removed("data"), ["data", "missing"]),
    "no orthophotos": (removed("data/orthophotos"), ["orthophotos", "no orthophotos"]),
    "two orthophotos": (copied("orthophotos", "anna_ortho.tif"), ["anna.tif", "anna_ortho.tif"]),
    "two DEMs": (copied("dems", "anna_dsm.tif"), ["anna.tif", "anna_dsm.tif"]),
    "two annotations": (copied("annotations", "anna_graves.gpkg"), ["anna_graves.gpkg"]),
    "a DEM of nobody": (copied("dems", "berta.tif"), ["berta.tif", "no orthophoto"]),
    "annotations of nobody": (copied("annotations", "berta.gpkg"), ["berta.gpkg", "no ortho"]),
    "a mask beside annotations": (masked, ["masks/anna.tif", "annotations and a mask"]),
    "ground of the same name": (ground, ["anna"]),
    "ground with graves": (labelled_ground, ["park.gpkg", "no labels"]),
}


@pytest.mark.parametrize(
    "command", [TRAIN, CHECK, "dataset-id data -q"], ids=lambda text: text.split()[0]
)
@pytest.mark.parametrize("name", FOLDERS)
def test_a_bad_data_folder(office: Path, name: str, command: str) -> None:
    spoil, words = FOLDERS[name]
    spoil(office)
    assert_refuses(office, command, *words)


@pytest.mark.parametrize("command", [TRAIN, CHECK], ids=lambda text: text.split()[0])
@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ("data/annotations", ["anna.tif", "annotations/anna.gpkg"]),
        ("data/dems", ["anna.tif", "no DEM"]),
    ],
)
def test_a_file_that_is_missing(office: Path, missing: str, words: list[str], command: str) -> None:
    removed(missing)(office)
    assert_refuses(office, f"{command} {WITH_DEM}", *words)


@pytest.mark.parametrize("ending", ["-wal", "-journal"])
@pytest.mark.parametrize("command", [PREDICT, "verify anna.gpkg"], ids=lambda text: text.split()[0])
def test_a_map_with_edits_that_are_not_in_the_file(office: Path, command: str, ending: str) -> None:
    (office / f"anna.gpkg{ending}").write_bytes(bytes(range(1, 100)))
    assert_refuses(office, command, "anna.gpkg", "close it in QGIS")
