"""The list of exported chips: where each lies, so that annotations on it find their place again."""

import json
import math
from pathlib import Path
from typing import Literal

from affine import Affine
from pydantic import BaseModel, ConfigDict, FiniteFloat, NonNegativeInt, PositiveInt
from pyproj.exceptions import ProjError

from grave_cli.dataset.named_files import readable
from grave_cli.errors import GridError
from grave_cli.exchange.drawing import wrong_content
from grave_cli.rasters.crs import LONLAT, parse_crs, transformer

INDEX_FILE = "chips.json"
_FORMAT: Literal["gravecli chips 1"] = "gravecli chips 1"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ChipGrid(_Frozen):
    """The working grid of a cemetery, from which its chips are cut.

    Args:
        crs: Its CRS, as WKT.
        transform: Pixel (column, row) -> CRS units, as a, b, c, d, e, f.
    """

    crs: str
    transform: tuple[FiniteFloat, FiniteFloat, FiniteFloat, FiniteFloat, FiniteFloat, FiniteFloat]

    @property
    def affine(self) -> Affine:
        """The transform."""
        return Affine(*self.transform)


class Chip(_Frozen):
    """A chip.

    Args:
        file: The image, relative to the folder of the list.
        split: train, val, test or all.
        cemetery: Its cemetery.
        column: Column of its left edge on the cemetery's grid; it may be negative.
        row: Row of its upper edge.
        size_px: Its edge.
        annotations: Number of graves on it, also of those that it cuts.
    """

    file: str
    split: str
    cemetery: str
    column: int
    row: int
    size_px: PositiveInt
    annotations: NonNegativeInt = 0


class ChipIndex(_Frozen):
    """All chips of a folder.

    Args:
        format: Name and version of the list.
        dataset_id: Id of the data set that they were cut from.
        gsd_m: Edge of a pixel on the ground, in metres.
        grids: Grids by cemetery.
        chips: The chips.
    """

    format: Literal["gravecli chips 1"] = _FORMAT
    dataset_id: str
    gsd_m: FiniteFloat
    grids: dict[str, ChipGrid]
    chips: tuple[Chip, ...]


def read_chip_index(folder: Path) -> ChipIndex | None:
    """Read the list of the chips in a folder; None if the folder has none.

    Raises:
        DatasetError: It is damaged.
    """
    path = folder / INDEX_FILE
    if not path.is_file():
        return None
    try:
        with readable(path):
            index = ChipIndex.model_validate(json.loads(path.read_bytes()))
        missing = {chip.cemetery for chip in index.chips} - set(index.grids)
        if missing:
            raise ValueError(f"no grid for {', '.join(sorted(missing))}")
        for name, grid in index.grids.items():
            _check_grid(name, grid)
    except (ValueError, RecursionError) as error:
        raise wrong_content(path, "`gravecli export-chips`", error) from None
    return index


def _check_grid(name: str, grid: ChipGrid) -> None:
    """Check that a grid lies somewhere on the Earth.

    Raises:
        ValueError: It does not.
    """
    try:
        parse_crs(grid.crs)
        corner = transformer(grid.crs, LONLAT).transform(*(grid.affine @ (0, 0)))
    except (GridError, ProjError):
        raise ValueError(f"the CRS of {name} is unknown") from None
    if not (all(map(math.isfinite, corner)) and grid.affine.determinant):
        raise ValueError(f"the grid of {name} lies nowhere on the Earth")


def write_chip_index(folder: Path, index: ChipIndex) -> None:
    """Write the list into the folder of the chips."""
    text = index.model_dump_json(indent=1)
    (folder / INDEX_FILE).write_text(f"{text}\n", encoding="utf-8")
