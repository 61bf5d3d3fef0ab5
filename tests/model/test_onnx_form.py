"""The ONNX form of a network computes the same probabilities, or is refused."""

from pathlib import Path

import pytest
import torch
from support import copy_bundle, write_model

from grave_cli.errors import ModelError
from grave_cli.model.architecture import Architecture
from grave_cli.model.bundle import Bundle
from grave_cli.model.network import build_network
from grave_cli.model.onnx_form import write_onnx


@pytest.mark.slow
@pytest.mark.parametrize("name", ["unet", "unetplusplus", "fpn", "deeplabv3plus", "linknet"])
def test_every_decoder_of_the_settings_can_be_exported(
    name: str, untrained: Bundle, tmp_path: Path
) -> None:
    architecture = Architecture(name=name, encoder="resnet18", in_channels=4)  # type: ignore[arg-type]
    network = build_network(architecture).eval()
    card = untrained.card.model_copy(update={"architecture": architecture})
    write_model(tmp_path / name, network, card)
    assert (tmp_path / name / "model.onnx").is_file()


class Fixed(torch.nn.Module):
    """A network that computes other values when it is traced, like a wrong export."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        shift = 1.0 if torch.jit.is_tracing() else 0.0
        return pixels[:, :3] + shift


def test_an_onnx_form_with_other_probabilities_is_refused(
    untrained: Bundle, tmp_path: Path
) -> None:
    bundle = copy_bundle(untrained, tmp_path / "model")
    with pytest.raises(
        ModelError, match=r"untrained: model\.onnx computes other .*difference of 0\.\d"
    ):
        write_onnx(bundle, Fixed())
