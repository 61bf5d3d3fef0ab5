"""The kinds of files of a data set: their folders, their endings, and how they are named."""

import unicodedata
from dataclasses import dataclass
from pathlib import Path

from grave_cli.remote import LINK_ENDING

RASTER_ENDINGS = (".tif", ".tiff", ".vrt", ".gpkg", ".jp2", LINK_ENDING)
VECTOR_ENDINGS = (".gpkg", ".geojson", ".shp", ".fgb")
OTHER_VECTOR_ENDINGS = (".json", ".kml", ".gml", ".dxf", ".gdb", ".parquet")
"""Endings of vector files that are taken if there is none of `VECTOR_ENDINGS`."""

UNREAD = frozenset(
    {
        *(".jpg", ".jpeg", ".png", ".bmp", ".asc", ".img", ".ecw", ".sid", ".bil", ".hgt", ".xyz"),
        *(".las", ".laz", ".nc", ".grd", ".webp", ".kmz", ".dwg", ".dgn", ".tab", ".mif", ".gpx"),
        *(".csv", ".sqlite", ".mdb", ".pdf", ".zip", ".rar", ".7z"),
        *(*RASTER_ENDINGS, *VECTOR_ENDINGS, *OTHER_VECTOR_ENDINGS),
    }
)
"""Endings of data that somebody expects to be read; other files are litter."""
ASTRAY = frozenset(
    {*RASTER_ENDINGS, *VECTOR_ENDINGS, *OTHER_VECTOR_ENDINGS, ".asc", ".dwg"} - {".json"}
)
"""Endings of data that is expected in the folder of its kind."""

_SEPARATORS = "_-. "


@dataclass(frozen=True)
class Kind:
    """One kind of file of a data set.

    Args:
        folder: Its folder below the data root.
        endings: Allowed file name endings.
        tags: Words that may follow the cemetery's name in the stem.
        other_endings: Endings that are taken where a cemetery has no file with one of `endings`.
    """

    folder: str
    endings: tuple[str, ...]
    tags: tuple[str, ...]
    other_endings: tuple[str, ...] = ()


ORTHOPHOTO = Kind("orthophotos", RASTER_ENDINGS, ("orthophoto", "orthomosaic", "ortho"))
DEM = Kind("dems", RASTER_ENDINGS, ("dem", "dsm", "dtm"))
DTM = Kind("dems", RASTER_ENDINGS, ("dtm",))
"""The ground without the things on it, beside a DEM that shows these; alone, it is the DEM."""
ANNOTATIONS = Kind("annotations", VECTOR_ENDINGS, ("annotations", "graves"), OTHER_VECTOR_ENDINGS)
MASK = Kind("masks", RASTER_ENDINGS, ("mask",))
AREA = Kind("areas", VECTOR_ENDINGS, ("area",), OTHER_VECTOR_ENDINGS)
KINDS = (ORTHOPHOTO, DEM, DTM, ANNOTATIONS, MASK, AREA)
GROUND = "ground"
"""Folder of ground without graves, laid out like the data folder but without labels."""


def name_of(path: Path, kind: Kind) -> str:
    """Return the cemetery id from the name of a file: its stem without the words for its kind."""
    stem = composed(path.stem)
    for tag in kind.tags:
        name = stem[: -len(tag)]
        if stem.lower().endswith(tag) and name[-1:] in _SEPARATORS and len(name) > 1:
            return name[:-1]
    return stem


def bears_tag(path: Path, kind: Kind) -> bool:
    """Return whether the name of a file ends in a word for a kind."""
    return name_of(path, kind) != composed(path.stem)


def belongs(path: Path, kind: Kind) -> bool:
    """Return whether a file in the folder of a kind is one of it, or of the other in the folder."""
    return kind not in (DEM, DTM) or (kind is DTM) == bears_tag(path, DTM)


def composed(text: str) -> str:
    """Compose the characters of a name (NFC): macOS takes them apart."""
    return unicodedata.normalize("NFC", text)


def kind_of(path: Path) -> Kind:
    """Tell the kind of a file by its folder."""
    return next((kind for kind in KINDS if kind.folder == path.parent.name), ANNOTATIONS)


def conversion(path: Path) -> str:
    """Name the way to make a file that is read from one that is not."""
    if kind_of(path).endings == RASTER_ENDINGS:
        beside = path.with_suffix(".prj")
        crs = beside.name if beside.is_file() else "EPSG:25832"
        return f"`gdal_translate -a_srs {crs} {path.name} {path.stem}.tif` converts it"
    return "export it as GeoPackage (QGIS: Export > Save Features As)"
