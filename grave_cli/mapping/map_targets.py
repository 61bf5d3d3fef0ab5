"""The files that a map is written to: one for each format."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from grave_cli.delivery.formats import (
    FORMATS,
    GEOPACKAGE,
    FileFormat,
    FormatName,
    crs_for,
    plan_files,
)
from grave_cli.delivery.geopackage_seal import map_output
from grave_cli.delivery.written_files import remember_files, why_keep_files
from grave_cli.errors import ExportError
from grave_cli.mapping.geopackage import graves_layer, write_geopackage
from grave_cli.mapping.result import PredictionResult
from grave_cli.outputs import Output, source_of
from grave_cli.settings.output import OutputSettings


@dataclass(frozen=True)
class MapTarget:
    """A file that a map is written to.

    Args:
        name: Its format.
        path: The file.
        option: The option that names it, for messages.
        orthophoto: The orthophoto to be mapped.
        settings: Language and signs.
        work_dir: Folder that remembers the written files of formats without a seal.
    """

    name: FormatName
    path: Path
    option: str
    orthophoto: Path
    settings: OutputSettings
    work_dir: Path

    @property
    def format(self) -> FileFormat:
        """Its format."""
        return FORMATS[self.name]

    @property
    def _notes(self) -> Path:
        return self.work_dir / "cache" / "written"

    def outputs(self) -> list[Output]:
        """Describe its files for `check_outputs`.

        Raises:
            ExportError: The format cannot be written here.
        """
        if self.name == GEOPACKAGE:
            return [map_output(self.path, self.orthophoto, self.option)]
        self.format.check(self.path)
        parts = self.format.parts(self.path)
        source = source_of(self.orthophoto)
        why_keep = partial(why_keep_files, notes=self._notes, parts=parts, source=source)
        endings = self.format.endings
        return [
            Output(
                self.option if part == self.path else f"{self.option} ({part.suffix})",
                part,
                self.format.content,
                endings if part == self.path else (part.suffix,),
                why_keep,
            )
            for part in parts
        ]

    def write(self, result: PredictionResult, crs: str | None, path: Path) -> None:
        """Write the map.

        Args:
            result: The graves.
            crs: CRS of the map; None keeps the orthophoto's.
            path: The file; an existing one is replaced.

        Raises:
            ExportError: It cannot be written.
        """
        if self.name == GEOPACKAGE:
            write_geopackage(result, path, crs, self.settings.language)
            return
        target = crs_for(self.name, crs or result.source_crs, result.crs)
        self.format.write(graves_layer(result, target), path, self.settings.csv_signs)
        with suppress(ExportError):  # without a note, the file is kept next time
            remember_files(self._notes, self.format.parts(path), source_of(self.orthophoto))


def plan_targets(
    out: Path,
    formats: Sequence[FormatName],
    orthophoto: Path,
    settings: OutputSettings,
    work_dir: Path,
) -> list[MapTarget]:
    """Plan the files of a map: the named one, and those of other formats beside it.

    Args:
        out: The named file; its ending tells its format.
        formats: Wanted formats.
        orthophoto: The orthophoto to be mapped.
        settings: Language and signs.
        work_dir: Folder that remembers written files.

    Raises:
        ExportError: The ending of the named file belongs to no format.
    """
    named, *others = plan_files(out, formats).items()
    options = ["--out", *(f"--format {name}" for name, _ in others)]
    return [
        MapTarget(name, path, option, orthophoto, settings, work_dir)
        for option, (name, path) in zip(options, (named, *others), strict=True)
    ]
