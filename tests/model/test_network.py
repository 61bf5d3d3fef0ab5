"""Networks are built from a description alone, and refuse descriptions that cannot be built."""

import subprocess
import sys
from typing import get_args

import pytest
import torch
from pydantic import ValidationError

from grave_cli.errors import ModelError
from grave_cli.model.architecture import Architecture, ArchitectureName
from grave_cli.model.network import build_network, build_pretrained, encoder_normalisation

# Mean and standard deviation of the photographs that torchvision's weights were trained on.
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


@pytest.mark.parametrize("name", get_args(ArchitectureName))
def test_every_architecture_gives_three_logits_per_pixel_and_learns(name: ArchitectureName) -> None:
    network = build_network(Architecture(name=name, in_channels=4))
    logits = network(torch.randn(2, 4, 64, 64))
    assert logits.shape == (2, 3, 64, 64)
    logits.square().mean().backward()
    unused = [key for key, value in network.named_parameters() if value.grad is None]
    assert unused == []
    assert logits.min() < 0


@pytest.mark.parametrize("encoder", ["resnet18", "tu-resnet18", "tu-convnext_atto"])
def test_other_encoders_serve_a_unet(encoder: str) -> None:
    network = build_network(Architecture(encoder=encoder, in_channels=5)).eval()
    assert network(torch.zeros(1, 5, 64, 64)).shape == (1, 3, 64, 64)


def test_an_architecture_is_read_without_torch() -> None:
    code = "import sys, grave_cli.model.architecture; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_architecture_survives_json_with_its_default_written_out() -> None:
    architecture = Architecture(in_channels=4)
    text = architecture.model_dump_json()
    assert "[64,48,32,24,16]" in text
    assert Architecture.model_validate_json(text) == architecture
    assert (
        Architecture.model_validate_json(Architecture(name="fpn").model_dump_json()).name == "fpn"
    )


@pytest.mark.parametrize(
    "values",
    [
        {"name": "unett"},
        {"in_channels": 2},
        {"decoder": "unet"},
        {"name": "fpn", "decoder_channels": (64, 32, 16, 8, 4)},
        {"decoder_channels": (64, 32, 16, 8, 0)},
    ],
)
def test_an_architecture_refuses(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Architecture.model_validate(values)


@pytest.mark.parametrize(
    ("wrong", "suggested"),
    [
        ("resnet19", "resnet18"),
        ("tf_efficientnet_lite0", "tu-tf_efficientnet_lite0"),
        ("timm-efficientnet-b0", "tu-efficientnet_b0"),
        ("timm-tf_efficientnet_lite0", "tu-tf_efficientnet_lite0"),
        ("tu-resnet18.no_such_tag", "tu-resnet18"),
        ("tu-hf-hub:somebody/something", ""),
        ("?", "tu-tf_efficientnet_lite0"),
    ],
)
def test_an_unknown_encoder_is_named_with_the_nearest_ones(wrong: str, suggested: str) -> None:
    with pytest.raises(ModelError) as error:
        build_network(Architecture(encoder=wrong))
    assert str(error.value).startswith(f"{wrong}: no such encoder; try ")
    assert suggested in (error.value.remedy or "").replace(",", "").split() or not suggested


def test_decoder_channels_are_one_for_each_stage() -> None:
    with pytest.raises(ModelError, match=r"found 3 numbers, expected 5"):
        build_network(Architecture(decoder_channels=(64, 32, 16)))


@pytest.mark.parametrize(
    ("name", "encoder"), [("unetplusplus", "mit_b0"), ("unet", "tu-vit_tiny_patch16_224")]
)
def test_an_encoder_that_does_not_fit_the_decoder_is_refused(
    name: ArchitectureName, encoder: str
) -> None:
    with pytest.raises(ModelError, match=f"^{encoder}: the encoder cannot serve a {name} decoder"):
        build_network(Architecture(name=name, encoder=encoder))


def test_a_dem_of_zeros_leaves_the_pretrained_features_as_they_were() -> None:
    plain = build_pretrained(Architecture(), "imagenet").eval().get_submodule("encoder")
    with_dem = build_pretrained(Architecture(in_channels=4), "imagenet").eval()
    rgb = torch.randn(1, 3, 64, 64)
    features = with_dem.get_submodule("encoder")(torch.cat([rgb, torch.zeros(1, 1, 64, 64)], dim=1))
    for ours, theirs in zip(features[1:], plain(rgb)[1:], strict=True):
        torch.testing.assert_close(ours, theirs)


def test_without_weights_the_encoder_stays_random() -> None:
    stems = [
        build_pretrained(Architecture(), weights).state_dict()["encoder.model.conv_stem.weight"]
        for weights in ("none", "imagenet", "imagenet")
    ]
    assert torch.equal(stems[1], stems[2])
    assert not torch.equal(stems[0], stems[1])


@pytest.mark.parametrize(
    ("encoder", "weights", "expected"),
    [
        ("tu-tf_efficientnet_lite0", "imagenet", HALF),
        ("tu-tf_efficientnet_lite0", "somewhere/weights.pt", HALF),
        ("tu-tf_efficientnet_lite0", "none", IMAGENET),
        ("tu-resnet18", "imagenet", IMAGENET),
        ("resnet34", "imagenet", IMAGENET),
        ("xception", "imagenet", HALF),
    ],
)
def test_normalisation_is_the_one_the_weights_were_trained_with(
    encoder: str, weights: str, expected: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("socket.socket.connect", None)  # asking the hub would be a TypeError
    assert encoder_normalisation(encoder, weights) == expected


def test_dual_path_networks_have_statistics_of_their_own() -> None:
    mean, std = encoder_normalisation("dpn68", "imagenet")
    assert mean == pytest.approx((0.4863, 0.4588, 0.4078), abs=1e-4)
    assert std == pytest.approx((0.2348, 0.2348, 0.2348), abs=1e-4)
