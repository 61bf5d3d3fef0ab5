"""The files of a finished map in, its graves as a value out, with or without keeping the files."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from grave_cli.api.results import CemeteryMap, Graves
from grave_cli.errors import SettingsError

if TYPE_CHECKING:
    from grave_cli.mapping.map_files import MapFiles


@contextmanager
def map_place(out: Path | None, formats: Sequence[str]) -> Iterator[Path]:
    """Yield the map to write, or one in a folder that is deleted.

    Args:
        out: The map; None if none is wanted.
        formats: Formats of further files beside it.

    Raises:
        SettingsError: There are formats without a map.
    """
    if out is not None:
        yield out
        return
    if formats:
        raise SettingsError("formats belong to files", found=", ".join(formats), expected="out=")
    with TemporaryDirectory(prefix="gravecli-") as folder:
        yield Path(folder) / "map.gpkg"


def as_map(files: "MapFiles", *, is_written: bool) -> CemeteryMap:
    """Return the graves of a finished map as values.

    Args:
        files: The files, which have received a result.
        is_written: Whether the user keeps them.
    """
    from grave_cli.mapping.geopackage import candidates_layer, graves_layer

    result, summary = files.mapped, files.summary
    assert result is not None  # it has been received
    crs = files.crs or result.source_crs
    layer, faint = graves_layer(result, crs), candidates_layer(result, crs)
    written = summary["files"] if is_written else {}
    return CemeteryMap(
        geometries=layer.polygons(),
        crs=crs,
        attributes=tuple(layer.cells()),
        notes=tuple(summary["notes"]),
        columns=tuple(layer.columns),
        candidates=Graves(
            faint.polygons(), crs, tuple(faint.cells()), columns=tuple(faint.columns)
        ),
        guarantee=summary["guarantee"],
        cemetery=result.cemetery,
        files={name: Path(path) for name, path in written.items()},
        preview=files.preview,
        report=files.report,
        model=summary["model"],
        score=summary.get("score"),
        comparison=summary.get("comparison"),
        provenance=result.provenance,
        seconds=summary["seconds"],
    )
