"""The files of a mapped cemetery: checked before the work, written when it is done.

Nothing that a user named is met for the first time after the mapping, and a finished map is written
even if the place it was meant for has become unusable meanwhile.
"""

import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from grave_cli.dataset.annotations import read_grave_file
from grave_cli.delivery.formats import GEOPACKAGE, FormatName, shortcomings
from grave_cli.errors import DatasetError, ExportError, GraveError
from grave_cli.evaluation.scorecard import fill_scorecard
from grave_cli.mapping.continued import continue_survey, read_previous
from grave_cli.mapping.geopackage import check_reach
from grave_cli.mapping.map_targets import MapTarget, plan_targets
from grave_cli.mapping.preview import preview_output, write_preview
from grave_cli.mapping.report.write import report_output, write_report
from grave_cli.mapping.result import PredictionResult, ScoredMap, score_map
from grave_cli.mapping.scene import Scene
from grave_cli.outlines.polygons import Polygons
from grave_cli.outputs import Output, check_outputs, free_name, written_alone
from grave_cli.rasters.raster_file import open_raster
from grave_cli.resurvey.survey import Survey
from grave_cli.review.guarantee import CONFIDENCE, usual_promise
from grave_cli.settings.inputs import DataSettings
from grave_cli.settings.output import OutputSettings
from grave_cli.settings.tree import Settings
from grave_cli.vectors.areas import within_area
from grave_cli.vectors.vector_files import identify


