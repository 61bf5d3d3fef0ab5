"""Whatever computes a model says the same, and a CPU needs no torch for it."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support import Listener, untrained_bundle

from grave_cli.errors import ModelError
from grave_cli.mapping.engine import Engine, Symmetries, open_engine
from grave_cli.mapping.onnx_engine import OnnxEngine
from grave_cli.mapping.torch_engine import TorchEngine, choose_device
from grave_cli.model.bundle import ONNX_FILE, Bundle, read_bundle
from grave_cli.model.onnx_form import TOLERANCE
from grave_cli.settings.mapping import PredictionSettings

ON_CPU = PredictionSettings(device="cpu")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return untrained_bundle(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def onnx(bundle: Bundle) -> Engine:
    return OnnxEngine(bundle, threads=1)


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("shape", [(1, 4, 64, 64), (3, 4, 96, 32), (2, 4, 32, 160)])
def test_engines_agree_for_any_number_and_size_of_tiles(
    bundle: Bundle, onnx: Engine, shape: tuple[int, ...]
) -> None:
    batch = noise(*shape)
    answers = [engine.probabilities(batch) for engine in (onnx, TorchEngine(bundle, "cpu"))]
    assert answers[0].shape == (shape[0], 3, *shape[2:])
    assert np.abs(answers[0] - answers[1]).max() <= TOLERANCE
    assert answers[0].min() >= 0
    assert answers[0].max() <= 1


def test_a_gpu_agrees_with_the_cpu_but_for_its_rounding(bundle: Bundle, onnx: Engine) -> None:
    device = choose_device("auto")
    if device == "cpu":
        pytest.skip("this machine has no GPU that torch can use")
    batch = noise(2, 4, 64, 64)
    difference = TorchEngine(bundle, device).probabilities(batch) - onnx.probabilities(batch)
    assert np.abs(difference).max() <= 0.02  # 16 bits


@pytest.mark.parametrize("count", [4, 8])
def test_the_mean_of_all_orientations_turns_with_the_picture(onnx: Engine, count: int) -> None:
    engine = Symmetries(onnx, count)  # type: ignore[arg-type]
    batch = noise(1, 4, 64, 96)
    straight = engine.probabilities(batch)
    turned = {"flipped": lambda a: np.flip(a, 3), "upside down": lambda a: np.flip(a, 2)}
    if count == 8:
        turned["quarter turn"] = lambda a: np.rot90(a, axes=(2, 3))
    for name, turn in turned.items():
        answer = engine.probabilities(np.ascontiguousarray(turn(batch)))
        np.testing.assert_allclose(answer, turn(straight), atol=1e-5, err_msg=name)
    once = onnx.probabilities(batch)
    assert np.abs(once - straight).max() > 1e-4  # a network alone does not turn with it


def test_settings_choose_engine_and_symmetries(bundle: Bundle) -> None:
    assert open_engine(bundle, ON_CPU).name == "ONNX Runtime on cpu"
    eight = PredictionSettings(device="cpu", tta=8)
    assert open_engine(bundle, eight).name == "ONNX Runtime on cpu, mean of 8 orientations"


def test_a_model_without_an_onnx_form_is_computed_by_torch_with_a_note(
    tmp_path: Path, listener: Listener
) -> None:
    old = untrained_bundle(tmp_path)
    old.onnx.unlink()
    assert open_engine(old, ON_CPU, listener).name == "torch on cpu"
    (note,) = listener.notes
    assert ONNX_FILE in note
    assert "torch" in note


def test_a_damaged_onnx_file_is_named(tmp_path: Path) -> None:
    bundle = untrained_bundle(tmp_path)
    bundle.onnx.write_bytes(b"no network")
    with pytest.raises(ModelError, match=r"model\.onnx: network cannot be loaded"):
        open_engine(bundle, ON_CPU)


def test_an_onnx_file_of_other_weights_is_refused(tmp_path: Path) -> None:
    one, other = (untrained_bundle(tmp_path / name, seed=seed) for seed, name in enumerate("ab"))
    other.onnx.replace(one.onnx)
    with pytest.raises(
        ModelError, match=r"model\.onnx: the ONNX file was not made from the weights"
    ):
        open_engine(one, ON_CPU)


def test_a_device_that_is_not_there_is_named(bundle: Bundle) -> None:
    import torch

    if torch.backends.mps.is_available():
        pytest.skip("this machine has MPS")
    with pytest.raises(ModelError, match=r"device mps is not available .*cpu"):
        open_engine(bundle, PredictionSettings(device="mps"))


def test_a_cpu_needs_no_torch(bundle: Bundle) -> None:
    program = (
        "import sys; from pathlib import Path; import numpy as np\n"
        "from grave_cli.model.bundle import read_bundle\n"
        "from grave_cli.mapping.engine import open_engine\n"
        "from grave_cli.settings.mapping import PredictionSettings\n"
        "engine = open_engine(read_bundle(Path(sys.argv[1])), PredictionSettings(device='cpu'))\n"
        "engine.probabilities(np.zeros((1, 4, 32, 32), np.float32))\n"
        "print(sorted({'torch', 'lightning', 'mlflow', 'optuna'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", program, str(read_bundle(bundle.folder).folder)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert answer.stdout.strip() == "[]"
