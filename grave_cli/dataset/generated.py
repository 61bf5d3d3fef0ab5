"""Generated cemeteries that are mixed into a training, so that it overfits a few real ones less.

They are drawn once for a work folder. Nothing is validated or tested on them, and they are no part
of the data set.
"""

import math
from pathlib import Path

from grave_cli.atomic_writes import cache_errors, whole_folder
from grave_cli.dataset.manifest import read_manifest
from grave_cli.dataset.plans import PartPlan, plan_parts
from grave_cli.dataset.splits import Part
from grave_cli.owners.claims import claimed
from grave_cli.progress import SILENT, Progress
from grave_cli.sample_data.variety.presets import ALL, VARIETY_VERSION
from grave_cli.sample_data.write import write_sample_data
from grave_cli.settings.inputs import DataSettings
from grave_cli.settings.tree import Settings

SCENES = 16
SIZE_M = 26.0
SEED = 3003
"""The starter was trained on scenes of other seeds."""


def plan_generated(settings: Settings, progress: Progress = SILENT) -> list[PartPlan]:
    """Plan generated cemeteries and ground without graves, which are drawn first if missing.

    Args:
        settings: GSD; `work_dir`, whose cache keeps them.
        progress: Progress listener; it counts scenes that are drawn.

    Raises:
        ExportError: The cache cannot be written.
    """
    root = _drawn(settings.work_dir / "cache", progress)
    manifest = read_manifest(root)
    # Layers, filters and lists of the settings are those of the user's own files.
    grid = settings.grid.model_copy(update={"max_upsampling": math.inf})
    own = settings.model_copy(update={"data": DataSettings(root=root), "grid": grid})
    scenes = (*manifest.cemeteries, *manifest.ground)
    return list(plan_parts([Part(scene, "train") for scene in scenes], own))


def _drawn(cache: Path, progress: Progress) -> Path:
    """Return the folder of the scenes, which other processes may draw at the same time."""
    folder = cache / f"generated-{VARIETY_VERSION}-{SEED}-{SCENES}"
    if folder.exists():
        return folder

    def say_wait() -> None:
        progress.note("Waiting for another process, which generates cemeteries")

    with cache_errors(cache), claimed(folder, math.inf, say_wait):
        if not folder.exists():
            with whole_folder(folder) as new:
                write_sample_data(
                    new,
                    cemeteries=SCENES,
                    size_m=SIZE_M,
                    seed=SEED,
                    variety=ALL,
                    progress=progress,
                )
    return folder
