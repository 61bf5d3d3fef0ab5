"""A cemetery of many in, its map and further files out, by models and options common to all.

A `Mapper` holds no open file and no network, so it can be sent to another process or computer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from grave_cli.batch.jobs import Job
from grave_cli.batch.outcomes import Outcome
from grave_cli.batch.run import map_job
from grave_cli.delivery.formats import FormatName, plan_files
from grave_cli.delivery.geopackage_seal import MapCounts, finished_map
from grave_cli.model.bundle import Bundle
from grave_cli.outputs import source_of
from grave_cli.progress import SILENT, Progress
from grave_cli.settings.mapping import DecodingSettings
from grave_cli.settings.tree import Settings
from grave_cli.vectors.areas import MapBounds

if TYPE_CHECKING:
    from grave_cli.mapping.engine import Engine


@dataclass(frozen=True)
class ChosenModel:
    """A model and the thresholds to use with it."""

    bundle: Bundle
    thresholds: DecodingSettings


class Engines:
    """Opens the engine of each model once."""

    def __init__(self) -> None:
        self._open: dict[str, Engine] = {}

    def of(self, bundle: Bundle, settings: Settings, progress: Progress) -> "Engine":
        """Return the engine of a model."""
        from grave_cli.mapping.engine import open_engine

        if bundle.sha256 not in self._open:
            self._open[bundle.sha256] = open_engine(bundle, settings.prediction, progress)
        return self._open[bundle.sha256]


@dataclass(frozen=True)
class Mapper:
    """Maps cemeteries by the same models and options.

    Args:
        models: The model for orthophotos with a DEM (True) and for those without (False).
        settings: The settings.
        formats: Formats of further files beside each GeoPackage.
        previews: Folder of the overviews; None writes none.
        reports: Folder of the report pages; None writes none.
        crs: CRS of the maps; None keeps those of the orthophotos.
        aoi: Polygon file: map only inside.
        bounds: Map only inside this rectangle.
        resume: Continue interrupted predictions.
        overwrite: Also map cemeteries that have a map, and replace files that gravecli would keep.
    """

    models: Mapping[bool, ChosenModel]
    settings: Settings
    formats: Sequence[FormatName] = ()
    previews: Path | None = None
    reports: Path | None = None
    crs: str | None = None
    aoi: Path | None = None
    bounds: MapBounds | None = None
    resume: bool = True
    overwrite: bool = False

    def outcome(self, job: Job, engines: Engines, progress: Progress = SILENT) -> Outcome:
        """Map a cemetery unless it is mapped already; a failure is part of the outcome.

        Args:
            job: The cemetery.
            engines: The engines that are open in this process.
            progress: Receives progress and notes.
        """
        map_one = partial(self._map, engines, progress)
        return map_job(job, self._finished, map_one, progress)

    def _finished(self, job: Job) -> MapCounts | None:
        files = [*plan_files(job.out, self.formats).values(), *self._pictures(job)]
        if self.overwrite or not all(path.is_file() for path in files if path):
            return None
        return finished_map(job.out, source_of(job.orthophoto), self._model(job).bundle.sha256)

    def _map(self, engines: Engines, progress: Progress, job: Job) -> MapCounts:
        from grave_cli.mapping.map_files import MapFiles
        from grave_cli.mapping.predict_cemetery import predict_cemetery

        settings, model = self.settings, self._model(job)
        files = MapFiles(
            job.orthophoto,
            job.out,
            self.formats,
            *self._pictures(job),
            crs=self.crs,
            data=settings.data,
            inputs={"--dem": job.dem, "--dtm": job.heights.dtm, "--aoi": self.aoi},
            overwrite=self.overwrite,
            settings=settings.output,
            work_dir=settings.work_dir,
        )
        files.check()
        result = predict_cemetery(
            job.orthophoto,
            job.dem,
            model.bundle,
            engines.of(model.bundle, settings, progress),
            settings,
            model.thresholds,
            progress,
            dtm=job.heights.dtm,
            aoi=self.aoi,
            bounds=self.bounds,
            resume=self.resume,
            receiver=files,
        )
        to_review = int(result.column("needs_review").sum())
        return MapCounts(len(result.polygons), to_review, len(result.candidates))

    def _pictures(self, job: Job) -> tuple[Path | None, Path | None]:
        """Return the overview and the report page of a cemetery."""
        preview = self.previews / f"{job.cemetery}.png" if self.previews else None
        return preview, self.reports / f"{job.cemetery}.html" if self.reports else None

    def _model(self, job: Job) -> ChosenModel:
        return self.models[job.dem is not None]
