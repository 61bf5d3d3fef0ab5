"""The manifest of a data folder: its cemeteries and their files, with nothing silently skipped.

The layout (only orthophotos/ and labels are required):

    orthophotos/<cemetery>.tif    may end in _ortho, _orthophoto
    dems/<cemetery>.tif           may end in _dem, _dsm, _dtm
    annotations/<cemetery>.gpkg   may end in _graves, _annotations
    masks/<cemetery>.tif          instead of annotations; may end in _mask
    areas/<cemetery>.gpkg         the labelled part; may end in _area
    ground/                       ground without any grave, to train on: orthophotos/, dems/, areas/
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from grave_cli.errors import DatasetError
from grave_cli.settings.inputs import DataSettings

RASTER_ENDINGS = (".tif", ".tiff", ".vrt", ".gpkg", ".jp2")
VECTOR_ENDINGS = (".gpkg", ".geojson", ".shp", ".fgb")


@dataclass(frozen=True)
class Kind:
    """One kind of file of a data set.

    Args:
        folder: Its folder below the data root.
        endings: Allowed file name endings.
        tags: Suffixes that the stem may have after the cemetery's name.
    """

    folder: str
    endings: tuple[str, ...]
    tags: tuple[str, ...]


ORTHOPHOTO = Kind("orthophotos", RASTER_ENDINGS, ("_orthophoto", "_ortho"))
DEM = Kind("dems", RASTER_ENDINGS, ("_dem", "_dsm", "_dtm"))
ANNOTATIONS = Kind("annotations", VECTOR_ENDINGS, ("_annotations", "_graves"))
MASK = Kind("masks", RASTER_ENDINGS, ("_mask",))
AREA = Kind("areas", VECTOR_ENDINGS, ("_area",))
KINDS = (ORTHOPHOTO, DEM, ANNOTATIONS, MASK, AREA)
GROUND = "ground"
"""Folder of ground without graves, laid out like the data folder but without labels."""


@dataclass(frozen=True)
class Cemetery:
    """The files of one cemetery.

    Args:
        name: Cemetery id: the stem of its files without their tag.
        orthophoto: RGB(A) image.
        dem: Heights; None without them.
        annotations: Grave outlines; None without them.
        mask: Raster with graves above 0, instead of outlines.
        area: The labelled part of the cemetery; None: all of it, or see `data.area_layer`.
        is_ground: The orthophoto shows ground without any grave.
    """

    name: str
    orthophoto: Path
    dem: Path | None = None
    annotations: Path | None = None
    mask: Path | None = None
    area: Path | None = None
    is_ground: bool = False

    @property
    def labels(self) -> Path | None:
        """The file with the graves: annotations or mask."""
        return self.annotations or self.mask

    @property
    def files(self) -> Iterator[Path]:
        """All files of this cemetery."""
        optional = (self.dem, self.annotations, self.mask, self.area)
        yield self.orthophoto
        yield from (path for path in optional if path is not None)


@dataclass(frozen=True)
class Manifest:
    """The cemeteries of a data folder, sorted by name.

    Args:
        root: The data folder.
        cemeteries: Its cemeteries.
        ground: Its orthophotos of ground without graves.
    """

    root: Path
    cemeteries: tuple[Cemetery, ...]
    ground: tuple[Cemetery, ...] = ()

    def __getitem__(self, name: str) -> Cemetery:
        """Find a cemetery by name.

        Raises:
            DatasetError: There is no such cemetery.
        """
        everything = (*self.cemeteries, *self.ground)
        for cemetery in everything:
            if cemetery.name == name:
                return cemetery
        names = ", ".join(cemetery.name for cemetery in everything)
        raise DatasetError("no such cemetery", where=self.root, found=name, expected=names)


def read_manifest(root: Path, annotations: Path | None = None) -> Manifest:
    """Find the cemeteries of a data folder and the files of each.

    Args:
        root: The data folder.
        annotations: One file with the graves of all cemeteries that have no labels of their own.

    Raises:
        DatasetError: The folder, its orthophotos or the shared annotations are missing, a cemetery
            has two files of one kind, or a file belongs to no orthophoto.
    """
    if annotations is not None and not annotations.is_file():
        raise DatasetError(
            "file is missing", where=annotations, remedy="correct the setting data.annotations"
        )
    if not root.is_dir():
        raise DatasetError(
            "data folder is missing",
            where=root,
            remedy="name one with --data, or create one with `gravecli sample-data`",
        )
    found = {kind.folder: _find(root, kind, annotations) for kind in KINDS}
    orthophotos = found[ORTHOPHOTO.folder]
    if not orthophotos:
        raise DatasetError(
            "no orthophotos", where=root / ORTHOPHOTO.folder, expected="<cemetery>.tif"
        )
    for folder, files in found.items():
        _refuse_orphans(folder, files, orthophotos)
    cemeteries = tuple(
        Cemetery(
            name,
            path,
            dem=found[DEM.folder].get(name),
            annotations=found[ANNOTATIONS.folder].get(name)
            or (None if name in found[MASK.folder] else annotations),
            mask=found[MASK.folder].get(name),
            area=found[AREA.folder].get(name),
        )
        for name, path in sorted(orthophotos.items())
    )
    for cemetery in cemeteries:
        _refuse_two_labels(cemetery)
    return Manifest(root, cemeteries, _find_ground(root, orthophotos))


def manifest_of(data: DataSettings) -> Manifest:
    """Read the manifest of the data folder in the settings.

    train, hpo, check and dataset-id all use it, so that they agree on the files.

    Raises:
        DatasetError: As for `read_manifest`.
    """
    return read_manifest(data.root, Path(data.annotations) if data.annotations else None)


def sibling_dem(orthophoto: Path) -> Path | None:
    """Find the DEM of an orthophoto that lies in a data folder.

    Raises:
        DatasetError: There are two.
    """
    root = orthophoto.resolve().parent.parent
    if orthophoto.resolve().parent.name != ORTHOPHOTO.folder:
        return None
    return _find(root, DEM).get(cemetery_name(orthophoto))


def cemetery_name(orthophoto: Path) -> str:
    """Return the cemetery id from the file name of an orthophoto."""
    return _name_of(orthophoto, ORTHOPHOTO)


def _find(root: Path, kind: Kind, shared: Path | None = None) -> dict[str, Path]:
    """Find the files of one kind by cemetery, except one that belongs to all cemeteries."""
    folder = root / kind.folder
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.name.startswith(".") or path.suffix.lower() not in kind.endings:
            continue
        if shared is not None and path.samefile(shared):
            continue
        name = _name_of(path, kind)
        if name in found:
            raise DatasetError(
                f"two files for cemetery {name}",
                where=folder,
                found=f"{found[name].name} and {path.name}",
                expected="one",
                remedy="move one of them away",
            )
        found[name] = path
    return found


def _find_ground(root: Path, cemeteries: dict[str, Path]) -> tuple[Cemetery, ...]:
    """Find the ground without graves and its DEMs."""
    found = {kind: _find(root / GROUND, kind) for kind in KINDS}
    for kind, files in found.items():
        _refuse_orphans(f"{GROUND}/{kind.folder}", files, found[ORTHOPHOTO])
    for kind in (ANNOTATIONS, MASK):
        for path in found[kind].values():
            raise DatasetError(
                "ground without graves has no labels",
                where=path,
                remedy="move this file away, or the cemetery out of the folder ground/",
            )
    for name, path in found[ORTHOPHOTO].items():
        if name in cemeteries:
            raise DatasetError(
                f"two orthophotos are named {name}",
                where=path,
                found=f"also {cemeteries[name]}",
                remedy="rename one of them and its other files",
            )
    dems, areas = found[DEM], found[AREA]
    return tuple(
        Cemetery(name, path, dem=dems.get(name), area=areas.get(name), is_ground=True)
        for name, path in sorted(found[ORTHOPHOTO].items())
    )


def _name_of(path: Path, kind: Kind) -> str:
    stem = path.stem
    for tag in kind.tags:
        if stem.lower().endswith(tag) and len(stem) > len(tag):
            return stem[: -len(tag)]
    return stem


def _refuse_orphans(folder: str, files: dict[str, Path], orthophotos: dict[str, Path]) -> None:
    for name, path in files.items():
        if name not in orthophotos:
            raise DatasetError(
                f"no orthophoto for this file in {folder}",
                where=path,
                expected=f"{ORTHOPHOTO.folder}/{name}.tif",
                remedy="add the orthophoto, or move this file away",
            )


def _refuse_two_labels(cemetery: Cemetery) -> None:
    if cemetery.annotations and cemetery.mask:
        raise DatasetError(
            f"cemetery {cemetery.name} has annotations and a mask",
            where=cemetery.mask,
            found=f"also {cemetery.annotations}",
            expected="one of them",
            remedy="move one of them away",
        )
