"""A model folder is read completely or refused in one line, and never unpickled."""

import hashlib
import json
import math
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import torch
from support import another_account, write_model

from grave_cli.errors import ModelError
from grave_cli.graves.confidence import Calibration
from grave_cli.graves.review_model import DEFAULT_REVIEW, Step
from grave_cli.mapping.onnx_engine import OnnxEngine
from grave_cli.model.architecture import Architecture
from grave_cli.model.bundle import (
    CARD_FILE,
    FORMAT,
    ONNX_FILE,
    WEIGHTS_FILE,
    ModelCard,
    read_bundle,
    write_card,
)
from grave_cli.model.export import load_network
from grave_cli.model.model_readme import README_FILE
from grave_cli.model.network import build_network
from grave_cli.model.stac_item import STAC_FILE
from grave_cli.rasters.recipe import InputRecipe
from grave_cli.settings.mapping import DecodingSettings
from grave_cli.settings.tree import Settings

ARCHITECTURE = Architecture(encoder="resnet18", decoder_channels=(16, 8, 8, 8, 8), in_channels=4)
FILES = (CARD_FILE, WEIGHTS_FILE, ONNX_FILE, README_FILE, STAC_FILE)
SETTINGS = Settings(data={"channels": "rgb+dem"})


def card(**changes: Any) -> ModelCard:
    values = {
        "gravecli_version": "0.1",
        "name": "tiny",
        "run_id": "abc",
        "dataset_id": "ds-1",
        "created": "2025-01-01T00:00:00Z",
        "recipe": InputRecipe.from_settings(SETTINGS, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        "architecture": ARCHITECTURE,
        "decoding": DecodingSettings(body_threshold=0.4),
        "metrics": {"val/dice": 0.75},
        "settings": SETTINGS.model_dump(mode="json"),
    }
    return ModelCard(**(values | changes))


@pytest.fixture(scope="session")
def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return build_network(ARCHITECTURE).eval()


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory, network: torch.nn.Module) -> Path:
    """A model folder, read only."""
    folder = tmp_path_factory.mktemp("bundle") / "model"
    write_model(folder, network, card())
    return folder


@pytest.fixture
def folder(written: Path, tmp_path: Path) -> Path:
    """A copy of it, for a test that changes it."""
    return Path(shutil.copytree(written, tmp_path / "model"))


def refusal(action: Callable[[], object]) -> str:
    with pytest.raises(ModelError) as error:
        action()
    assert len(str(error.value).splitlines()) == 1
    return str(error.value)


def change_card(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads((folder / CARD_FILE).read_text())
    change(content)
    (folder / CARD_FILE).write_text(json.dumps(content))


def test_a_network_comes_back_with_its_description(folder: Path, network: torch.nn.Module) -> None:
    bundle = read_bundle(folder)
    assert bundle.card == card()
    pixels = torch.rand(1, 4, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(load_network(bundle)(pixels), network(pixels), rtol=0, atol=0)
    assert not load_network(bundle).training


def test_a_calibration_is_kept_and_may_be_missing(folder: Path) -> None:
    assert read_bundle(folder).card.calibration is None
    calibration = Calibration(intercept=-3.5, weights={"body": 4.0, "fit": 0.5})
    write_card(folder, card(calibration=calibration))
    assert read_bundle(folder).card.calibration == calibration
    change_card(folder, lambda content: content["calibration"]["weights"].update(body=-1))
    assert "calibration.weights.body" in refusal(lambda: read_bundle(folder))


def test_odds_of_a_review_are_kept_and_may_be_missing(folder: Path) -> None:
    assert read_bundle(folder).card.review is None  # as in models of earlier versions
    review = DEFAULT_REVIEW.model_copy(update={"proof": (Step(below=0.1, graves=60, wrong=1),)})
    write_card(folder, card(review=review))
    assert read_bundle(folder).card.review == review
    change_card(folder, lambda content: content["review"].update(min_probability=2))
    assert "review.min_probability" in refusal(lambda: read_bundle(folder))


def test_a_bundle_is_five_files_and_may_be_named_by_any_of_them(folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} == set(FILES)
    for path in (folder / name for name in FILES):
        assert read_bundle(path) == read_bundle(folder)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_score_that_is_no_number_does_not_spoil_the_description(
    tmp_path: Path, folder: Path, value: float
) -> None:
    write_card(folder, card(metrics={"test/dice": value}))
    assert read_bundle(folder).card.metrics["test/dice"] == pytest.approx(value, nan_ok=True)
    json.loads((folder / CARD_FILE).read_text(), parse_constant=pytest.fail)


@pytest.mark.skipif(os.name == "nt", reason="modes of POSIX")
def test_other_accounts_can_read_a_model(network: torch.nn.Module, tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_model(tmp_path / "model", network, card())
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "model").iterdir()}
    assert modes == dict.fromkeys(FILES, 0o640)


@pytest.mark.skipif(os.name == "nt", reason="modes of POSIX")
@pytest.mark.parametrize("name", [CARD_FILE, WEIGHTS_FILE, ONNX_FILE, "."])
def test_a_model_of_another_account_that_cannot_be_read_is_named(written: Path, name: str) -> None:
    with TemporaryDirectory() as open_to_all:
        folder = Path(shutil.copytree(written, Path(open_to_all) / "model"))
        Path(open_to_all).chmod(0o755)
        (folder / name).chmod(0)
        with another_account():
            message = refusal(lambda: read_bundle(folder))
        folder.chmod(0o700)
    file = CARD_FILE if name == "." else name
    assert message.startswith(f"{folder / file}: model cannot be read: Permission denied; ask")


def test_secrets_in_an_old_description_stay_there(folder: Path) -> None:
    url = "postgresql://anna:my s3/cret@db/x?password=s3cret"
    change_card(folder, lambda content: content["settings"]["tracking"].update(uri=url))
    shown = read_bundle(folder).card.settings["tracking"]["uri"]
    assert shown == "postgresql://anna:***@db/x?password=***"


def test_the_fingerprint_is_that_of_the_weights(folder: Path) -> None:
    before = read_bundle(folder).sha256
    assert before == hashlib.sha256((folder / WEIGHTS_FILE).read_bytes()).hexdigest()
    write_card(folder, card(name="other"))
    assert read_bundle(folder).sha256 == before
    with (folder / WEIGHTS_FILE).open("ab") as file:
        file.write(b" ")
    assert read_bundle(folder).sha256 != before


@pytest.mark.parametrize("missing", [CARD_FILE, WEIGHTS_FILE])
def test_a_folder_without_one_of_the_files_is_no_model(folder: Path, missing: str) -> None:
    (folder / missing).unlink()
    message = refusal(lambda: read_bundle(folder))
    assert message.startswith(f"{folder}: not a gravecli model")
    assert missing in message


def test_a_path_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert str(tmp_path / "absent") in refusal(lambda: read_bundle(tmp_path / "absent"))


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"3", b"\xff\xfe", b"null", b"[" * 100_000, b'{"a":' * 100_000]
)
def test_a_damaged_description_is_named(folder: Path, content: bytes) -> None:
    (folder / CARD_FILE).write_bytes(content)
    message = refusal(lambda: read_bundle(folder))
    assert message.startswith(f"{folder / CARD_FILE}: damaged model description")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda content: content.pop("recipe"), "recipe"),
        (lambda content: content["recipe"].update(gsd_m="fine"), "recipe.gsd_m"),
        (lambda content: content["architecture"].update(name="unett"), "architecture.name"),
        (lambda content: content.update(extra=1), "extra"),
        (lambda content: content["recipe"].update(std=[0.5, 0, 0.5]), "recipe.std.1"),
        (lambda content: content["recipe"].update(mean=["NaN", 0.5, 0.5]), "recipe.mean.0"),
        (lambda content: content["recipe"].update(gsd_m="Infinity"), "recipe.gsd_m"),
        (lambda content: content["recipe"].update(value_range=[9000, 200]), "recipe"),
        (lambda content: content["recipe"].update(channels="rgb"), "recipe"),
        (lambda content: content.update(calibration={"intercept": "NaN", "weights": {}}), "calib"),
    ],
)
def test_the_faulty_field_of_a_description_is_named(
    folder: Path, change: Callable[[dict[str, Any]], object], field: str
) -> None:
    change_card(folder, change)
    message = refusal(lambda: read_bundle(folder))
    assert message.startswith(f"{folder / CARD_FILE}: damaged model description: {field}")


