"""Images that somebody annotated, by name: orthophotos, smaller copies of them, or chips."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath, PureWindowsPath
from urllib.parse import unquote

from affine import Affine

from grave_cli.dataset.file_kinds import ORTHOPHOTO, composed, name_of
from grave_cli.dataset.named_files import find_files
from grave_cli.errors import DatasetError
from grave_cli.exchange.chip_index import read_chip_index
from grave_cli.rasters.orthophoto import inspect_orthophoto
from grave_cli.wording import counted

_ALIKE = 0.01  # largest relative difference of the two scales of a smaller copy
_UPLOADED = re.compile(r"^[0-9a-f]{8}-(?=.)")  # Label Studio, to uploaded files
_ADDED = (
    _UPLOADED,
    re.compile(r"(_(png|jpe?g|tiff?))?\.rf\.\w+$", re.IGNORECASE),  # Roboflow
)


@dataclass(frozen=True)
class Place:
    """Where an image lies.

    Args:
        cemetery: The cemetery that it shows.
        crs: CRS of the transform, as WKT.
        transform: Pixel (column, row) of the orthophoto, or of the cemetery's grid -> CRS units.
        columns: Columns of the image.
        rows: Rows of the image.
        offset: Column and row of a chip on the cemetery's grid; None for a whole orthophoto.
    """

    cemetery: str
    crs: str
    transform: Affine
    columns: int
    rows: int
    offset: tuple[int, int] | None = None

    def scale_of(self, size: tuple[int, int] | None, name: str, where: Path) -> tuple[float, float]:
        """Return the factors from pixels that were annotated to pixels of this image.

        Args:
            size: Columns and rows of the image that was annotated; None: the same.
            name: Its name, for the error.
            where: The file of the annotations, for the error.

        Raises:
            DatasetError: It is no copy of this image, smaller or larger.
        """
        if size is None or size == (self.columns, self.rows):
            return 1.0, 1.0
        across, down = self.columns / size[0], self.rows / size[1]
        if abs(across / down - 1) > _ALIKE or self.offset is not None:
            raise DatasetError(
                f"annotations were drawn on another image than {name}",
                where=where,
                found=f"{size[0]} x {size[1]} pixels",
                expected=f"{self.columns} x {self.rows}"
                + ("" if self.offset else ", or a copy with the same proportions"),
            )
        return across, down


class ImagePlaces:
    """The images of a folder: orthophotos, or chips of `gravecli export-chips`.

    Args:
        folder: The folder.

    Raises:
        DatasetError: The folder or its list of chips cannot be used, or two orthophotos bear the
            name of one cemetery.
    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise DatasetError(
                "folder of the orthophotos is missing",
                where=folder,
                remedy="name it with --orthophotos",
            )
        self._folder = folder
        self._files, _ = find_files(folder, ORTHOPHOTO)
        self._places: dict[str, Place] = {}

    def find(self, name: str) -> Place | None:
        """Find an image by the name that an annotation tool wrote; None if there is none.

        Raises:
            GridError: An orthophoto has no usable CRS or geotransform.
            RasterReadError: It cannot be opened.
        """
        for stem in _spellings(name):
            if stem in self._chips:
                return self._chips[stem]
            cemetery = name_of(Path(f"{stem}.tif"), ORTHOPHOTO)
            if cemetery in self._files:
                return self._orthophoto(cemetery)
        return None

    @property
    def files(self) -> Collection[Path]:
        """The orthophotos in the folder."""
        return self._files.values()

    @property
    def listing(self) -> str:
        """What the folder holds, in words."""
        if self._chips:
            return counted(len(self._chips), "chip")
        return ", ".join(path.name for path in self._files.values()) or "no orthophotos"

    @cached_property
    def _chips(self) -> dict[str, Place]:
        index = read_chip_index(self._folder)
        if index is None:
            return {}
        return {
            composed(PurePosixPath(chip.file).stem): Place(
                chip.cemetery,
                index.grids[chip.cemetery].crs,
                index.grids[chip.cemetery].affine,
                chip.size_px,
                chip.size_px,
                (chip.column, chip.row),
            )
            for chip in index.chips
        }

    def _orthophoto(self, cemetery: str) -> Place:
        if cemetery not in self._places:
            found = inspect_orthophoto(self._files[cemetery]).georeference
            self._places[cemetery] = Place(
                cemetery, found.crs, found.transform, found.width, found.height
            )
        return self._places[cemetery]


def version_of(name: str) -> PurePosixPath:
    """Return what tells the versions of an image apart: its name with folders and additions.

    Only its ending, and what Label Studio adds at each upload of the same file, do not count.
    """
    path = PurePosixPath(composed(PureWindowsPath(name).as_posix()))
    return path.with_name(_UPLOADED.sub("", path.stem) or path.stem)


def _spellings(name: str) -> Iterator[str]:
    """Yield the stem of an image's name as written, without what tools add to it, and unquoted."""
    written = composed(PurePosixPath(PureWindowsPath(name).name).stem)
    for stem in dict.fromkeys((written, composed(unquote(written)))):
        yield stem
        for pattern in _ADDED:
            if (shorter := pattern.sub("", stem)) != stem:
                yield shorter
