"""`gravecli predict-cemetery`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from grave_cli.cli import options

if TYPE_CHECKING:
    from grave_cli.mapping.result import PredictionResult
    from grave_cli.progress import Progress
    from grave_cli.settings.load import LoadedSettings
    from grave_cli.settings.mapping import DecodingSettings
    from grave_cli.settings.tree import Settings
    from grave_cli.tracking.models import FoundModel


def predict_cemetery(
    orthophotos: Annotated[
        list[Path],
        typer.Argument(
            metavar="ORTHOPHOTO",
            help="Orthophoto of the cemetery (GeoTIFF). Or several: files, folders, or @LIST, a "
            "text file with one orthophoto a line. With data.allow_remote, also https:// and "
            "s3:// addresses.",
        ),
    ],
    dem: Annotated[
        Path | None,
        typer.Option(
            help="DEM of the cemetery. Default: the one in the sibling folder dems/, or beside the "
            "orthophoto if its name ends in _dem, _dsm or _dtm."
        ),
    ] = None,
    dem_dir: Annotated[
        Path | None,
        typer.Option(help="Several orthophotos: folder of their DEMs, by the same names."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help=f"Model: {options.MODEL_NAME}. Default: the newest that fits, or else starter.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Map to write. Default: <cemetery>.gpkg in this folder. Several orthophotos: "
            "folder of the maps."
        ),
    ] = None,
    formats: options.Formats = None,
    lang: options.Lang = None,
    preview: Annotated[
        Path | None,
        typer.Option(help="PNG overview to write. Several orthophotos: folder of the overviews."),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            help="HTML page to write: map, review queue with pictures, table. Several orthophotos: "
            "folder of the pages."
        ),
    ] = None,
    truth: Annotated[
        Path | None,
        typer.Option(help="Ground truth: score the map against it and draw it in the preview."),
    ] = None,
    previous: Annotated[
        Path | None,
        typer.Option(
            help="Previous survey: keep its grave ids and columns, and show what has changed."
        ),
    ] = None,
    aoi: Annotated[
        Path | None, typer.Option(help="Polygon file (GeoPackage, GeoJSON, …): map only inside.")
    ] = None,
    crs: Annotated[
        str | None,
        typer.Option(metavar="EPSG:…", help="CRS of the output. Default: that of the orthophoto."),
    ] = None,
    device: Annotated[
        str | None, typer.Option(metavar="auto|cpu|cuda|mps", help="Device for prediction.")
    ] = None,
    tta: Annotated[
        int | None,
        typer.Option(
            metavar="1|4|8", help="Test-time augmentation: average over this many orientations."
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option(help="Continue an interrupted prediction of the same orthophoto.")
    ] = True,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="I/N",
            help="Several orthophotos: map every N-th from the I-th on, so that N processes share "
            "the work. Default: the task of a Slurm job array.",
        ),
    ] = None,
    overwrite: options.Overwrite = False,
    config: options.Config = None,
    assignments: options.Assignments = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Map the graves of orthophotos: GeoPackages that open styled in QGIS, or other formats.

    Several orthophotos: one failure does not stop the rest, cemeteries that have a map by the same
    model are skipped unless --overwrite is given, and a summary is written beside the maps.
    """
    from functools import partial

    from grave_cli.batch.jobs import are_many
    from grave_cli.cli.addresses import as_link
    from grave_cli.cli.prediction_lines import print_summary
    from grave_cli.dataset.named_files import cemetery_name, sibling_dem
    from grave_cli.delivery.formats import parse_formats
    from grave_cli.mapping.map_files import MapFiles
    from grave_cli.rasters.georeference import parse_crs

    target_crs = parse_crs(crs) if crs else None  # a wrong one fails before the work
    names = parse_formats(formats or ())
    chosen = {"prediction.device": device, "prediction.tta": tta, "output.language": lang}
    loaded = options.load(config, assignments, chosen)
    links = partial(as_link, work_dir=loaded.settings.work_dir)
    orthophotos = [links(path) for path in orthophotos]
    dem = links(dem) if dem else None
    progress = options.show_progress(quiet, verbose)
    if are_many(orthophotos):
        from grave_cli.cli.predict_many import ManyCemeteries, refuse_single_options

        refuse_single_options(dem=dem, truth=truth, previous=previous)
        many = ManyCemeteries(
            orthophotos,
            out or Path(),
            names,
            dem_dir,
            preview,
            report,
            shard,
            model,
            crs=target_crs,
            aoi=aoi,
            resume=resume,
            overwrite=overwrite,
            loaded=loaded,
            progress=progress,
        )
        raise typer.Exit(many.run(json))
    _refuse_many_options(dem_dir=dem_dir, shard=shard)
    orthophoto = orthophotos[0]
    named_dem, dem = dem, dem or sibling_dem(orthophoto)
    files = MapFiles(
        orthophoto,
        out or Path(f"{cemetery_name(orthophoto)}.{names[0] if names else 'gpkg'}"),
        names,
        preview,
        report,
        crs=target_crs,
        truth=truth,
        data=loaded.settings.data,
        previous=previous,
        all_settings=loaded.settings,
        inputs={"--dem": dem, "--aoi": aoi, "--config": config},
        overwrite=overwrite,
        settings=loaded.settings.output,
        work_dir=loaded.settings.work_dir,
    )
    files.check()
    if named_dem is None:
        progress.note(f"DEM: {dem}" if dem else "DEM: none (name one with --dem)")
    found = find_model(model, dem is not None, loaded.settings, progress)
    thresholds = chosen_thresholds(loaded, found)
    how = {"aoi": aoi, "resume": resume, "receiver": files}
    _predict(orthophoto, dem, found, loaded.settings, thresholds, progress, **how)
    print_summary(files.summary, json)


