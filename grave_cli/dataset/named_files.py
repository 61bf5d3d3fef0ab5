"""The files of one kind in a folder, by cemetery."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from grave_cli.dataset.file_kinds import (
    DEM,
    DTM,
    ORTHOPHOTO,
    OTHER_VECTOR_ENDINGS,
    RASTER_ENDINGS,
    UNREAD,
    VECTOR_ENDINGS,
    Kind,
    bears_name,
    bears_tag,
    belongs,
    composed,
    holds_files,
    looks_like_heights,
    name_of,
)
from grave_cli.dataset.odm_project import project_of
from grave_cli.errors import DatasetError

_PICTURE_ENDINGS = (".tif", ".tiff", ".vrt", ".jp2")  # a GeoPackage beside is usually a map


@dataclass(frozen=True)
class HeightFiles:
    """The heights of a cemetery.

    Args:
        dem: Heights of the surface, with the graves; None without them.
        dtm: Heights of the ground without the things on it; None without them.
    """

    dem: Path | None = None
    dtm: Path | None = None

    @classmethod
    def paired(cls, dem: Path | None, dtm: Path | None) -> "HeightFiles":
        """Pair the heights that were found; a DTM alone is the DEM."""
        return cls(dtm) if dem is None else cls(dem, dtm)


def find_files(
    folder: Path, kind: Kind, shared: Path | None = None
) -> tuple[dict[str, Path], list[Path]]:
    """Find the files of one kind by cemetery.

    Args:
        folder: Where they lie; it need not exist.
        kind: Their endings and tags.
        shared: A file that belongs to all cemeteries, and is left out.

    Returns:
        The files, and data that is not read, also folders that hold such files.

    Raises:
        DatasetError: Two files bear the name of one cemetery, or the folder cannot be read.
    """
    found: dict[str, Path] = {}
    others, unread = [], []
    with readable(folder):
        paths = sorted(folder.iterdir()) if folder.is_dir() else []
    has_mosaic = any(path.suffix.lower() == ".vrt" for path in paths)  # its tiles lie in a folder
    for path in paths:
        ending = path.suffix.lower()
        if path.name.startswith(".") or (shared is not None and path.samefile(shared)):
            continue
        if not belongs(path, kind):
            continue
        if ending in kind.endings:
            take_file(found, name_of(path, kind), path)
        elif ending in kind.other_endings:
            others.append(path)
        elif ending in UNREAD or (not has_mosaic and holds_files(path, kind)):
            unread.append(path)
    extra: dict[str, Path] = {}
    for path in others:
        name = name_of(path, kind)
        if name in found:
            unread.append(path)
        else:
            take_file(extra, name, path)
    return found | extra, unread


@contextmanager
def readable(folder: Path) -> Iterator[None]:
    """Name the file or folder that this account may not read, while the block looks for files.

    Raises:
        DatasetError: There is one.
    """
    try:
        yield
    except OSError as error:
        raise DatasetError(
            f"cannot be read: {error.strerror or error}",
            where=error.filename or folder,
            remedy="check its permissions",
        ) from None


def take_file(found: dict[str, Path], name: str, path: Path) -> None:
    """Enter the file of a cemetery.

    Raises:
        DatasetError: Another file bears its name.
    """
    if name in found:
        raise DatasetError(
            f"two files for cemetery {name}",
            where=path.parent,
            found=f"{found[name].name} and {path.name}",
            expected="one",
            remedy="move one of them away",
        )
    found[name] = path


def cemetery_name(orthophoto: Path) -> str:
    """Return the cemetery id from the file name of an orthophoto, or from its ODM project."""
    project = project_of(orthophoto)
    return name_of(orthophoto, ORTHOPHOTO) if project is None else project.name


def sibling_heights(orthophoto: Path) -> HeightFiles:
    """Find the heights of an orthophoto: in dems/ of its data folder, its ODM project, or beside.

    Beside it, only a file with a word for DEMs in its name ("_dsm") is one, or `dem.tif` beside the
    only orthophoto of a folder. If the orthophoto is a link, the place of the link comes first.

    Raises:
        DatasetError: There are two of a kind.
    """
    return HeightSearch().siblings(orthophoto)


class HeightSearch:
    """Finds the heights of many orthophotos, and lists each folder only once."""

    def __init__(self) -> None:
        self._folders: dict[Path, tuple[dict[str, Path], dict[str, Path]]] = {}
        self._tagged: dict[Path, dict[str, list[Path]]] = {}
        self._nameless: dict[Path, HeightFiles] = {}

    def siblings(self, orthophoto: Path) -> HeightFiles:
        """See `sibling_heights`.

        Raises:
            DatasetError: There are two of a kind.
        """
        if (project := project_of(orthophoto)) is not None:
            return HeightFiles(project.dem, project.dtm)
        found = (self._near(orthophoto, folder) for folder in _folders(orthophoto))
        return next((heights for heights in found if heights.dem is not None), HeightFiles())

    def _near(self, orthophoto: Path, folder: Path) -> HeightFiles:
        """Find the heights of an orthophoto that lies in a folder, or is linked there."""
        if bears_name(folder, ORTHOPHOTO.folder):
            return self.in_folder(orthophoto, folder.parent / DEM.folder)
        if folder not in self._tagged:
            self._tagged[folder] = _tagged_heights(folder)
        names = _names(orthophoto)
        found: dict[Kind, dict[str, Path]] = {DEM: {}, DTM: {}}
        for name in dict.fromkeys(names):
            for path in self._tagged[folder].get(name, ()):
                take_file(found[DTM if belongs(path, DTM) else DEM], name, path)
        paired = _paired(found[DEM], found[DTM], names)
        if paired.dem is not None:
            return paired
        if folder not in self._nameless:
            self._nameless[folder] = _nameless_heights(folder)
        return self._nameless[folder]

    def in_folder(self, orthophoto: Path, folder: Path) -> HeightFiles:
        """Find the heights in a folder, by the name of the cemetery or of the file.

        Raises:
            DatasetError: There are two of a kind.
        """
        if folder not in self._folders:
            self._folders[folder] = (find_files(folder, DEM)[0], find_files(folder, DTM)[0])
        return _paired(*self._folders[folder], _names(orthophoto))


def _tagged_heights(folder: Path) -> dict[str, list[Path]]:
    """List the files with a word for DEMs in their names, by cemetery."""
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.glob("*.*")):
        if path.suffix.lower() in DEM.endings and bears_tag(path, DEM):
            found.setdefault(name_of(path, DEM), []).append(path)
    return found


def _nameless_heights(folder: Path) -> HeightFiles:
    """Find heights called `dsm.tif`, `dem.tif` or `dtm.tif` beside the only orthophoto of a folder.

    Metashape, DJI Terra and single downloads of WebODM deliver `orthomosaic.tif` and `dem.tif`, or
    `odm_orthophoto.tif`, `dsm.tif` and `dtm.tif`.
    """
    rasters = [
        path
        for path in sorted(folder.glob("*.*"))
        if path.suffix.lower() in _PICTURE_ENDINGS and not path.name.startswith(".")
    ]
    by_word = {path.stem.lower(): path for path in rasters if looks_like_heights(path)}
    surfaces = [by_word[word] for word in ("dsm", "dem") if word in by_word]
    if len(rasters) != len(by_word) + 1 or by_word.keys() - set(DEM.tags) or len(surfaces) != 1:
        return HeightFiles()
    return HeightFiles(surfaces[0], by_word.get("dtm"))


def unnamed_heights(orthophoto: Path) -> tuple[Path, ...]:
    """Find files beside an orthophoto that may be its heights, though their names do not say so.

    Args:
        orthophoto: An orthophoto for which `sibling_heights` found no DEM.

    Returns:
        Rasters with a word for heights in their names, and files of heights that are not read.
    """
    near = (_unnamed_near(orthophoto, folder) for folder in _folders(orthophoto))
    return tuple(path for paths in near for path in paths)


def _unnamed_near(orthophoto: Path, folder: Path) -> list[Path]:
    if bears_name(folder, ORTHOPHOTO.folder):
        name = cemetery_name(orthophoto)
        unread = find_files(folder.parent / DEM.folder, DEM)[1]
        return [path for path in unread if name_of(path, DEM) == name and not path.is_dir()]
    endings = UNREAD.difference(VECTOR_ENDINGS, OTHER_VECTOR_ENDINGS).union(RASTER_ENDINGS)
    return [
        path
        for path in sorted(folder.glob("*.*"))
        if path.suffix.lower() in endings
        and not path.name.startswith(".")
        and path.name != orthophoto.name
        and looks_like_heights(path)
    ]


def _folders(orthophoto: Path) -> tuple[Path, ...]:
    """List where an orthophoto lies: by its name and, if it is a link, also by its place."""
    place = os.path.realpath(orthophoto)  # resolve() fails on links in a circle
    return tuple(dict.fromkeys((orthophoto.absolute().parent, Path(place).parent)))


def _names(orthophoto: Path) -> tuple[str, str]:
    return cemetery_name(orthophoto), composed(orthophoto.stem)


def _paired(dems: dict[str, Path], dtms: dict[str, Path], names: tuple[str, str]) -> HeightFiles:
    dem, dtm = (files.get(names[0]) or files.get(names[1]) for files in (dems, dtms))
    return HeightFiles.paired(dem, dtm)
