"""What it costs to map a cemetery: measured on generated scenes, by the way of a cluster's task.

Scenes of several sizes and pixel sizes tell the costs apart: of each cemetery, of each megapixel of
the orthophoto, and of each megapixel of the working grid.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
import psutil
import rasterio
from scipy.optimize import nnls
from tools.scenes import write_scene

from grave_cli.batch.jobs import Job, list_jobs
from grave_cli.batch.mapper import ChosenModel, Engines, Mapper
from grave_cli.model.shipped import starter_model
from grave_cli.settings.load import load_settings

SCENES = ((0.25, 0.02), (1.0, 0.02), (2.25, 0.02), (1.0, 0.01), (1.0, 0.04))
"""Hectares and pixel size in metres."""


@dataclass(frozen=True)
class Cost:
    """What one cemetery took, in a process that has mapped another one before.

    Args:
        hectares: Area of the orthophoto.
        gsd_m: Its pixel size.
        source_mpx: Its pixels.
        working_mpx: Pixels of the working grid.
        graves: Graves on the map.
        wall_s: Seconds.
        core_s: Core-seconds.
        input_bytes: Size of orthophoto and DEM.
        read_bytes: Bytes read; 0 where the system does not count them.
        written_bytes: Bytes written, likewise.
        map_bytes: Size of the GeoPackage.
    """

    hectares: float
    gsd_m: float
    source_mpx: float
    working_mpx: float
    graves: int
    wall_s: float
    core_s: float
    input_bytes: int
    read_bytes: int
    written_bytes: int
    map_bytes: int


@dataclass(frozen=True)
class Fit:
    """Core-seconds of mapping: the straight line through the measured costs.

    Args:
        cemetery_s: Of each cemetery.
        source_mpx_s: Of each megapixel of the orthophoto.
        working_mpx_s: Of each megapixel of the working grid.
        error: Largest deviation from a measured cost, as a share of it.
    """

    cemetery_s: float
    source_mpx_s: float
    working_mpx_s: float
    error: float


def measure_costs(
    scenes: Sequence[tuple[float, float]] = SCENES, *, overviews: bool = False
) -> list[Cost]:
    """Map generated scenes by the starter model with one thread, one after the other.

    Args:
        scenes: Hectares and pixel size of each.
        overviews: The orthophotos have overviews.
    """
    gsd_m = starter_model().card.recipe.gsd_m
    costs = []
    with tempfile.TemporaryDirectory() as name:
        options = {"prediction.device": "cpu", "prediction.threads": 1, "work_dir": Path(name)}
        settings = load_settings(options=options, environ={}).settings
        model = ChosenModel(starter_model(), starter_model().card.decoding)
        mapper, engines = Mapper({True: model}, settings, overwrite=True), Engines()
        for number, (hectares, pixel_m) in enumerate((scenes[0], *scenes)):  # the first warms up
            place = Path(name, str(number))
            side = round(hectares**0.5 * 100 / pixel_m)
            write_scene(place, (side, side), pixel_m, overviews=overviews)
            (job,) = list_jobs([place], place)
            costs.append(_measure(mapper, engines, job, hectares, pixel_m, gsd_m))
    return costs[1:]


def fit_costs(costs: Sequence[Cost], grave_s: float) -> Fit:
    """Tell the costs apart.

    Args:
        costs: Measured ones, of several sizes and pixel sizes.
        grave_s: Core-seconds of each grave, known from elsewhere.
    """
    terms = np.array([(1.0, cost.source_mpx, cost.working_mpx) for cost in costs])
    spent = np.array([cost.core_s for cost in costs])
    left = spent - grave_s * np.array([cost.graves for cost in costs])
    # In shares of each cost, so that the small cemeteries count as much as the large ones.
    rates, _ = nnls(terms / spent[:, None], left / spent)
    return Fit(*rates, error=float(np.abs((terms @ rates - left) / spent).max()))


def _measure(
    mapper: Mapper, engines: Engines, job: Job, hectares: float, pixel_m: float, gsd_m: float
) -> Cost:
    with rasterio.open(job.orthophoto) as photo:
        source_mpx = photo.width * photo.height / 1e6
    inputs = [path for path in (job.orthophoto, job.dem) if path is not None]
    before, wall_s, core_s = _bytes(), perf_counter(), process_time()
    outcome = mapper.outcome(job, engines)
    core_s, wall_s, after = process_time() - core_s, perf_counter() - wall_s, _bytes()
    if outcome.error:
        raise RuntimeError(outcome.error)
    return Cost(
        hectares,
        pixel_m,
        source_mpx,
        hectares / (gsd_m * 10) ** 2,
        outcome.graves or 0,
        wall_s,
        core_s,
        sum(path.stat().st_size for path in inputs),
        after[0] - before[0],
        after[1] - before[1],
        job.out.stat().st_size,
    )


def _bytes() -> tuple[int, int]:
    """Return the bytes that this process has read and written, also from the disk cache."""
    counters = getattr(psutil.Process(), "io_counters", lambda: None)()
    return (getattr(counters, "read_chars", 0), getattr(counters, "write_chars", 0))