@dataclass
class MapFiles:
    """Receives the result of `predict_cemetery`: writes the map, its preview and its score.

    Args:
        orthophoto: The orthophoto to be mapped.
        out: The map; its ending tells its format.
        formats: Formats of further files beside it.
        preview: The overview; None for none.
        report: The report page; None for none.
        crs: CRS of the map; None keeps the orthophoto's.
        truth: Ground truth to score the map against; None for none.
        data: Layer and filter of the ground truth.
        previous: The previous survey, whose ids the map continues; None for none.
        all_settings: Comparison with the previous survey, and the register.
        inputs: Other files that are read, by name in words.
        overwrite: Also replace files that may hold somebody's work.
        settings: Language of the map, signs of a CSV file.
        work_dir: Folder that remembers the written files of formats without a seal.
        summary: What has been written, the score, and the time since this object was made.
        mapped: The result that was written, with the ids of the previous survey; None before.
    """

    orthophoto: Path
    out: Path
    formats: Sequence[FormatName] = ()
    preview: Path | None = None
    report: Path | None = None
    crs: str | None = None
    truth: Path | None = None
    data: DataSettings = field(default_factory=DataSettings)
    previous: Path | None = None
    all_settings: Settings = field(default_factory=Settings)
    inputs: Mapping[str, Path | None] = field(default_factory=dict)
    overwrite: bool = False
    settings: OutputSettings = field(default_factory=OutputSettings)
    work_dir: Path = Path("runs")
    summary: dict[str, Any] = field(default_factory=lambda: {"notes": []}, init=False)
    mapped: PredictionResult | None = field(default=None, init=False)
    _started: float = field(default_factory=time.monotonic, init=False)
    _known: Polygons | None = field(default=None, init=False)
    _before: Survey | None = field(default=None, init=False)

    def check(self) -> None:
        """Check the names of the inputs, which may be mistyped, and the places of the outputs.

        Raises:
            DatasetError: A vector file is missing, or not one.
            ExportError: A file cannot be written, or something would be lost.
            RasterReadError: The orthophoto or its heights cannot be opened.
        """
        with open_raster(self.orthophoto):
            self._check(*self._outputs())
        for option in ("--dem", "--dtm"):
            if heights := self.inputs.get(option):
                with open_raster(heights):
                    pass
        for path in (self.truth, self.previous, self.inputs.get("--aoi")):
            if path is not None:
                identify(path)

    def alone(self) -> AbstractContextManager[None]:
        """Keep other processes from mapping into the same files while the block runs.

        Raises:
            InUseError: Another process does so.
        """
        return written_alone(*(output.path for output in self._outputs()))

    def prepare(self, scene: Scene) -> None:
        """Check the CRS and read the ground truth, like annotations, within the mapped area.

        Raises:
            DatasetError: The ground truth or the previous survey cannot be used.
            GridError: The CRS has no coordinates for this place.
        """
        if self.crs is not None:
            check_reach(scene.grid, self.crs)
        names = [target.name for target in self._targets()]
        wanted = self.crs or scene.orthophoto.georeference.file_crs
        self.summary["notes"] += shortcomings(names, wanted, scene.grid.crs)
        if self.previous is not None:
            self._before = read_previous(self.previous, scene.grid, self.all_settings)
        if self.truth is not None:
            found = read_grave_file(self.truth, scene.grid, self.data)
            words = (f"{self.truth}: {words}" for words in found.findings.sentences())
            self._note(*words, *found.notes)
            self._known = found.polygons[within_area(found.polygons, scene.aoi)]

    def receive(self, result: PredictionResult) -> None:
        """Write the map, then everything that is made from it.

        Raises:
            DatasetError: The map has no grave in common with the previous survey.
            ExportError: A file cannot be written. The message tells where the map is, if anywhere.
        """
        if self._before is not None:
            result = self._continue(result, self._before)
        self.mapped = result
        self._write_maps(result)
        files = {target.name: str(target.path) for target in self._targets()}
        self.summary |= {
            "graves": len(result.polygons),
            "to_review": int(np.count_nonzero(result.column("needs_review"))),
            "candidates": len(result.candidates),
            "guarantee": _guarantee(result),
            "files": files,
            "model": result.provenance["model"],
            "mlflow_run": result.provenance["mlflow_run"],
        }
        if GEOPACKAGE in files:
            self.summary["geopackage"] = files[GEOPACKAGE]
        try:
            scored = None if self._known is None else score_map(result, self._known)
            if scored is not None:
                self.summary["score"] = fill_scorecard(scored.judgement).as_dict()
            if self.preview is not None:
                self._write_preview(result, self.preview, scored)
            if self.report is not None:
                self._write_report(result, self.report)
        except GraveError as error:
            raise error.with_news(f"the map is in {self.out}") from None
        self.summary["seconds"] = round(time.monotonic() - self._started, 1)

    def _continue(self, result: PredictionResult, before: Survey) -> PredictionResult:
        """Carry on the ids of the previous survey.

        The map of hours is written with ids of its own if it has no grave in common with that.
        """
        try:
            result, comparison = continue_survey(result, before, self.all_settings)
        except DatasetError as error:
            self._write_maps(result)
            raise error.with_news(f"the map, with ids of its own, is in {self.out}") from None
        self.summary["comparison"] = comparison.as_dict()
        self._note(*comparison.notes, *comparison.doubts)
        return result

    def _note(self, *notes: str) -> None:
        self.summary["notes"] += notes

    def _check(self, *outputs: Output) -> None:
        inputs = {"ORTHOPHOTO": self.orthophoto, "--truth": self.truth}
        inputs |= {"--previous": self.previous, **self.inputs}
        check_outputs(outputs, inputs, overwrite=self.overwrite)

    def _outputs(self) -> list[Output]:
        outputs = [output for target in self._targets() for output in target.outputs()]
        if self.preview is not None:
            outputs.append(preview_output(self.preview, self.orthophoto))
        if self.report is not None:
            outputs.append(report_output(self.report, self.orthophoto))
        return outputs

    def _targets(self) -> list[MapTarget]:
        return plan_targets(self.out, self.formats, self.orthophoto, self.settings, self.work_dir)

    def _write_maps(self, result: PredictionResult) -> None:
        """Write the map in all formats, and only then report what could not be written."""
        errors = []
        for target in self._targets():
            try:
                self._write_map(result, target)
            except ExportError as error:
                errors.append(error)
        if errors:
            raise errors[0]

    def _write_map(self, result: PredictionResult, target: MapTarget) -> None:
        """Write the map, beside its place if somebody has worked on the old one meanwhile."""
        try:
            self._check(*target.outputs())
            target.write(result, self.crs, target.path)
        except ExportError as error:
            free = free_name(target.path)
            try:
                target.write(result, self.crs, free)
            except ExportError:
                raise error from None
            raise error.with_news(f"the new map is in {free}") from None

    def _write_preview(
        self, result: PredictionResult, path: Path, scored: ScoredMap | None
    ) -> None:
        self._check(preview_output(path, self.orthophoto))
        write_preview(self.orthophoto, result, path, scored, self.settings.language)
        self.summary["preview"] = str(path)

    def _write_report(self, result: PredictionResult, path: Path) -> None:
        self._check(report_output(path, self.orthophoto))
        write_report(self.orthophoto, result, path, self.settings.language)
        self.summary["report"] = str(path)


def _guarantee(result: PredictionResult) -> dict[str, Any] | None:
    """Return the promise for a usual review by name; None if there is no proof for one."""
    if result.review is None:
        return None
    items = len(result.polygons) + len(result.candidates)
    promise = usual_promise(result.review.promises, items)
    return None if promise is None else {**asdict(promise), "confidence": CONFIDENCE}
