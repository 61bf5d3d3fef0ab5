"""The ONNX form of a network computes what the network does, or is refused."""

import shutil
from pathlib import Path

import pytest
import torch

from grave_cli.errors import ModelError
from grave_cli.model.architecture import Architecture
from grave_cli.model.bundle import Bundle, read_bundle
from grave_cli.model.export import write_bundle
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
    write_bundle(tmp_path / name, network, card)
    assert (tmp_path / name / "model.onnx").is_file()


class Fixed(torch.nn.Module):
    """A network that computes otherwise when it is traced: what a wrong export amounts to."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        shift = 1.0 if torch.jit.is_tracing() else 0.0
        return pixels[:, :3] + shift


def test_an_onnx_form_that_computes_something_else_is_refused(
    untrained: Bundle, tmp_path: Path
) -> None:
    bundle = read_bundle(Path(shutil.copytree(untrained.folder, tmp_path / "model")))
    with pytest.raises(ModelError, match=r"untrained: model\.onnx does not compute .*differ by"):
        write_onnx(bundle, Fixed())
