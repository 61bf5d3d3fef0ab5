"""The manifest of a data folder: its cemeteries and their files, with nothing silently skipped.

The layout (only orthophotos/ and labels are required):

    orthophotos/<cemetery>.tif    may end in _ortho, _orthophoto, _orthomosaic, or as Pix4D writes
    dems/<cemetery>.tif           may end in _dem, _dsm, _dtm; a _dtm beside another is its ground
    annotations/<cemetery>.gpkg   may end in _graves, _annotations
    masks/<cemetery>.tif          instead of annotations; may end in _mask
    areas/<cemetery>.gpkg         the labelled part; may end in _area
    ground/                       ground without any grave, to train on: orthophotos/, dems/, areas/

A hyphen, a blank or a dot is as good as the underscore (WebODM writes <task>-orthophoto.tif), and a
file may bear the whole name of its orthophoto. Names are compared in composed form (NFC), because
macOS decomposes them. The folder of an OpenDroneMap project is read as a data folder with one
cemetery (`odm_project.py`).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from grave_cli.dataset.file_kinds import (
    ANNOTATIONS,
    AREA,
    DEM,
    DTM,
    GROUND,
    KINDS,
    MASK,
    ORTHOPHOTO,
    Kind,
    composed,
    conversion,
    is_geodatabase,
    kind_of,
    misnamed,
    name_of,
)
from grave_cli.dataset.misplaced import (
    find_astray,
    misnamed_folder,
    no_folder,
    no_orthophotos,
)
from grave_cli.dataset.named_files import find_files, readable, take_file
from grave_cli.dataset.odm_project import OdmProject, read_project
from grave_cli.errors import DatasetError
from grave_cli.settings.inputs import DataSettings


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
        dtm: Heights of the ground below the DEM, without the things on it; None without them.
    """

    name: str
    orthophoto: Path
    dem: Path | None = None
    annotations: Path | None = None
    mask: Path | None = None
    area: Path | None = None
    is_ground: bool = False
    dtm: Path | None = None

    @property
    def labels(self) -> Path | None:
        """The file with the graves: annotations or mask."""
        return self.annotations or self.mask

    @property
    def files(self) -> Iterator[Path]:
        """All files of this cemetery."""
        optional = (self.dem, self.dtm, self.annotations, self.mask, self.area)
        yield self.orthophoto
        yield from (path for path in optional if path is not None)


@dataclass(frozen=True)
class Manifest:
    """The cemeteries of a data folder, sorted by name.

    Args:
        root: The data folder.
        cemeteries: Its cemeteries.
        ground: Its orthophotos of ground without graves.
        unread: Files of data in its folders that are not read, sorted.
        project: The OpenDroneMap project that the folder is; None for the layout above.
    """

    root: Path
    cemeteries: tuple[Cemetery, ...]
    ground: tuple[Cemetery, ...] = ()
    unread: tuple[Path, ...] = ()
    project: OdmProject | None = None

    def __getitem__(self, name: str) -> Cemetery:
        """Find a cemetery by name.

        Raises:
            DatasetError: There is no such cemetery.
        """
        everything = (*self.cemeteries, *self.ground)
        wanted = composed(name)
        for cemetery in everything:
            if cemetery.name == wanted:
                return cemetery
        names = ", ".join(cemetery.name for cemetery in everything)
        raise DatasetError("no such cemetery", where=self.root, found=name, expected=names)


def read_manifest(root: Path, annotations: Path | None = None) -> Manifest:
    """Find the cemeteries of a data folder and the files of each.

    Args:
        root: The data folder.
        annotations: One file with the graves of all cemeteries that have no labels of their own.

    Raises:
        DatasetError: The folder, its orthophotos or the shared annotations are missing, a folder
            cannot be read, a cemetery has two files of one kind, or a file has no orthophoto.
    """
    with readable(root):
        return _read(root, annotations)


def _read(root: Path, annotations: Path | None) -> Manifest:
    if annotations is not None and not (annotations.is_file() or is_geodatabase(annotations)):
        raise DatasetError(
            "file is missing", where=annotations, remedy="correct the setting data.annotations"
        )
    if not root.is_dir():
        raise no_folder(root)
    project = read_project(root)
    found = _find_all(root, annotations, project)
    orthophotos = found.files[ORTHOPHOTO]
    if not orthophotos:
        raise no_orthophotos(root, found.unread)
    files = found.files
    cemeteries = tuple(
        Cemetery(
            name,
            path,
            dem=files[DEM].get(name),
            dtm=files[DTM].get(name),
            annotations=files[ANNOTATIONS].get(name)
            or (None if name in files[MASK] else annotations),
            mask=files[MASK].get(name),
            area=files[AREA].get(name),
        )
        for name, path in sorted(orthophotos.items())
    )
    for cemetery in cemeteries:
        _refuse_two_labels(cemetery)
    ground = _find_all(root / GROUND, None)
    unread = tuple(sorted([*found.unread, *ground.unread, *find_astray(root, annotations)]))
    return Manifest(root, cemeteries, _as_ground(ground, orthophotos), unread, project)


