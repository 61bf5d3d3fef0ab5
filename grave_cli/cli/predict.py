"""`gravecli predict-cemetery`."""

from pathlib import Path
from typing import Annotated

import typer

from grave_cli.cli import options


def predict_cemetery(
    orthophotos: Annotated[
        list[Path],
        typer.Argument(
            metavar="ORTHOPHOTO",
            help="Orthophoto of the cemetery (GeoTIFF), or its folder of OpenDroneMap or WebODM. "
            "Or several: files, folders, or @LIST, a text file with one orthophoto a line. With "
            "data.allow_remote, also https:// and s3:// addresses.",
        ),
    ],
    dem: Annotated[
        Path | None,
        typer.Option(
            help="DEM of the cemetery. Default: the one in the sibling folder dems/, or beside the "
            "orthophoto if its name ends in _dem, _dsm or _dtm."
        ),
    ] = None,
    dtm: Annotated[
        Path | None,
        typer.Option(
            help="DTM, the ground below the DEM: heights of graves are measured from it. Default: "
            "without --dem, the one beside the DEM whose name ends in _dtm."
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
            help=f"Model: {options.MODEL_NAME}. Default: your newest that fits, else starter.",
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
        typer.Option(help="Previous survey: keep its grave ids and columns, and show the changes."),
    ] = None,
    aoi: Annotated[
        Path | None, typer.Option(help="Polygon file (GeoPackage, GeoJSON, …): map only inside.")
    ] = None,
    bounds: Annotated[
        str | None,
        typer.Option(
            metavar="L,B,R,T",
            help="Map only inside this rectangle: left, bottom, right, top in the CRS of the "
            "orthophoto, or in that of a fifth value such as EPSG:4326.",
        ),
    ] = None,
    crs: Annotated[
        str | None,
        typer.Option(
            metavar="EPSG:…",
            help="CRS of the output (also --dst-crs). Default: that of the orthophoto.",
        ),
    ] = None,
    dst_crs: Annotated[
        # Hidden: two names in one row would leave the help texts too little space.
        str | None, typer.Option(metavar="EPSG:…", hidden=True)
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(
            metavar="auto|cpu|cuda|mps",
            help="Device that computes. Default: prediction.device in the settings (auto).",
        ),
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
    ray: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Several orthophotos: map them on a Ray cluster, whose computers see the same "
            "files: HOST:PORT of its head, auto (the cluster of this computer), or local (start "
            "one on this computer).",
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

    from grave_cli.api.prediction import Extent, choose_heights, map_into
    from grave_cli.batch.jobs import are_many, single_orthophoto
    from grave_cli.cli.addresses import as_link
    from grave_cli.cli.prediction_lines import print_summary
    from grave_cli.dataset.named_files import cemetery_name
    from grave_cli.delivery.formats import parse_formats
    from grave_cli.mapping.map_files import MapFiles
    from grave_cli.vectors.areas import parse_bounds

    options.refuse_both("--crs", crs, "--dst-crs", dst_crs)
    target_crs = options.read_crs(crs or dst_crs)  # a wrong one fails before the work
    names = parse_formats(formats or ())
    extent = Extent(aoi, None if bounds is None else parse_bounds(bounds), resume)
    chosen = {"prediction.device": device, "prediction.tta": tta, "output.language": lang}
    loaded = options.load(config, assignments, chosen)
    links = partial(as_link, work_dir=loaded.settings.work_dir)
    orthophotos = [links(path) for path in orthophotos]
    dem, dtm = (links(path) if path else None for path in (dem, dtm))
    progress = options.show_progress(quiet, verbose)
    if are_many(orthophotos):
        from grave_cli.cli.predict_many import ManyCemeteries, refuse_single_options

        refuse_single_options(dem=dem, dtm=dtm, truth=truth, previous=previous)
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
            extent=extent,
            ray=ray,
            overwrite=overwrite,
            loaded=loaded,
            progress=progress,
        )
        raise typer.Exit(many.run(json))
    _refuse_many_options(dem_dir=dem_dir, shard=shard, ray=ray)
    orthophoto = single_orthophoto(orthophotos[0])
    heights = choose_heights(orthophoto, dem, dtm)
    inputs = {"--dem": heights.files.dem, "--dtm": heights.files.dtm}
    inputs |= {"--aoi": aoi, "--config": config}
    files = MapFiles(
        orthophoto,
        out or Path(f"{cemetery_name(orthophoto)}.gpkg"),
        names,
        preview,
        report,
        crs=target_crs,
        truth=truth,
        data=loaded.settings.data,
        previous=previous,
        all_settings=loaded.settings,
        inputs=inputs,
        overwrite=overwrite,
        settings=loaded.settings.output,
        work_dir=loaded.settings.work_dir,
    )
    map_into(files, heights, model, loaded, extent, progress)
    print_summary(files.summary, json, progress)


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
