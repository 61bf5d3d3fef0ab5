"""Graves as a value: outlines with their attributes, and as a table of geopandas."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from grave_cli.outlines.polygons import Polygons
from grave_cli.wording import counted

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

    from grave_cli.vectors.vector_io import Features


@dataclass(frozen=True, eq=False)
class Graves:
    """Outlines of graves with their attributes.

    Args:
        geometries: One outline for each grave, in `crs`; None where a file has none, or a damaged
            one.
        crs: Their CRS, as WKT or authority code.
        attributes: One row for each grave, by the name of its columns.
        notes: Notes on how the files were read, one line each.
        columns: Names of the attributes, also where there is no grave.

    Shapes:
        geometries: (graves,)
    """

    geometries: Polygons
    crs: str
    attributes: tuple[Mapping[str, Any], ...]
    notes: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Return the number of graves."""
        return len(self.geometries)

    def to_geodataframe(self) -> "GeoDataFrame":
        """Return the graves as a table of geopandas.

        Raises:
            ImportError: geopandas is not installed.
        """
        try:
            import geopandas
        except ImportError:
            raise ImportError(
                "to_geodataframe() needs geopandas: pip install 'gravemapper[notebook]'"
            ) from None
        name = "geometry"
        while name in self.columns:  # an office may have a column of this name
            name += "_"
        pairs = zip(self.attributes, self.geometries, strict=True)
        rows = [{**row, name: outline} for row, outline in pairs]
        names = [*self.columns, name]
        return geopandas.GeoDataFrame(rows, columns=names, geometry=name, crs=self.crs)


def graves_in(path: Path, found: "Features") -> Graves:
    """Return the features of a vector file as graves.

    Args:
        path: The file, named in notes.
        found: Its features with all columns.
    """
    values = [found.values[name] for name in found.columns]
    rows = zip(*values, strict=True) if values else ([] for _ in found.geometries)
    attributes = tuple(dict(zip(found.columns, row, strict=True)) for row in rows)
    notes = found.notes
    if found.unreadable:
        notes += (f"{path}: {counted(found.unreadable, 'geometry')} cannot be read",)
    return Graves(found.geometries, found.crs, attributes, notes, tuple(found.columns))


@dataclass(frozen=True, eq=False)
class CemeteryMap(Graves):
    """A mapped cemetery.

    Args:
        candidates: Places that may be graves but were not drawn, with the columns of that layer;
            None if they are not known.
        guarantee: What a review by rank leaves unseen, as `gravecli predict-cemetery --json` prints
            it; None for a model without enough validation graves.
        cemetery: Cemetery id.
        files: The written files of the map, by format.
        preview: The written overview; None for none.
        report: The written report page; None for none.
        model: Name of the model.
        score: The map against the ground truth, as `gravecli evaluate --json` prints it; None
            without ground truth.
        comparison: The map against the previous survey, as `gravecli compare --json` prints it;
            None without one.
        provenance: Origin of the map: inputs, model, settings.
        seconds: Duration.
    """

    candidates: Graves | None = None
    guarantee: Mapping[str, Any] | None = None
    cemetery: str = ""
    files: Mapping[str, Path] = field(default_factory=dict)
    preview: Path | None = None
    report: Path | None = None
    model: str = ""
    score: Mapping[str, Any] | None = None
    comparison: Mapping[str, Any] | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def path(self) -> Path | None:
        """The GeoPackage, or else the first written file; None if nothing was written."""
        return self.files.get("gpkg") or next(iter(self.files.values()), None)

    @property
    def to_review(self) -> int:
        """Number of graves that a person should look at."""
        return int(np.count_nonzero([row["needs_review"] for row in self.attributes]))
