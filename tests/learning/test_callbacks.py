import pytest
import torch
from lightning.pytorch import LightningModule
from torch import nn

from grave_cli.learning.callbacks import AverageWeights


def test_the_running_average_starts_quickly_and_ends_slowly() -> None:
    callback = AverageWeights(0.9)
    module = LightningModule()
    module.layer = nn.Linear(1, 1, bias=False)
    callback.setup(trainer=None, pl_module=module, stage="fit")  # type: ignore[arg-type]
    average = callback._average_model
    assert average is not None
    kept = 0.0
    for update in range(200):
        with torch.no_grad():
            module.layer.weight.fill_(float(update))
        average.update_parameters(module)
        decay = min(0.9, (1 + update) / (10 + update))
        kept = float(update) if update == 0 else decay * kept + (1 - decay) * update
    assert float(next(average.parameters()).detach()) == pytest.approx(kept, rel=1e-4)