def _refuse_many_options(**given: object) -> None:
    from grave_cli.errors import SettingsError

    for name, value in given.items():
        if value is not None:
            option = f"--{name.replace('_', '-')}"
            raise SettingsError(
                f"{option} belongs to several orthophotos",
                found="one",
                remedy=f"leave {option} out, or name a folder or a list",
            )


def find_model(
    name: str | None, with_dem: bool, settings: "Settings", progress: "Progress"
) -> "FoundModel":
    """Find the model to map with, and report it.

    Args:
        name: Name of a model; None takes the newest that fits, or the starter.
        with_dem: Whether there is a DEM.
        settings: Tracking store.
        progress: Receives notes.
    """
    from grave_cli.model.shipped import STARTER
    from grave_cli.tracking.models import own_or_starter, resolve_model

    found = resolve_model(name, settings) if name else own_or_starter(with_dem, settings)
    card = found.bundle.card
    scores = ", ".join(f"{key} {card.metrics[key]:.3f}" for key in _SHOWN if key in card.metrics)
    progress.note(
        f"Model: {found.origin} ({card.recipe.channels}, data {card.dataset_id}, {scores})"
    )
    if found.advice:
        progress.warn(found.advice)
    elif name is None and card.name == STARTER:
        progress.note(
            f"No model of your own fits. {card.about['expect']} To map better, correct the map of "
            "one or two cemeteries and run `gravecli train`"
        )
    return found


_SHOWN = ("val/dice", "val/object_f1", "test/object_f1")


def chosen_thresholds(loaded: "LoadedSettings", found: "FoundModel") -> "DecodingSettings":
    """Take the thresholds of the model, except for thresholds that the user set."""
    chosen = loaded.settings.prediction.decoding.model_dump()
    own = {key: chosen[key] for key in chosen if f"prediction.decoding.{key}" in loaded.origins}
    return found.bundle.card.decoding.model_copy(update=own)


def _predict(
    orthophoto: Path,
    dem: Path | None,
    found: "FoundModel",
    settings: "Settings",
    thresholds: "DecodingSettings",
    progress: "Progress",
    **how: Any,
) -> "PredictionResult":
    from grave_cli.mapping.engine import open_engine
    from grave_cli.mapping.predict_cemetery import predict_cemetery as run

    card = found.bundle.card
    if card.recipe.elevation is None and dem is not None:
        progress.note("The model takes rgb only; the DEM is used for grave heights alone")
    engine = open_engine(found.bundle, settings.prediction, progress)
    return run(orthophoto, dem, found.bundle, engine, settings, thresholds, progress, **how)
