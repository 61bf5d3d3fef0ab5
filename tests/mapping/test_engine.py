"""Whatever computes a model says the same, and a CPU needs no torch for it."""

import subprocess
import sys
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from support import Listener, copy_bundle, untrained_bundle

from grave_cli.errors import ModelError
from grave_cli.mapping.engine import Engine, Symmetries, open_engine
from grave_cli.mapping.onnx_engine import OnnxEngine
from grave_cli.mapping.probability_map import to_levels
from grave_cli.mapping.torch_engine import GpuEngine, TorchEngine
from grave_cli.model.bundle import ONNX_FILE, Bundle, read_bundle
from grave_cli.model.device import choose_device
from grave_cli.settings.mapping import PredictionSettings

TOLERANCE = 1e-3  # of probabilities
ON_CPU = PredictionSettings(device="cpu")


@pytest.fixture(scope="module")
def bundle(untrained: Bundle) -> Bundle:
    return untrained


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


@pytest.mark.parametrize("tta", [1, 4, 8])
def test_a_gpu_agrees_with_the_cpu_but_for_its_rounding(
    bundle: Bundle, onnx: Engine, tta: Literal[1, 4, 8]
) -> None:
    device = choose_device("auto")
    if device == "cpu":
        pytest.skip("this machine has no GPU that torch can use")
    batch = noise(2, 4, 64, 96)
    reference: Engine = onnx if tta == 1 else Symmetries(onnx, tta)
    expected, engine = reference.probabilities(batch), GpuEngine(bundle, device, tta)
    assert np.abs(engine.probabilities(batch) - expected).max() <= 0.02  # 16 bits
    started = [engine.start(list(batch)) for _ in range(3)]  # more buffers than usual
    for collect in started:
        assert np.abs(collect() / np.float32(255) - expected).max() <= 0.025


@pytest.mark.parametrize("tta", [1, 4, 8])
def test_a_batch_that_is_started_gives_the_levels_of_its_probabilities(
    bundle: Bundle, onnx: Engine, tta: Literal[1, 4, 8]
) -> None:
    engine = GpuEngine(bundle, "cpu", tta)
    batches = [noise(2, 4, 64, 96), noise(1, 4, 32, 64)]
    started = [engine.start(list(batch)) for batch in batches]
    reference: Engine = onnx if tta == 1 else Symmetries(onnx, tta)
    assert engine.name.endswith(reference.name.removeprefix("ONNX Runtime on cpu"))
    for batch, collect in zip(batches, started, strict=True):
        levels = collect()
        assert levels.dtype == np.uint8
        expected = engine.probabilities(batch)
        np.testing.assert_array_equal(levels, to_levels(expected))
        assert np.abs(expected - reference.probabilities(batch)).max() <= TOLERANCE


def test_a_batch_too_large_for_the_memory_is_computed_in_smaller_ones(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, batch, sizes = GpuEngine(bundle, "cpu"), noise(7, 4, 32, 32), []
    expected, compute = to_levels(engine.probabilities(batch)), engine._compute

    def limited(pixels: torch.Tensor) -> torch.Tensor:
        sizes.append(len(pixels))
        if len(pixels) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB")
        return compute(pixels)

    monkeypatch.setattr(engine, "_compute", limited)
    for tried in ([7, 3, 1, 1, 1, 1, 1, 1, 1], [1] * 7):
        levels = engine.start(list(batch))()
        assert np.abs(levels.astype(int) - expected).max() <= 1
        assert sizes == tried
        sizes.clear()


def test_a_single_tile_too_large_for_the_memory_fails(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(pixels: object) -> None:
        raise RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)")

    engine = GpuEngine(bundle, "cpu")
    monkeypatch.setattr(engine, "_compute", full)
    with pytest.raises(RuntimeError, match="MPS backend"):
        engine.start(list(noise(2, 4, 32, 32)))


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
    bundle: Bundle, tmp_path: Path, listener: Listener
) -> None:
    old = copy_bundle(bundle, tmp_path / "old")
    old.onnx.unlink()
    assert open_engine(old, ON_CPU, listener).name == "torch on cpu"
    (note,) = listener.notes
    assert ONNX_FILE in note
    assert "torch" in note


def test_a_damaged_onnx_file_is_named(bundle: Bundle, tmp_path: Path) -> None:
    bundle = copy_bundle(bundle, tmp_path / "damaged")
    bundle.onnx.write_bytes(b"no network")
    with pytest.raises(ModelError, match=r"model\.onnx: network cannot be loaded"):
        open_engine(bundle, ON_CPU)


def test_an_onnx_file_of_other_weights_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    one = copy_bundle(bundle, tmp_path / "one")
    other = untrained_bundle(tmp_path / "other", seed=1)
    other.onnx.replace(one.onnx)
    with pytest.raises(
        ModelError, match=r"model\.onnx: the ONNX file was not made from the weights"
    ):
        open_engine(one, ON_CPU)


def test_a_device_that_is_not_there_is_named(bundle: Bundle) -> None:
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
