"""The files of a data set: the manifest's files and the sidecars that change their meaning.

These sidecars count (names in any case):

    .shp                .shx .dbf .prj .cpg
    image files         world file (of a .tif: .tfw .tifw .wld), .prj, .tab, <name>.msk
    .vrt                all sources and their own sidecars; also VRTs within VRTs
    any raster          .aux.xml, if it states nodata, a CRS, a position, colours, wavelengths,
                        units or a scale
    .gdb                all files in this folder
    .url                size and time of the raster behind this link, and its .prj
    .gpkg of outlines   -wal and -journal with edits that QGIS has saved but not put into the file

Files that GIS tools leave behind do not count: .aux.xml with statistics, .ovr, -shm, an empty -wal,
.qgz, hidden files.

A path is listed relative to the data folder, with `/`, and composed (NFC), because macOS returns
decomposed names. A relative source of a VRT is listed relative to the data folder, with leading
`..` if it lies outside; an absolute source as the VRT spells it. Neither changes when the folder is
copied. Any other file from outside is listed as `outside/<name>`.

Source:
    World files: https://gdal.org/en/stable/drivers/raster/wld.html
    External masks: https://gdal.org/en/stable/development/rfc/rfc15_nodatabitmask.html
    .aux.xml (PAM): https://gdal.org/en/stable/user/raster_data_model.html
"""

import os
import posixpath
import stat
import unicodedata
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from grave_cli.dataset.identity.vrt_sources import vrt_sources
from grave_cli.dataset.manifest import Manifest
from grave_cli.errors import DatasetError
from grave_cli.rasters.geopackage_edits import logs_with_edits
from grave_cli.remote import LINK_ENDING, find_remote, is_link, stamp_of
from grave_cli.wording import counted

_SHAPEFILE_PARTS = frozenset({"shx", "dbf", "prj", "cpg"})
_SELF_CONTAINED = frozenset({"gpkg", "geojson", "fgb", "vrt"})
_MASK_ENDING = "msk"
_MEANINGFUL = frozenset(
    {"NoDataValue", "SRS", "GeoTransform", "GCPList", "ColorInterp", "Description"}
    | {"Offset", "Scale", "UnitType"}
)
_MOST_AUX_BYTES = 1 << 24  # larger ones hold histograms


@dataclass(frozen=True, slots=True)
class DatasetFile:
    """One file of a data set.

    Args:
        path: Its spelling in listings: the same on every machine.
        location: Absolute path of its bytes, without symbolic links.
        size: Size in bytes.
        mtime_ns: Modification time of the bytes, nanoseconds since 1970.
    """

    path: str
    location: str
    size: int
    mtime_ns: int


def dataset_files(manifest: Manifest) -> tuple[DatasetFile, ...]:
    """List all files of a data set, sorted by path.

    Args:
        manifest: The data set.

    Raises:
        DatasetError: A file is missing or unreadable, a source of a VRT is missing, or a GeoPackage
            of pixels has edits in its `-wal` file.
    """
    collector = _Collector(manifest.root)
    for cemetery in (*manifest.cemeteries, *manifest.ground):
        for path in cemetery.files:
            collector.add_named(path, path in (cemetery.annotations, cemetery.area))
    return tuple(sorted(collector.found(), key=lambda file: (file.path, file.location)))


class _Folder:
    """The names in a folder, read once, and the folder's real path."""

    def __init__(self, path: str) -> None:
        self.location = os.path.realpath(path)
        self._links: set[str] = set()
        self._endings: dict[str, list[str]] = {}
        for entry in _entries(path):
            stem, _, ending = entry.name.rpartition(".")
            self._endings.setdefault(stem, []).append(ending)
            if entry.is_symlink():
                self._links.add(entry.name)

    def locate(self, name: str) -> str:
        """Follow the links to the bytes of a file; only a link costs a system call."""
        place = os.path.join(self.location, name)
        return os.path.realpath(place) if name in self._links else place

    def parts(self, name: str) -> Iterator[str]:
        """Name the sidecars that change the meaning of a file."""
        stem, _, ending = name.rpartition(".")
        wanted = _part_endings(ending.lower())
        for other in self._endings.get(stem, ()):
            if other.lower() in wanted:
                yield f"{stem}.{other}"
        for other in self._endings.get(name, ()):
            if other.lower() == _MASK_ENDING:
                yield f"{name}.{other}"
        aux = f"{name}.aux.xml"
        if "xml" in self._endings.get(f"{name}.aux", ()) and _changes_meaning(self.locate(aux)):
            yield aux


def _entries(folder: str) -> list["os.DirEntry[str]"]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise DatasetError("folder cannot be read", where=folder, found=error.strerror) from None


