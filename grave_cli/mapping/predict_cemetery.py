"""The room in one call: model and orthophoto in, graves out.

The steps are functions of their own, so that a training can run the network once over a cemetery
and extract its graves several times: `mapped_scene`, `extract_graves`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from grave_cli import __version__
from grave_cli.delivery.geopackage_seal import DEM_KEY, DTM_KEY, ORTHOPHOTO_KEY
from grave_cli.errors import RasterReadError
from grave_cli.mapping.engine import Engine
from grave_cli.mapping.extract_graves import extract_graves
from grave_cli.mapping.model_fit import check_fit
from grave_cli.mapping.probability_map import ProbabilityMap
from grave_cli.mapping.read_ahead import small_block_cache
from grave_cli.mapping.result import PredictionResult
from grave_cli.mapping.scene import Scene, open_scene
from grave_cli.mapping.scratch import prediction_key, scratch
from grave_cli.mapping.stream import map_probabilities, plan_scene
from grave_cli.mapping.tiling import measure_speeds
from grave_cli.model.bundle import Bundle
from grave_cli.outputs import source_of
from grave_cli.progress import SILENT, Progress
from grave_cli.settings.mapping import DecodingSettings
from grave_cli.settings.tree import Settings
from grave_cli.vectors.areas import Area, MapBounds, both_areas, bounds_area, read_area

_SPARSE_SHARE = 0.15  # of the frame; a flight fills more of it, unless the mask is inverted
_WORTH_MEASURING_MPX = 50  # below this, measuring tile speeds takes longer than it saves


class Receiver(Protocol):
    """Takes the graves of a cemetery while its work can still be repeated cheaply."""

    def prepare(self, scene: Scene) -> None:
        """Check everything the result will be used for; called before the network runs."""

    def receive(self, result: PredictionResult) -> None:
        """Take the result; if this fails, the finished sections are kept for the next try."""


def predict_cemetery(
    orthophoto: Path,
    dem: Path | None,
    bundle: Bundle,
    engine: Engine,
    settings: Settings,
    decoding: DecodingSettings | None = None,
    progress: Progress = SILENT,
    *,
    dtm: Path | None = None,
    aoi: Path | None = None,
    bounds: MapBounds | None = None,
    resume: bool = True,
    receiver: Receiver | None = None,
) -> PredictionResult:
    """Map the graves of one cemetery.

    Args:
        orthophoto: RGB(A) image.
        dem: Heights; None if there are none.
        bundle: The model; its recipe and thresholds are used.
        engine: Runs the model.
        settings: Tiles and outlines.
        decoding: Thresholds that replace the model's.
        progress: Receives progress and notes.
        dtm: Heights of the ground below the DEM; None if there are none.
        aoi: Vector file with the area to map; None maps everything. A grave belongs to the area if
            its centroid does.
        bounds: Rectangle to map; None maps everything. With `aoi`, the common part is mapped.
        resume: Continue an earlier run of the same prediction that was killed.
        receiver: Prepares for the result and takes it. Its errors pass through.

    Raises:
        DatasetError: The area cannot be read, or lies outside the orthophoto.
        GridError: No working grid can be laid on the orthophoto.
        ModelError: The cemetery does not fit the model: heights are missing, or 16-bit values
            differ from the training data.
        RasterReadError: A raster cannot be used, or the orthophoto has no valid pixel.
    """
    with small_block_cache():
        scene = open_scene(orthophoto, dem, bundle.card.recipe, settings.grid.max_upsampling, dtm)
    for note in check_fit(scene, bundle.card):
        progress.warn(note)
    scene = replace(scene, aoi=_area(scene, aoi, bounds))
    if receiver is not None:
        receiver.prepare(scene)
    thresholds = decoding or bundle.card.decoding
    provenance = describe_origin(scene, bundle, thresholds, engine.name)
    provenance["aoi"] = aoi.name if aoi else ""
    provenance["bounds"] = bounds.text if bounds else ""
    with (
        small_block_cache(),
        mapped_scene(scene, bundle, engine, settings, progress, resume=resume) as probabilities,
    ):
        result = extract_graves(
            probabilities,
            scene,
            thresholds,
            settings,
            provenance,
            bundle.card.calibration,
            bundle.card.review,
            progress,
        )
        if result.coverage.is_empty:  # tiles of an area show something beyond it, too
            raise RasterReadError(
                "orthophoto shows nothing",
                where=orthophoto,
                found=f"no valid pixel{' in the area to map' if scene.aoi else ''}",
                expected="an image",
                remedy="check its alpha channel, mask or nodata value",
            )
        if scene.aoi is None and result.computed_share < _SPARSE_SHARE:
            progress.warn(
                f"{orthophoto}: shows something in only {result.computed_share:.0%} of its frame; "
                "if that is too little, check its alpha channel, mask or nodata value"
            )
        if receiver is not None:
            receiver.receive(result)
        return result


def _area(scene: Scene, aoi: Path | None, bounds: MapBounds | None) -> Area | None:
    """Return the area to map, from a file, a rectangle or both; None for everything."""
    of_file = None if aoi is None else read_area(aoi, scene.grid)
    crs = scene.orthophoto.georeference.file_crs
    box = None if bounds is None else bounds_area(bounds, scene.grid, crs)
    return both_areas(of_file, box)


@contextmanager
def mapped_scene(
    scene: Scene,
    bundle: Bundle,
    engine: Engine,
    settings: Settings,
    progress: Progress = SILENT,
    *,
    resume: bool = True,
    held_mpx: float = 0.0,
) -> Iterator[ProbabilityMap]:
    """Run a model over a scene; the probabilities of a large one are files while the block runs.

    Args:
        scene: Scene at the model's GSD.
        bundle: The model.
        engine: Runs the model.
        settings: Tiles, memory, cache.
        progress: Receives the working pixels done, in Mpx.
        resume: Use sections left by an earlier run of the same prediction.
        held_mpx: Working pixels of other maps held at the same time, in Mpx; they count towards
            `prediction.memory_mpx`.

    Raises:
        RasterReadError: A file is damaged.
    """
    prediction, cache = settings.prediction, settings.work_dir / "cache"
    megapixels = scene.grid.megapixels
    if held_mpx + megapixels <= prediction.memory_mpx:
        yield map_probabilities(scene, engine, prediction, progress)
        return
    speeds = None
    if not prediction.tile_px and megapixels >= _WORTH_MEASURING_MPX:
        progress.note("Measuring which tiles are fastest on this machine")
        channels = scene.recipe.channel_count
        speeds = measure_speeds(
            engine, channels, prediction, cache / "tile-speeds.json", bundle.sha256
        )
    plan = plan_scene(scene, engine, prediction, speeds)
    key = prediction_key(scene, plan.tiling, bundle.sha256, engine.name)
    with scratch(cache / "predictions", key, resume=resume) as shelf:
        yield map_probabilities(scene, engine, prediction, progress, plan=plan, shelf=shelf)


def describe_origin(
    scene: Scene, bundle: Bundle, decoding: DecodingSettings, engine: str
) -> dict[str, Any]:
    """Describe where a map comes from: inputs, model, engine, thresholds, settings.

    Args:
        scene: The mapped scene.
        bundle: The model.
        decoding: Thresholds in use.
        engine: Name of the engine.
    """
    card = bundle.card
    dtm = scene.dem and scene.dem.terrain
    return {
        "gravecli_version": __version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "orthophoto": scene.orthophoto.name,
        ORTHOPHOTO_KEY: source_of(scene.orthophoto.path),
        "dem": scene.dem.name if scene.dem else "",
        DEM_KEY: source_of(scene.dem.path) if scene.dem else "",
        "dtm": dtm.name if dtm else "",
        DTM_KEY: source_of(dtm.path) if dtm else "",
        "model": card.name,
        "model_sha256": bundle.sha256,
        "mlflow_run": card.run_id,
        "dataset_id": card.dataset_id,
        "engine": engine,
        "gsd_m": scene.grid.gsd_m,
        "crs": scene.grid.crs,
        "thresholds": decoding.model_dump_json(),
        "settings": card.model_dump_json(include={"settings"}),
    }