def unread_notes(manifest: Manifest) -> Iterator[str]:
    """Name the files of data that are not read, and the file that is taken instead."""
    yield from manifest.project.notes if manifest.project else ()
    used = {
        (path.parent, name_of(path, kind_of(path))): path
        for cemetery in (*manifest.cemeteries, *manifest.ground)
        for path in cemetery.files
    }
    for path in manifest.unread:
        if (name := misnamed(path)) is not None and path.is_dir():
            yield f"{path} is not read; expected a folder named {name}"
            continue
        if path.parent == manifest.root:
            folders = dict.fromkeys(one.folder for one in KINDS)
            yield f"{path} is not read; expected in {', '.join(folders)}"
            continue
        if path.is_dir() and not is_geodatabase(path):
            yield f"{path} is a folder, which is not read; {conversion(path)}"
            continue
        kind = kind_of(path)
        instead = used.get((path.parent, name_of(path, kind)))
        taken = f"{instead.name} is used" if instead else f"expected {', '.join(kind.endings)}"
        yield f"{path} is not read; {taken}"


def unread_file(manifest: Manifest, cemetery: str, kind: Kind) -> Path | None:
    """Return a file of a cemetery, or a folder, that is there but not read, for error messages."""
    for path in manifest.unread:
        if path.parent.name == kind.folder and name_of(path, kind) == cemetery:
            return path
    return misnamed_folder(manifest.unread, kind)


def manifest_of(data: DataSettings) -> Manifest:
    """Read the manifest of the data folder in the settings.

    train, hpo, check and dataset-id all use it, so that they agree on the files.

    Raises:
        DatasetError: As for `read_manifest`.
    """
    annotations = Path(data.annotations) if data.annotations else None
    return read_manifest(data.root, annotations)


@dataclass
class _Found:
    """The files of a folder of data: those of each kind by cemetery, and data that is not read."""

    files: dict[Kind, dict[str, Path]] = field(default_factory=dict)
    unread: list[Path] = field(default_factory=list)


def _find_all(root: Path, shared: Path | None, project: OdmProject | None = None) -> _Found:
    found = _Found()
    for kind in KINDS:
        found.files[kind], unread = find_files(root / kind.folder, kind, shared)
        found.unread += unread
    if project is not None:
        _take_project(found, project)
    orthophotos = found.files[ORTHOPHOTO]
    aliases = {composed(path.stem): name for name, path in orthophotos.items()}
    for kind in KINDS if orthophotos else ():
        owned: dict[str, Path] = {}
        for name, path in found.files[kind].items():
            take_file(owned, name if name in orthophotos else aliases.get(name, name), path)
        found.files[kind] = owned
        _refuse_orphans(root, kind, owned, orthophotos)
    dems, dtms = found.files[DEM], found.files[DTM]
    dems |= {name: dtms.pop(name) for name in dtms.keys() - dems.keys()}  # alone, it is the DEM
    return found


def _take_project(found: _Found, project: OdmProject) -> None:
    """Add the files of a project; labels lie in the folders of their kind within it."""
    files = {ORTHOPHOTO: project.orthophoto, DEM: project.dem, DTM: project.dtm}
    for kind, path in files.items():
        if path is not None:
            take_file(found.files[kind], project.name, path)


def _as_ground(found: _Found, cemeteries: dict[str, Path]) -> tuple[Cemetery, ...]:
    """Make ground without graves of the files in its folder."""
    for kind in (ANNOTATIONS, MASK):
        for path in found.files[kind].values():
            raise DatasetError(
                "ground without graves has no labels",
                where=path,
                remedy="move this file away, or the cemetery out of the folder ground/",
            )
    orthophotos = found.files[ORTHOPHOTO]
    for name, path in orthophotos.items():
        if name in cemeteries:
            raise DatasetError(
                f"two orthophotos are named {name}",
                where=path,
                found=f"also {cemeteries[name]}",
                remedy="rename one of them and its other files",
            )
    dems, dtms, areas = (found.files[kind] for kind in (DEM, DTM, AREA))
    return tuple(
        Cemetery(
            name, path, dems.get(name), area=areas.get(name), is_ground=True, dtm=dtms.get(name)
        )
        for name, path in sorted(orthophotos.items())
    )


def _refuse_orphans(
    root: Path, kind: Kind, files: dict[str, Path], orthophotos: dict[str, Path]
) -> None:
    folder = f"{GROUND}/{kind.folder}" if root.name == GROUND else kind.folder
    lower = {name.lower(): path for name, path in orthophotos.items()}
    for name, path in files.items():
        if name not in orthophotos and name.lower() in lower:
            raise DatasetError(
                "its name differs from that of the orthophoto in capital letters",
                where=path,
                found=lower[name.lower()].name,
                remedy="rename one of them",
            )
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