def _changes_meaning(aux: str) -> bool:
    """Tell whether an .aux.xml file says more of a raster than its statistics."""
    try:
        status = os.stat(aux)
        if status.st_size > _MOST_AUX_BYTES or not stat.S_ISREG(status.st_mode):
            return False
        return any(_is_meaningful(element) for element in ET.parse(aux).iter())
    except (OSError, ET.ParseError, ValueError, LookupError):
        return False  # GDAL does not read it either


def _is_meaningful(element: ET.Element) -> bool:
    return element.tag in _MEANINGFUL or "wavelength" in element.get("key", "").lower()


def _part_endings(ending: str) -> frozenset[str]:
    """Return the endings of the sidecars of a file: tif -> tfw, tifw, wld, prj, tab."""
    if ending == "shp":
        return _SHAPEFILE_PARTS
    if f".{ending}" == LINK_ENDING:
        return frozenset({"prj"})
    if ending in _SELF_CONTAINED:
        return frozenset()
    tab = {"tab"} if ending in ("tif", "tiff") else set()
    return frozenset({f"{ending[:1]}{ending[-1:]}w", f"{ending}w", "wld", "prj", *tab})


class _Collector:
    """Gathers the files of one data set; reads each folder once and counts each file once."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._folders: dict[str, _Folder] = {}
        self._listed: dict[str, str] = {}
        self._files: dict[tuple[str, str], DatasetFile] = {}

    def found(self) -> Iterable[DatasetFile]:
        """The files so far."""
        return self._files.values()

    def add_named(self, path: Path, has_outlines: bool) -> None:
        """Add a file of the manifest, with its sidecars."""
        place = os.fspath(path)
        folder, name = os.path.split(place)
        if folder not in self._listed:
            self._listed[folder] = self._list_folder(Path(folder))
        listed = self._listed[folder] + name
        if not (name.lower().endswith(".gdb") and os.path.isdir(place)):
            self._add(place, listed, (), has_outlines)
            return
        for entry in sorted(_entries(place), key=lambda entry: entry.name):
            if not entry.name.startswith("."):
                self._add(os.path.join(place, entry.name), f"{listed}/{entry.name}", ())

    def _list_folder(self, folder: Path) -> str:
        """Spell a folder as the manifest does, or resolved if a setting names a file in it."""
        for path, root in ((folder, self._root), (folder.resolve(), self._root.resolve())):
            if path.is_relative_to(root) and os.pardir not in path.relative_to(root).parts:
                listed = path.relative_to(root).as_posix()
                return "" if listed == "." else f"{listed}/"
        return "outside/"

    def _add(
        self, place: str, listed: str, within: tuple[str, ...], has_outlines: bool = False
    ) -> None:
        path, name = os.path.split(place)
        folder = self._folder(path)
        file = self._take(folder, name, listed)
        if file is None:
            return
        for part in folder.parts(name):
            self._take(folder, part, posixpath.join(posixpath.dirname(listed), part))
        if name.lower().endswith(".gpkg"):
            self._add_edits(Path(place), listed, has_outlines)
        if name.lower().endswith(".vrt") and file.location not in within:  # a VRT of itself
            for source in vrt_sources(place, file.location, listed):
                self._add(source.place, source.listed, (*within, file.location))

    def _add_edits(self, path: Path, listed: str, has_outlines: bool) -> None:
        """Add the logs of a GeoPackage of outlines; refuse those of one with pixels.

        Those of pixels GDAL would put into the file when it reads it, a change of the data set.
        """
        for log in logs_with_edits(path):
            if not has_outlines:
                raise DatasetError(
                    "GeoPackage holds edits that are not in the file yet",
                    where=path,
                    found=f"{counted(log.stat().st_size, 'byte')} in {log.name}",
                    remedy="close it in QGIS, or in any other program that has it open",
                )
            ending = log.name.removeprefix(path.resolve().name)
            self._take(self._folder(str(log.parent)), log.name, f"{listed}{ending}")

    def _folder(self, path: str) -> _Folder:
        if path not in self._folders:
            self._folders[path] = _Folder(path or os.curdir)
        return self._folders[path]

    def _take(self, folder: _Folder, name: str, listed: str) -> DatasetFile | None:
        """Count a file, or return None if it has been counted."""
        location = folder.locate(name)
        listed = unicodedata.normalize("NFC", listed)
        if (listed, location) in self._files:
            return None
        file = DatasetFile(listed, location, *_size_and_time(location, listed))
        self._files[listed, location] = file
        return file


def _size_and_time(location: str, listed: str) -> tuple[int, int]:
    if is_link(Path(listed)):
        stamp = stamp_of(find_remote(Path(location)))
        return stamp.size, stamp.mtime_ns
    try:
        status = os.stat(location)
    except OSError as error:
        raise DatasetError(
            "file of the data set cannot be read",
            where=listed,
            found=f"{error.strerror} at {location}",
            remedy="restore it, or remove the link to it",
        ) from None
    if not stat.S_ISREG(status.st_mode):
        raise DatasetError("not a file", where=listed, remedy="move it out of the data folder")
    return status.st_size, status.st_mtime_ns
