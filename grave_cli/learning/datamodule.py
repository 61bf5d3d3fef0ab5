"""Cemetery arrays in, batches out: random chips for training, fixed tiles for validation."""

from typing import Any

import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from grave_cli.dataset.cemetery_arrays import CemeteryArrays
from grave_cli.learning.chips import ChipDataset, to_tensors
from grave_cli.learning.cutting import cut_chip
from grave_cli.rasters.grid import plan_tiles
from grave_cli.rasters.recipe import InputRecipe
from grave_cli.settings.tree import Settings

VAL_TILE_PX = 384
VAL_HALO_PX = 64


class TileDataset(Dataset[dict[str, Tensor]]):
    """The tiles of the validation cemeteries, the same in every epoch.

    Args:
        parts: Parts to validate on.
        recipe: Turns arrays into network input.
        settings: Widths of the target bands.
    """

    def __init__(
        self, parts: list[CemeteryArrays], recipe: InputRecipe, settings: Settings
    ) -> None:
        self.parts = parts
        self.recipe = recipe
        self.settings = settings
        self.tiles = [
            (number, tile)
            for number, part in enumerate(parts)
            for tile in plan_tiles(*part.grid.shape, VAL_TILE_PX, VAL_HALO_PX)
            if part.scored[tile.core.toslices()].any()
        ]

    def __len__(self) -> int:
        """Return the number of tiles."""
        return len(self.tiles)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """Return the tensors of `to_tensors`, and `valid`, `instances` and `core`, each (H, W)."""
        number, tile = self.tiles[index]
        chip = cut_chip(self.parts[number], tile.window)
        tensors = to_tensors(chip, chip.elevation, self.recipe, self.settings)
        core = torch.zeros(chip.valid.shape, dtype=torch.bool)
        core[tile.core_in_tile] = True
        # Copied, because arrays of the memory-mapped cache are read-only.
        valid, instances = torch.tensor(chip.valid), torch.tensor(chip.instances)
        return {**tensors, "valid": valid, "instances": instances, "core": core}


class GraveDataModule(LightningDataModule):
    """Batches for training and validation.

    Args:
        train: Parts to train on.
        val: Parts to validate on.
        recipe: Turns arrays into network input.
        settings: Chips, batches, workers, seed.
    """

    def __init__(
        self,
        train: list[CemeteryArrays],
        val: list[CemeteryArrays],
        recipe: InputRecipe,
        settings: Settings,
    ) -> None:
        super().__init__()
        self.chips = ChipDataset(train, recipe, settings)
        self.tiles = TileDataset(val, recipe, settings)
        self.settings = settings

    def train_dataloader(self) -> DataLoader[dict[str, Tensor]]:
        """Return a loader of the current epoch's chips."""
        # Lightning reloads the loader in each epoch, and workers get a fresh copy of the chips.
        self.chips.epoch = self.trainer.current_epoch if self.trainer else 0
        # Whole batches only, unless there is less than one.
        return self._loader(self.chips, drop_last=len(self.chips) > self.batch_size)

    def val_dataloader(self) -> DataLoader[dict[str, Tensor]]:
        """Return a loader of the validation tiles."""
        return self._loader(self.tiles, drop_last=False)

    @property
    def batch_size(self) -> int:
        """Number of chips or tiles per batch."""
        return self.settings.chips.batch_size

    def _loader(
        self, dataset: Dataset[dict[str, Tensor]], drop_last: bool
    ) -> DataLoader[dict[str, Tensor]]:
        workers = self.settings.training.workers
        # A forked process could inherit locks that other threads hold.
        options: dict[str, Any] = {"multiprocessing_context": "spawn"} if workers else {}
        return DataLoader(
            dataset,
            batch_size=self.batch_size,
            drop_last=drop_last,
            num_workers=workers,
            pin_memory=torch.cuda.is_available(),
            **options,
        )
