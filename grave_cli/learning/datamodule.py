"""Cemetery arrays in, batches out: random chips for training, fixed tiles for validation."""

import math
from collections.abc import Sequence
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Any

import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from grave_cli.dataset.cemetery_arrays import CemeteryArrays
from grave_cli.interrupts import ctrl_c_blocked
from grave_cli.learning import ranks
from grave_cli.learning.chips import ChipDataset, EpochSampler, to_tensors
from grave_cli.learning.cutting import cut_chip
from grave_cli.learning.handing_over import SharedState
from grave_cli.rasters.grid import plan_tiles
from grave_cli.rasters.recipe import InputRecipe
from grave_cli.settings.tree import Settings

_CORE_PX = 256
_HALO_PX = 64
_HALO_M = 2.0  # half a long grave: cut by the tile, it would count in two of them
_MULTIPLE = 32  # the sides of network inputs are multiples of it


class TileDataset(SharedState, Dataset[dict[str, Tensor]]):
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
            for number, (part, scored) in enumerate((part, part.scored) for part in parts)
            for tile in plan_tiles(*part.grid.shape, *tile_and_halo(recipe.gsd_m))
            if scored[tile.core.toslices()].any()
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


def tile_and_halo(gsd_m: float) -> tuple[int, int]:
    """Return the edge of a validation tile and its halo, in pixels: 384 and 64, more below 3 cm.

    Args:
        gsd_m: Edge of a pixel on the ground, metres.
    """
    halo = max(_HALO_PX, math.ceil(_HALO_M / gsd_m))
    return _MULTIPLE * math.ceil((_CORE_PX + 2 * halo) / _MULTIPLE), halo


class TileShare(Dataset[dict[str, Tensor]]):
    """The validation tiles of one of several processes; all have equally many.

    Each process takes every n-th tile. Where the tiles do not suffice, one is read again and
    counts nothing, because the processes must take the same number of steps.

    Args:
        tiles: All tiles.
        rank: Number of this process.
        world_size: Number of processes.
    """

    def __init__(self, tiles: TileDataset, rank: int, world_size: int) -> None:
        self.tiles = tiles
        self.rank = rank
        self.world_size = world_size

    def __len__(self) -> int:
        """Return the number of tiles of each process."""
        return math.ceil(len(self.tiles) / self.world_size)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """Return a tile; see `TileDataset`."""
        number = index * self.world_size + self.rank
        tensors = self.tiles[number % len(self.tiles)]
        if number >= len(self.tiles):
            tensors["core"] = torch.zeros_like(tensors["core"])
        return tensors


class GraveDataModule(LightningDataModule):
    """Batches for training and validation.

    Args:
        train: Parts to train on.
        val: Parts to validate on.
        recipe: Turns arrays into network input.
        settings: Chips, batches, seed.
        workers: Processes that prepare chips and tiles; 0: none but this one.
        generated: Generated parts to train on as well.
    """

    def __init__(
        self,
        train: list[CemeteryArrays],
        val: list[CemeteryArrays],
        recipe: InputRecipe,
        settings: Settings,
        workers: int = 0,
        generated: Sequence[CemeteryArrays] = (),
    ) -> None:
        super().__init__()
        self.workers = workers
        self.chips = ChipDataset(train, recipe, settings, generated)
        self.tiles = TileDataset(val, recipe, settings)
        self.settings = settings

    def train_dataloader(self) -> DataLoader[dict[str, Tensor]]:
        """Return a loader of the chips of all epochs from the current one on."""
        epoch = self.trainer.current_epoch if self.trainer else 0
        whole, count = self.settings.chips.batch_size, ranks.world_size()
        sampler = EpochSampler(len(self.chips), epoch, whole, ranks.rank(), count)
        # Whole batches only, unless there is less than one.
        drop_last = len(sampler) > self.batch_size
        return self._loader(self.chips, self.workers, sampler=sampler, drop_last=drop_last)

    def val_dataloader(self) -> DataLoader[dict[str, Tensor]]:
        """Return a loader of the validation tiles, of this process's share of them."""
        tiles = TileShare(self.tiles, ranks.rank(), ranks.world_size())
        # Without augmentation, a quarter of the workers prepares tiles fast enough.
        return self._loader(tiles, -(-self.workers // 4))

    @property
    def batch_size(self) -> int:
        """Number of chips or tiles per batch of this process."""
        return max(1, self.settings.chips.batch_size // ranks.world_size())

    def _loader(
        self, dataset: Dataset[dict[str, Tensor]], workers: int, **options: Any
    ) -> DataLoader[dict[str, Tensor]]:
        if workers:
            options |= {"multiprocessing_context": _DeafContext(), "persistent_workers": True}
        return DataLoader(
            dataset,
            batch_size=self.batch_size,
            num_workers=workers,
            worker_init_fn=_use_one_thread,
            pin_memory=torch.cuda.is_available(),
            **options,
        )


class _DeafProcess(SpawnProcess):
    """A worker that Ctrl-C does not reach: it ends with the training, which is interrupted."""

    def start(self) -> None:
        """Start the process, which inherits the blocked signal."""
        with ctrl_c_blocked():
            super().start()


class _DeafContext(SpawnContext):
    """Starts workers anew: a forked process could inherit locks that other threads hold."""

    Process = _DeafProcess


def _use_one_thread(worker: int) -> None:
    """Keep workers from disturbing each other: every core has one of them."""
    torch.set_num_threads(1)