@pytest.mark.parametrize("number", [0, FORMAT + 1, None, "1"])
def test_another_format_is_refused_before_its_fields_are_read(folder: Path, number: object) -> None:
    change_card(folder, lambda content: content.update(format=number, unheard_of=True))
    message = refusal(lambda: read_bundle(folder))
    assert message.startswith(f"{folder / CARD_FILE}: model was written by another version")
    assert f"found format {number}, expected format {FORMAT}" in message


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_truncated_weights_are_named(folder: Path, share: float) -> None:
    weights = folder / WEIGHTS_FILE
    content = weights.read_bytes()
    weights.write_bytes(content[: int(len(content) * share)])
    message = refusal(lambda: load_network(read_bundle(folder)))
    assert message.startswith(f"{weights}: weights cannot be loaded")


def test_a_description_for_other_channels_than_the_network_s_is_named(folder: Path) -> None:
    change_card(folder, lambda content: content["architecture"].update(in_channels=5))
    message = refusal(lambda: read_bundle(folder))
    assert "damaged model description" in message
    assert "5 input channels, the recipe 4" in message


def test_an_onnx_file_of_other_channels_is_refused(folder: Path) -> None:
    def drop_heights(content: dict[str, Any]) -> None:
        content["recipe"].update(channels="rgb", elevation=None)
        content["architecture"].update(in_channels=3)

    change_card(folder, drop_heights)
    message = refusal(lambda: OnnxEngine(read_bundle(folder)))
    assert "other input channels" in message
    assert "found 4, expected 3" in message


def test_weights_of_another_network_are_named(folder: Path) -> None:
    write_card(folder, card(architecture=Architecture(encoder="resnet18", in_channels=4)))
    message = refusal(lambda: load_network(read_bundle(folder)))
    assert message.startswith(f"{folder / WEIGHTS_FILE}: weights cannot be loaded")


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("kind", ["pickle", "torch"])
def test_a_pickle_that_calls_itself_safetensors_is_refused_unopened(
    folder: Path, tmp_path: Path, kind: str
) -> None:
    sprung = tmp_path / "sprung"
    with (folder / WEIGHTS_FILE).open("wb") as file:
        pickle.dump(Trap(sprung), file) if kind == "pickle" else torch.save(Trap(sprung), file)
    message = refusal(lambda: load_network(read_bundle(folder)))
    assert message.startswith(f"{folder / WEIGHTS_FILE}: weights cannot be loaded")
    assert not sprung.exists()


def test_a_bundle_is_described_without_torch(folder: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from grave_cli.model.bundle import read_bundle\n"
        "read_bundle(Path(sys.argv[1])).sha256; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(folder)], check=False).returncode == 0
