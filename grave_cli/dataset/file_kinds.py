"""The kinds of files of a data set: their folders, their endings, and how they are named."""

import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from grave_cli.remote import LINK_ENDING
from grave_cli.wording import quoted

RASTER_ENDINGS = (".tif", ".tiff", ".vrt", ".gpkg", ".jp2", LINK_ENDING)
VECTOR_ENDINGS = (".gpkg", ".geojson", ".shp", ".fgb")
OTHER_VECTOR_ENDINGS = (".json", ".kml", ".gml", ".dxf", ".gdb", ".parquet")
"""Endings of vector files that are taken if there is none of `VECTOR_ENDINGS`."""

UNREAD = frozenset(
    {
        *(".jpg", ".jpeg", ".png", ".bmp", ".asc", ".img", ".ecw", ".sid", ".bil", ".hgt", ".xyz"),
        *(".las", ".laz", ".nc", ".grd", ".webp", ".kmz", ".dwg", ".dgn", ".tab", ".mif", ".gpx"),
        *(
            ".csv",
            ".sqlite",
            ".mdb",
            ".pdf",
            ".zip",
            ".rar",
            ".7z",
            ".shz",
            ".xlsx",
            ".xls",
            ".ods",
        ),
        *(
            ".geotiff",
            ".gtiff",
            ".gtif",
            ".flt",
            ".dem",
            ".dt2",
            ".adf",
            ".ers",
            ".pix",
            ".mbtiles",
        ),
        *(
            ".gif",
            ".heic",
            ".jpx",
            ".jpf",
            ".j2k",
            ".geojsonl",
            ".geojsons",
            ".ndjson",
            ".topojson",
        ),
        *(*RASTER_ENDINGS, *VECTOR_ENDINGS, *OTHER_VECTOR_ENDINGS),
    }
)
"""Endings of data that somebody expects to be read; other files are litter."""
ASTRAY = frozenset(
    {*RASTER_ENDINGS, *VECTOR_ENDINGS, *OTHER_VECTOR_ENDINGS, ".asc", ".dwg"} - {".json"}
)
"""Endings of data that is expected in the folder of its kind."""

_SEPARATORS = "_-. "
_HEIGHT_WORDS = frozenset(
    ("dem", "dsm", "dtm", "ndsm", "dgm", "dom", "gsddsm", "elevation", "height", "heights")
)
_CLOSE_NAMES = {
    "orthophotos": ("orthophoto", "orthofoto", "orthomosaic", "ortho"),
    "dems": ("dem", "dsm", "dtm", "height", "elevation"),
    "annotations": ("annotation", "annotationen", "label", "outline", "grave", "vector"),
    "masks": ("mask",),
    "areas": ("area", "aoi"),
}
"""Names that people give to the folders of each kind, in lower case and without a final s."""
_WITHOUT_CRS = (
    ".asc",
    ".bil",
    ".flt",
    ".xyz",
    ".jpg",
    ".jpeg",
    ".png",
    ".bmp",
    ".gif",
    ".webp",
    ".grd",
)
_GEOTIFF_ENDINGS = (".geotiff", ".gtiff", ".gtif")


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


_PIX4D = ("transparent_mosaic_group1", "mosaic_group1")
ORTHOPHOTO = Kind("orthophotos", RASTER_ENDINGS, ("orthophoto", "orthomosaic", "ortho", *_PIX4D))
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


def holds_files(path: Path, kind: Kind) -> bool:
    """Return whether a path is a folder with files of a kind, such as one for each Shapefile."""
    endings = (*kind.endings, *kind.other_endings)
    try:
        return path.is_dir() and any(one.suffix.lower() in endings for one in path.iterdir())
    except OSError:
        return False


def is_geodatabase(path: Path) -> bool:
    """Return whether a path is a File Geodatabase, a folder that is read like a file."""
    return path.suffix.lower() == ".gdb" and path.is_dir()


def composed(text: str) -> str:
    """Compose the characters of a name (NFC): macOS takes them apart."""
    return unicodedata.normalize("NFC", text)


def kind_of(path: Path) -> Kind:
    """Tell the kind of a file by its folder."""
    return next((kind for kind in KINDS if kind.folder == path.parent.name), ANNOTATIONS)


def looks_like_heights(path: Path) -> bool:
    """Return whether a word in the name of a file says that it holds heights."""
    words = re.split(r"[^a-z]+", composed(path.stem).lower())
    return not _HEIGHT_WORDS.isdisjoint(words)


def misnamed(folder: Path) -> str | None:
    """Return the name that a folder in a data folder should have; None if it is no folder of data.

    Args:
        folder: A folder such as `DEM` or `annotation`.
    """
    name = composed(folder.name).lower().removesuffix("s")
    for right, close in _CLOSE_NAMES.items():
        if name == right.removesuffix("s") or name in close:
            return None if folder.name == right or _is_same(folder, right) else right
    return None


def bears_name(folder: Path, name: str) -> bool:
    """Return whether a folder has a name; capitals count only where the system tells them apart."""
    if folder.name.lower() != name:
        return False
    return folder.name == name or (folder.is_dir() and _is_same(folder, name))


def _is_same(folder: Path, name: str) -> bool:
    """Tell whether the system finds a folder by another name: case may not matter."""
    other = folder.with_name(name)
    return other.is_dir() and other.samefile(folder)


def conversion(path: Path) -> str:
    """Name the way to make a file that is read from one that is not.

    Args:
        path: The file, or a folder whose name is not the expected one.
    """
    if (name := misnamed(path)) is not None and path.is_dir():
        return f"rename the folder to {name}"
    if path.is_dir() and not is_geodatabase(path):
        return f"move its files into {path.parent.name}"
    ending = path.suffix.lower()
    if kind_of(path).endings != RASTER_ENDINGS:
        return "export it as GeoPackage (QGIS: Export > Save Features As)"
    if ending in _GEOTIFF_ENDINGS:
        return f"rename it to {path.stem}.tif"
    names = f"{quoted(path.name)} {quoted(path.stem + '.tif')}"
    if ending not in _WITHOUT_CRS:
        return f"`gdal_translate {names}` converts it"
    beside = path.with_suffix(".prj")
    if beside.is_file():
        return f"`gdal_translate -a_srs {quoted(beside.name)} {names}` converts it"
    return (
        f"`gdal_translate -a_srs EPSG:25832 {names}` converts it, with its own CRS instead of "
        "EPSG:25832"
    )
