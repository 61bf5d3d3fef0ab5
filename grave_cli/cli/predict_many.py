"""`gravecli predict-cemetery` for several orthophotos: one map each, and a summary."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from grave_cli.errors import SettingsError
from grave_cli.wording import counted

if TYPE_CHECKING:
    from grave_cli.api.prediction import Extent
    from grave_cli.batch.jobs import Job, Shard
    from grave_cli.batch.mapper import Mapper
    from grave_cli.batch.outcomes import Outcome
    from grave_cli.delivery.formats import FormatName
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
        ray: Address of a Ray cluster that maps them; None maps them here.
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
    ray: str | None
    overwrite: bool
    loaded: "LoadedSettings"
    progress: "Progress"
    _models: dict[bool, "FoundModel"] = field(default_factory=dict, init=False)

    def run(self, json: bool) -> int:
        """Map all cemeteries, and print and write the summary.

        Args:
            json: Print it as JSON.

        Returns:
            The exit code: 1 if a cemetery failed.
        """
        from grave_cli.batch.outcomes import Summary
        from grave_cli.batch.summary_writer import SummaryWriter
        from grave_cli.delivery.formats import shortcomings

        if self.ray is not None:
            from grave_cli.cluster.connection import check_cluster

            check_cluster(self.ray)
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
        with (
            _alone(summary.csv),
            SummaryWriter(summary) as writer,
            closing(self._outcomes(jobs)) as found,
        ):
            for outcome in found:
                writer.add(outcome)
        _show(writer.outcomes, summary.csv, json)
        return int(any(outcome.state == "failed" for outcome in writer.outcomes))

    @cached_property
    def _jobs(self) -> "tuple[Job, ...]":
        from functools import partial

        from grave_cli.batch.jobs import list_jobs
        from grave_cli.cli.addresses import as_link

        link = partial(as_link, work_dir=self.loaded.settings.work_dir)
        jobs = list_jobs(self.given, self.out, self.dem_folder, link, self.progress)
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

    def _outcomes(self, jobs: "Sequence[Job]") -> "Generator[Outcome]":
        if self.ray is not None:
            from grave_cli.cluster.map_jobs import map_jobs_on_cluster

            yield from map_jobs_on_cluster(jobs, self._mapper, self.ray, self.progress)
            return
        from grave_cli.batch.mapper import Engines
        from grave_cli.batch.run import map_jobs

        engines = Engines()
        map_here = partial(self._mapper.outcome, engines=engines, progress=self.progress)
        yield from map_jobs(jobs, map_here, self.progress)

    @property
    def _mapper(self) -> "Mapper":
        from grave_cli.api.prediction import chosen_thresholds
        from grave_cli.batch.mapper import ChosenModel, Mapper

        return Mapper(
            {
                with_dem: ChosenModel(found.bundle, chosen_thresholds(self.loaded, found))
                for with_dem, found in self._models.items()
            },
            self.loaded.settings,
            self.formats,
            self.previews,
            self.reports,
            self.crs,
            self.extent.aoi,
            self.extent.bounds,
            self.extent.resume,
            self.overwrite,
        )


@contextmanager
def _alone(summary: Path) -> Iterator[None]:
    """Refuse a second command that would write the same summary."""
    from grave_cli.errors import InUseError
    from grave_cli.outputs import written_alone

    with ExitStack() as stack:
        try:
            stack.enter_context(written_alone(summary))
        except InUseError as error:
            raise error.with_news("to share the work, start each command with --shard") from None
        yield


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
