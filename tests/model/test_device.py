"""The device rule, under machines that this one is not."""

import pytest
import torch
from torch import nn

from grave_cli.errors import ModelError, SettingsError
from grave_cli.model import device as rule

H100 = {"capability": (9, 0), "bf16": True, "name": "NVIDIA H100"}
T4 = {"capability": (7, 5), "bf16": False, "name": "Tesla T4"}
P100 = {"capability": (6, 0), "bf16": False, "name": "Tesla P100"}
WHEELS = ["sm_50", "sm_75", "sm_90a", "compute_90"]


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch):
    """Pretend to be a machine: its GPU, or None, whether it is a Mac, and torch's own GPUs."""

    def pretend(gpu: dict | None = None, *, mac: bool = False, wheels: list[str] = WHEELS) -> None:
        def supports(including_emulation: bool = True) -> bool:
            return gpu is not None and (gpu["bf16"] or including_emulation)

        fakes = {
            "is_available": lambda: gpu is not None,
            "get_device_capability": lambda *which: gpu["capability"] if gpu else (0, 0),
            "get_device_name": lambda *which: gpu["name"] if gpu else "",
            "get_arch_list": lambda: wheels,
            "is_bf16_supported": supports,
        }
        for name, fake in fakes.items():
            monkeypatch.setattr(torch.cuda, name, fake)
        monkeypatch.setattr(torch.version, "cuda", "12.8")
        for name in ("is_available", "is_built"):
            monkeypatch.setattr(torch.backends.mps, name, lambda: mac)

    return pretend


@pytest.mark.parametrize(
    ("gpu", "mac", "best"),
    [(H100, False, "cuda"), (T4, False, "cuda"), (None, True, "mps"), (None, False, "cpu")],
)
def test_auto_takes_the_best_device_there_is(machine, gpu, mac: bool, best: str) -> None:
    machine(gpu, mac=mac)
    assert rule.choose_device("auto") == best
    assert rule.choose_device("cpu") == "cpu"
    assert rule.choose_device(best) == best


@pytest.mark.parametrize(
    ("gpu", "mac", "wanted", "found"),
    [
        (None, True, "cuda", "cpu, mps: no GPU"),  # "gpu" would have been MPS
        (None, False, "cuda", "cpu: no GPU"),
        (None, False, "mps", "cpu: no Mac with an Apple GPU"),
        (H100, False, "mps", "cpu, cuda: no Mac"),
        (H100, False, "tpu", "cpu, cuda: no such device"),
    ],
)
def test_a_missing_device_is_one_line(machine, gpu, mac: bool, wanted: str, found: str) -> None:
    machine(gpu, mac=mac)
    with pytest.raises(
        ModelError, match=rf"device {wanted} is not available \(found {found}"
    ) as no:
        rule.choose_device(wanted, "set training.device to auto")
    assert str(no.value).endswith("; set training.device to auto")
    assert no.value.exit_code == 2


def test_a_gpu_older_than_torch_s_own_code_is_not_taken(machine) -> None:
    machine(P100, wheels=["sm_75", "sm_120f"])
    assert rule.choose_device("auto") == "cpu"
    with pytest.raises(ModelError, match=r"Tesla P100 has capability 6\.0, torch needs 7\.5"):
        rule.choose_device("cuda")
    machine(P100)
    assert rule.choose_device("auto") == "cuda"
    machine(P100, wheels=[])  # torch does not say
    assert rule.choose_device("auto") == "cuda"


def test_a_driver_that_is_too_old_is_the_reason(machine, monkeypatch: pytest.MonkeyPatch) -> None:
    import warnings

    machine()

    def unavailable() -> bool:
        warnings.warn("CUDA initialization: the driver is too old. Please update.", stacklevel=1)
        return False

    monkeypatch.setattr(torch.cuda, "is_available", unavailable)
    with pytest.raises(ModelError, match="the driver is too old"):
        rule.choose_device("cuda")


@pytest.mark.parametrize(
    ("gpu", "device", "chosen"),
    [
        (H100, "cuda", "bf16-mixed"),
        (T4, "cuda", "32-true"),  # torch would emulate bfloat16
        (None, "mps", "32-true"),
        (None, "cpu", "32-true"),
    ],
)
def test_bfloat16_is_chosen_only_where_the_hardware_has_it(
    machine, gpu, device: rule.Device, chosen: str
) -> None:
    machine(gpu, mac=device == "mps")
    assert rule.training_precision("auto", device) == chosen
    assert rule.training_precision("32-true", device) == "32-true"


@pytest.mark.parametrize(
    ("gpu", "device", "wanted", "message"),
    [
        (T4, "cuda", "bf16-mixed", "bf16-mixed on Tesla T4, expected auto, 32-true, 16-mixed"),
        (None, "mps", "16-mixed", "16-mixed on mps, expected auto, 32-true"),
        (None, "mps", "bf16-mixed", "bf16-mixed on mps"),
        (None, "cpu", "16-mixed", "16-mixed on cpu, expected auto, 32-true, bf16-mixed"),
    ],
)
def test_a_precision_that_the_device_lacks_is_refused(
    machine, gpu, device: rule.Device, wanted: str, message: str
) -> None:
    machine(gpu, mac=device == "mps")
    with pytest.raises(SettingsError, match=message) as no:
        rule.training_precision(wanted, device)
    assert no.value.exit_code == 2


def test_predictions_use_half_precision_on_tensor_cores_only(machine) -> None:
    for gpu, suits in ((H100, True), (T4, True), (P100, False)):
        machine(gpu)
        assert rule.suits_half_precision("cuda") is suits
    assert not rule.suits_half_precision("mps")
    assert not rule.suits_half_precision("cpu")


@pytest.mark.parametrize(("scale", "agrees"), [(1.0, True), (1e6, False)])
def test_a_network_beyond_the_range_of_half_precision_is_noticed(
    scale: float, agrees: bool
) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(4, 8, 3), nn.BatchNorm2d(8), nn.Conv2d(8, 3, 1)).eval()
    with torch.no_grad():
        network[0].weight *= scale  # type: ignore[operator]
        network[1].running_var *= scale**2  # type: ignore[operator]
    assert rule.half_precision_agrees(network, torch.randn(1, 4, 32, 32)) is agrees


def test_images_on_a_mac_are_not_channels_last() -> None:
    assert rule.memory_layout("mps") == torch.contiguous_format
    assert {rule.memory_layout(one) for one in ("cpu", "cuda")} == {torch.channels_last}
