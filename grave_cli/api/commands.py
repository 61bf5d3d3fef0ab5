"""The commands of gravecli as functions of Python, with the same names.

Arguments are those of the commands, paths as text or `Path`. Everything heavy is imported when a
function runs. A wrong input raises an error of `grave_cli.errors`, which reads as one line.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from grave_cli.api.listeners import Listening, listen
from grave_cli.api.map_result import as_map, map_place
from grave_cli.api.prepared import PathLike, SettingsLike, optional_path, resolve
from grave_cli.api.results import CemeteryMap, Graves, graves_in
from grave_cli.errors import DatasetError

if TYPE_CHECKING:
    from grave_cli.dataset.identity.dataset_id import Fingerprint
    from grave_cli.doctor.report import CheckReport
    from grave_cli.evaluation.evaluate import Evaluation
    from grave_cli.sample_data.write import SampleCemetery
    from grave_cli.training.trainer import TrainingResult

Bounds = tuple[float, float, float, float]


def check(
    data: PathLike | None = None,
    *,
    channels: Literal["rgb", "rgb+dem"] | None = None,
    settings: SettingsLike = None,
    progress: Listening = None,
) -> "CheckReport":
    """Check a data folder for problems before training; faults become findings.

    Args:
        data: Data folder. Default: `data.root` in the settings.
        channels: Input: orthophoto alone, or with DEM.
        settings: Settings; see `grave_cli.api.prepared.resolve`.
        progress: See `grave_cli.api.listeners.listen`.
    """
    from grave_cli.doctor.examine import examine

    chosen = {"data.root": optional_path(data), "data.channels": channels}
    return examine(resolve(settings, chosen).settings, listen(progress))


def dataset_id(
    data: PathLike | None = None,
    *,
    content: bool = False,
    settings: SettingsLike = None,
    progress: Listening = None,
) -> "Fingerprint":
    """Compute the id of a data set, with the list of its files.

    Args:
        data: Data folder. Default: `data.root` in the settings.
        content: Hash file contents instead of sizes and times.
        settings: Settings; see `grave_cli.api.prepared.resolve`.
        progress: See `grave_cli.api.listeners.listen`.

    Raises:
        DatasetError: The folder cannot be used, or a file is missing.
    """
    from grave_cli.dataset.identity.dataset_id import content_fingerprint, fingerprint
    from grave_cli.dataset.manifest import manifest_of

    found = resolve(settings, {"data.root": optional_path(data)}).settings
    manifest = manifest_of(found.data)
    if not content:
        return fingerprint(manifest)
    cache = found.work_dir / "cache" / "content-hashes.json"
    return content_fingerprint(manifest, cache, listen(progress))


def train(
    data: PathLike | None = None,
    *,
    channels: Literal["rgb", "rgb+dem"] | None = None,
    epochs: int | None = None,
    max_time: str | float | None = None,
    seed: int | None = None,
    name: str | None = None,
    resume: str | None = None,
    init_from: PathLike | None = None,
    settings: SettingsLike = None,
    progress: Listening = None,
) -> "TrainingResult":
    """Train a model on a data folder and record it in MLflow.

    Args:
        data: Data folder. Default: `data.root` in the settings.
        channels: Input: orthophoto alone, or with DEM.
        epochs: Maximum number of epochs.
        max_time: Time limit, such as "30m"; a number is in seconds.
        seed: Random seed.
        name: Name of the run. Default: channels and time.
        resume: Name of an interrupted run to continue, with its own settings.
        init_from: Name of a model to start from. Default: `model.start` in the settings.
        settings: Settings; see `grave_cli.api.prepared.resolve`.
        progress: See `grave_cli.api.listeners.listen`.

    Returns:
        The run, its scores and its data set; `predict_cemetery(model=...)` takes it.

    Raises:
        GraveError: Data, settings, model weights or stores cannot be used, or the training failed.
    """
    from grave_cli.api.quiet import quiet_libraries
    from grave_cli.api.training import begin_training, check_names, train_model
    from grave_cli.settings.durations import parse_duration

    start = None if init_from is None else str(init_from)
    check_names(name, resume, start)
    chosen = {
        "data.root": optional_path(data),
        "data.channels": channels,
        "training.epochs": epochs,
        "training.max_time_s": parse_duration(max_time),
        "training.seed": seed,
        "model.start": start,
    }
    listener = listen(progress)
    with quiet_libraries():
        begun, unfinished = begin_training(resolve(settings, chosen), resume, listener)
        return train_model(begun, unfinished, name, listener)


def predict_cemetery(
    orthophoto: PathLike,
    *,
    dem: PathLike | None = None,
    dtm: PathLike | None = None,
    model: "PathLike | TrainingResult | None" = None,
    out: PathLike | None = None,
    formats: Sequence[str] = (),
    lang: Literal["en", "de"] | None = None,
    preview: PathLike | None = None,
    report: PathLike | None = None,
    truth: PathLike | None = None,
    previous: PathLike | None = None,
    aoi: PathLike | None = None,
    bounds: Bounds | str | None = None,
    crs: str | None = None,
    device: str | None = None,
    tta: int | None = None,
    resume: bool = True,
    overwrite: bool = False,
    settings: SettingsLike = None,
    progress: Listening = None,
) -> CemeteryMap:
    """Map the graves of an orthophoto. Without `out`, no map is written.

    Args:
        orthophoto: RGB(A) image, or the folder of a WebODM or OpenDroneMap project.
        dem: Its DEM. Default: the one in the sibling folder dems/, or beside it.
        dtm: The ground below the DEM. Default: without `dem`, the one beside the DEM.
        model: A training's result, or `starter`, a folder, name or id of a run, or a registered
            model. Default: the newest that fits, or else starter.
        out: Map to write; its ending tells the format.
        formats: Formats of further files beside `out`.
        lang: Language of legends, titles and descriptions.
        preview: PNG overview to write.
        report: HTML page to write.
        truth: Ground truth to score the map against.
        previous: Previous survey, whose ids and columns the map keeps.
        aoi: Polygon file: map only inside.
        bounds: Map only inside (left, bottom, right, top), in the CRS of the orthophoto; as text,
            a CRS may follow: "11.5,48.1,11.6,48.2,EPSG:4326".
        crs: CRS of the result. Default: that of the orthophoto.
        device: auto, cpu, cuda or mps.
        tta: Test-time augmentation: average over 1, 4 or 8 orientations.
        resume: Continue an interrupted prediction of the same orthophoto.
        overwrite: Also replace files that gravecli would keep.
        settings: Settings; see `grave_cli.api.prepared.resolve`.
        progress: See `grave_cli.api.listeners.listen`.

    Raises:
        GraveError: An input cannot be used, or an output cannot be written.
    """
    from grave_cli.api.prediction import Extent, choose_heights, map_into
    from grave_cli.batch.jobs import single_orthophoto
    from grave_cli.delivery.formats import parse_formats
    from grave_cli.mapping.map_files import MapFiles
    from grave_cli.rasters.crs import parse_crs
    from grave_cli.vectors.areas import parse_bounds

    chosen = {"prediction.device": device, "prediction.tta": tta, "output.language": lang}
    target = parse_crs(crs) if crs else None
    names = parse_formats(formats)
    extent = Extent(optional_path(aoi), None if bounds is None else parse_bounds(bounds), resume)
    loaded, listener = resolve(settings, chosen), listen(progress)
    photo = single_orthophoto(Path(orthophoto))
    heights = choose_heights(photo, optional_path(dem), optional_path(dtm))
    inputs = {"--dem": heights.files.dem, "--dtm": heights.files.dtm, "--aoi": extent.aoi}
    with map_place(optional_path(out), names) as place:
        files = MapFiles(
            photo,
            place,
            names,
            optional_path(preview),
            optional_path(report),
            crs=target,
            truth=optional_path(truth),
            data=loaded.settings.data,
            previous=optional_path(previous),
            all_settings=loaded.settings,
            inputs=inputs,
            overwrite=overwrite,
            settings=loaded.settings.output,
            work_dir=loaded.settings.work_dir,
        )
        map_into(files, heights, _model_name(model), loaded, extent, listener)
        return as_map(files, is_written=out is not None)


def evaluate(
    prediction: PathLike | CemeteryMap,
    truth: PathLike,
    *,
    by_attribute: str = "",
    area: PathLike | None = None,
    prediction_layer: str = "",
    truth_layer: str | None = None,
    settings: SettingsLike = None,
) -> "Evaluation":
    """Score a map against ground truth, in true metres.

    Args:
        prediction: Predicted graves: a vector file, or a map that was written.
        truth: Ground truth: a vector file in any CRS.
        by_attribute: Column of the truth; also report the score for each of its values.
        area: Polygon file: score only graves with their centroid inside.
        prediction_layer: Layer of the prediction. Default: graves, or the only polygon layer.
        truth_layer: Layer of the truth. Default: `data.annotation_layer` in the settings.
        settings: Settings; see `grave_cli.api.prepared.resolve`.

    Returns:
        The evaluation; `scorecard` holds the numbers, `as_dict()` all of them.

    Raises:
        DatasetError: A file cannot be used, or the files are of different places.
    """
    from grave_cli.evaluation.evaluate import evaluate_files

    path = prediction.path if isinstance(prediction, CemeteryMap) else Path(prediction)
    if path is None:
        raise DatasetError("the map was not written", remedy="name a file with out=")
    data = resolve(settings, {"data.annotation_layer": truth_layer}).settings.data
    return evaluate_files(
        path,
        Path(truth),
        data,
        prediction_layer=prediction_layer,
        attribute=by_attribute,
        area=optional_path(area),
    )


def read_graves(path: PathLike, *, layer: str = "", crs: str | None = None) -> Graves:
    """Read the graves of a map, of annotations or of any other vector file, as they are in it.

    Args:
        path: A vector file.
        layer: Its layer. Default: `graves`, or the only polygon layer.
        crs: CRS of the outlines. Default: that of the layer.

    Raises:
        DatasetError: The file or the layer cannot be read.
        GridError: There is no such CRS.
    """
    from grave_cli.rasters.crs import parse_crs
    from grave_cli.vectors.vector_io import GRAVE_LAYER, LayerChoice, read_features

    choice = LayerChoice(layer, preferred=GRAVE_LAYER, named_with="layer")
    file = Path(path)
    target = parse_crs(crs) if crs else None
    return graves_in(file, read_features(file, target, choice, columns=None))


def write_sample_data(
    folder: PathLike = "data",
    *,
    cemeteries: int = 4,
    size_m: float = 40.0,
    seed: int = 0,
    crs: str = "EPSG:25832",
    variety: str | None = None,
    progress: Listening = None,
) -> "tuple[SampleCemetery, ...]":
    """Generate sample cemeteries, as `gravecli sample-data` does.

    Args:
        folder: Data folder to create.
        cemeteries: Number of cemeteries.
        size_m: Edge of a cemetery, in metres.
        seed: Random seed: another one gives other cemeteries.
        crs: Projected CRS of the files.
        variety: Preset of varied scenes; None for the default look.
        progress: See `grave_cli.api.listeners.listen`.

    Raises:
        GraveError: The folder holds other files, or a preset or CRS is unknown.
    """
    from grave_cli.sample_data.write import write_sample_data as write

    return tuple(
        write(
            Path(folder),
            cemeteries=cemeteries,
            size_m=size_m,
            seed=seed,
            crs=crs,
            variety=variety,
            progress=listen(progress),
        )
    )


def _model_name(model: Any) -> str | None:
    if model is None:
        return None
    return str(getattr(model, "run_id", model))
