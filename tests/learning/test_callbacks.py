import importlib.util
import sys
from types import ModuleType, SimpleNamespace

import psutil
import pytest
import torch
from lightning.pytorch import LightningModule
from torch import nn

from grave_cli.learning import callbacks
from grave_cli.learning.callbacks import AverageWeights

CPU = torch.device("cpu")


def test_the_moving_average_starts_quickly_and_ends_slowly() -> None:
    callback = AverageWeights(0.9)
    module = LightningModule()
    module.layer = nn.Linear(1, 1, bias=False)
    module.norm = nn.BatchNorm1d(1)
    callback.setup(trainer=None, pl_module=module, stage="fit")  # type: ignore[arg-type]
    average = callback._average_model
    assert average is not None
    kept = 0.0
    for update in range(200):
        with torch.no_grad():
            module.layer.weight.fill_(float(update))
            module.norm.num_batches_tracked.fill_(update)
        trainer = SimpleNamespace(global_step=update + 1)
        for _ in range(2):  # a step that was averaged already changes nothing
            callback.on_train_batch_end(trainer, module)  # type: ignore[arg-type]
        decay = min(0.9, (1 + update) / (10 + update))
        kept = float(update) if update == 0 else decay * kept + (1 - decay) * update
    assert float(next(average.parameters()).detach()) == pytest.approx(kept, rel=1e-4)
    assert int(average.module.norm.num_batches_tracked) == 199
    assert int(average.n_averaged) == 200


def imported_without_resource(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A fresh copy of the module, where Python has no module `resource`, as on Windows."""
    monkeypatch.setitem(sys.modules, "resource", None)
    spec = importlib.util.spec_from_file_location("fresh_callbacks", callbacks.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_peak_memory_lies_between_the_present_use_and_the_memory_of_the_machine() -> None:
    peak = callbacks._peak_memory_gb(CPU)
    assert psutil.Process().memory_info().rss / 1e9 <= peak * 1.01
    assert peak < psutil.virtual_memory().total / 1e9


def test_peak_memory_on_windows_needs_no_resource_module(monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = imported_without_resource(monkeypatch)
    monkeypatch.setattr(sys, "platform", "win32")
    usage = SimpleNamespace(peak_wset=3_000_000_000)
    monkeypatch.setattr(psutil.Process, "memory_info", lambda self: usage)
    assert fresh._peak_memory_gb(CPU) == 3
