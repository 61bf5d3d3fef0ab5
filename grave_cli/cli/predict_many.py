"""`gravecli predict-cemetery` for several orthophotos: one map each, and a summary."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from grave_cli.errors import SettingsError
from grave_cli.wording import counted

if TYPE_CHECKING:
    from grave_cli.api.prediction import Extent
    from grave_cli.batch.jobs import Job, Shard
    from grave_cli.batch.outcomes import Outcome
    from grave_cli.delivery.formats import FormatName
    from grave_cli.delivery.geopackage_seal import MapCounts
    from grave_cli.mapping.engine import Engine
    from grave_cli.progress import Progress
    from grave_cli.settings.load import LoadedSettings
    from grave_cli.tracking.models import FoundModel


@dataclass
class ManyCemeteries:
    """Maps many cemeteries: every model is opened once, and one failure does not stop the rest.

    Args:
        given: Orthophotos, folders and lists.
        out: Folder of the maps.
        formats: Formats of further files beside each GeoPackage.
        dem_folder: Where the DEMs lie; None takes those of the data layout.
        previews: Folder of the overviews; None writes none.
        reports: Folder of the report pages; None writes none.
        shard: The share to map; None maps all, or in a Slurm job array the share of the task.
        model: Name of the model; None chooses by the channels at hand.
        crs: CRS of the maps; None keeps those of the orthophotos.
        extent: Map only inside, and continue interrupted predictions.
        overwrite: Also map cemeteries that have a map, and replace files that gravecli would keep.
        loaded: The settings.
        progress: Receives progress and notes.
    """

    given: Sequence[Path]
    out: Path
    formats: "Sequence[FormatName]"
    dem_folder: Path | None
    previews: Path | None
    reports: Path | None
    shard: str | None
    model: str | None
    crs: str | None
    extent: "Extent"
    overwrite: bool
    loaded: "LoadedSettings"
    progress: "Progress"
    _models: dict[bool, "FoundModel"] = field(default_factory=dict, init=False)
    _engines: dict[str, "Engine"] = field(default_factory=dict, init=False)

    def run(self, json: bool) -> int:
        """Map all cemeteries, and print and write the summary.

        Args:
            json: Print it as JSON.

        Returns:
            The exit code: 1 if a cemetery failed.
        """
        from grave_cli.batch.outcomes import Summary
        from grave_cli.batch.run import map_jobs
        from grave_cli.delivery.formats import shortcomings

        jobs = self._jobs
        self._find_models(jobs)
        summary = Summary.in_folder(self.out, self._shard)
        folders = {"--out": self.out, "--preview": self.previews, "--report": self.reports}
        for option, folder in folders.items():
            if folder:
                _make_folder(folder, option)
        summary.check([job.orthophoto for job in jobs], overwrite=self.overwrite)
        for note in shortcomings(self.formats, self.crs):
            self.progress.note(note)
        outcomes: list[Outcome] = []
        for outcome in map_jobs(jobs, self._finished, self._map, self.progress):
            outcomes.append(outcome)
            summary.write(outcomes)
        _show(outcomes, summary.csv, json)
        return int(any(outcome.state == "failed" for outcome in outcomes))

    @cached_property
    def _jobs(self) -> "tuple[Job, ...]":
        from functools import partial

        from grave_cli.batch.jobs import list_jobs
        from grave_cli.cli.addresses import as_link

        link = partial(as_link, work_dir=self.loaded.settings.work_dir)
        jobs = list_jobs(self.given, self.out, self.dem_folder, link)
        if self._shard is None:
            return jobs
        taken = self._shard.take(jobs)
        self.progress.note(f"Shard {self._shard}: {len(taken)} of {counted(len(jobs), 'cemetery')}")
        return taken

    @cached_property
    def _shard(self) -> "Shard | None":
        from grave_cli.batch.jobs import read_shard, slurm_shard

        return read_shard(self.shard) if self.shard else slurm_shard()

    def _find_models(self, jobs: "Sequence[Job]") -> None:
        """Find the models before the work: for orthophotos with a DEM and for those without."""
        from grave_cli.api.prediction import find_model
        from grave_cli.progress import SILENT

        for with_dem in sorted({job.dem is not None for job in jobs}, reverse=True):
            # The second search is reported only if it finds another model.
            progress = SILENT if self._models else self.progress
            found = find_model(self.model, with_dem, self.loaded.settings, progress)
            if any(other.bundle.sha256 != found.bundle.sha256 for other in self._models.values()):
                self.progress.note(f"Model for orthophotos without a DEM: {found.origin}")
            self._models[with_dem] = found

    def _finished(self, job: "Job") -> "MapCounts | None":
        from grave_cli.delivery.formats import plan_files
        from grave_cli.delivery.geopackage_seal import finished_map
        from grave_cli.outputs import source_of

        files = plan_files(job.out, self.formats).values()
        if self.overwrite or not all(path.is_file() for path in files):
            return None
        model = self._models[job.dem is not None].bundle
        return finished_map(job.out, source_of(job.orthophoto), model.sha256)

    def _map(self, job: "Job") -> "MapCounts":
        from grave_cli.api.prediction import chosen_thresholds
        from grave_cli.delivery.geopackage_seal import MapCounts
        from grave_cli.mapping.map_files import MapFiles
        from grave_cli.mapping.predict_cemetery import predict_cemetery

        settings = self.loaded.settings
        found = self._models[job.dem is not None]
        files = MapFiles(
            job.orthophoto,
            job.out,
            self.formats,
            self.previews / f"{job.cemetery}.png" if self.previews else None,
            self.reports / f"{job.cemetery}.html" if self.reports else None,
            crs=self.crs,
            data=settings.data,
            inputs={"--dem": job.dem, "--dtm": job.heights.dtm, "--aoi": self.extent.aoi},
            overwrite=self.overwrite,
            settings=settings.output,
            work_dir=settings.work_dir,
        )
        files.check()
        result = predict_cemetery(
            job.orthophoto,
            job.dem,
            found.bundle,
            self._open(found),
            settings,
            chosen_thresholds(self.loaded, found),
            self.progress,
            dtm=job.heights.dtm,
            aoi=self.extent.aoi,
            bounds=self.extent.bounds,
            resume=self.extent.resume,
            receiver=files,
        )
        to_review = int(result.column("needs_review").sum())
        return MapCounts(len(result.polygons), to_review, len(result.candidates))

    def _open(self, found: "FoundModel") -> "Engine":
        from grave_cli.mapping.engine import open_engine

        bundle = found.bundle
        if bundle.sha256 not in self._engines:
            prediction = self.loaded.settings.prediction
            self._engines[bundle.sha256] = open_engine(bundle, prediction, self.progress)
        return self._engines[bundle.sha256]


def refuse_single_options(**given: object) -> None:
    """Refuse options that belong to one orthophoto.

    Raises:
        SettingsError: One of them is given.
    """
    remedies = {
        "dem": "name a folder with --dem-dir",
        "dtm": "name a folder with --dem-dir, which may hold pairs of DSM and DTM",
        "truth": "use `gravecli evaluate` on a map",
        "previous": "use `gravecli compare` on a map",
    }
    for name, remedy in remedies.items():
        if given[name] is not None:
            raise SettingsError(
                f"--{name} belongs to one orthophoto",
                found="several orthophotos",
                remedy=remedy,
            )


def _make_folder(path: Path, option: str) -> None:
    from grave_cli.errors import ExportError

    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ExportError(
            f"{option} is no folder and none can be made there",
            where=path,
            found=error.strerror,
            expected="a folder, for several orthophotos",
        ) from None


def _show(outcomes: "Sequence[Outcome]", path: Path, json: bool) -> None:
    from grave_cli.batch.outcomes import as_record
    from grave_cli.cli.console import print_json, print_line
    from grave_cli.cli.tables import make_table, print_table

    record = as_record(outcomes)
    if json:
        print_json(record)
        return
    table = make_table(
        ("cemetery", "state", "graves", "to review", "candidates", "s"), left=("state",)
    )
    for outcome in outcomes:
        numbers = (outcome.graves, outcome.to_review, outcome.candidates)
        counts = [str("" if n is None else n) for n in numbers]
        table.add_row(outcome.cemetery, outcome.state, *counts, f"{outcome.seconds:.1f}")
    print_table(table, ["s", "candidates", "to review"])
    print_line(
        f"{record['mapped']} mapped, {record['already_mapped']} already mapped, "
        f"{record['failed']} failed; {counted(record['graves'], 'grave')}, "
        f"{record['to_review']} to review, {counted(record['candidates'], 'candidate')}; "
        f"summary in {path}"
    )
