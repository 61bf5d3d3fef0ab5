"""Splits for training, validation and test: whole cemeteries, or strips of one.

A strip holds a share of a cemetery's *graves* along its longer side, so that every strip has some.
A guard on both sides of each cut is left unused.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import shapely
from rasterio.windows import Window

from grave_cli.dataset.file_kinds import ANNOTATIONS, DEM, conversion
from grave_cli.dataset.manifest import Cemetery, Manifest, unread_file
from grave_cli.errors import DatasetError
from grave_cli.rasters.grid import WorkingGrid
from grave_cli.settings.inputs import DataSettings

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")
_HELD_OUT = 0.2  # mean share of the cemeteries that each of val and test gets


@dataclass(frozen=True)
class Strip:
    """A share of a cemetery's graves along its longer side.

    Args:
        start: Share of the graves before the strip, in [0, 1].
        stop: Share of the graves up to its end, in [0, 1].
    """

    start: float
    stop: float


@dataclass(frozen=True)
class Part:
    """The part of a cemetery that belongs to one split.

    Args:
        cemetery: The cemetery.
        split: train, val or test.
        strip: Strip of the cemetery; None: all of it.
    """

    cemetery: Cemetery
    split: Split
    strip: Strip | None = None

    @property
    def name(self) -> str:
        """The cemetery's name, with the split if the part is only a strip."""
        return self.cemetery.name if self.strip is None else f"{self.cemetery.name}:{self.split}"


def assign_parts(manifest: Manifest, data: DataSettings) -> tuple[Part, ...]:
    """Assign cemeteries, or strips of them, to the splits.

    The settings may list the cemeteries of each split. The rest is assigned by a fixed rule: a
    single cemetery is cut into strips; of two, one is for training and one for test; of more, each
    split gets at least one, and further cemeteries hardly change the split of the others. Without
    a validation cemetery, a strip of each training cemetery is used. Ground without graves is for
    training, whole, unless a list assigns it to another split.

    Args:
        manifest: The data set.
        data: Cemeteries of each split, shares of the strips, channels.

    Raises:
        DatasetError: A listed cemetery is missing or listed twice, nothing is left to train on, or
            a cemetery lacks labels or the DEM it needs.
    """
    chosen = _listed(manifest, data)
    ground = _take_ground(chosen, manifest)
    if not chosen["train"]:
        held_out = chosen["val"] + chosen["test"]
        _fill(chosen, [cemetery for cemetery in manifest.cemeteries if cemetery not in held_out])
    if not chosen["train"]:
        raise DatasetError("no cemetery is left to train on", where=manifest.root)
    spatial = len(chosen["train"]) == 1 and not chosen["test"]
    parts = [*_with_strips(chosen, data, spatial), *ground]
    for part in parts:
        _check_complete(part, data, manifest)
    return tuple(sorted(parts, key=lambda part: (SPLITS.index(part.split), part.cemetery.name)))


def strip_window(
    grid: WorkingGrid,
    graves: Sequence[shapely.Polygon],
    strip: Strip,
    guard_m: float,
    where: Path | None = None,
) -> Window:
    """Find the pixels of a strip.

    Args:
        grid: The whole cemetery's grid.
        graves: Its graves, in the grid's CRS.
        strip: The strip.
        guard_m: Metres left unused at each cut, half of them in this strip.
        where: The file, named in errors.

    Raises:
        DatasetError: The guard leaves nothing of the strip.
    """
    points = shapely.get_coordinates(shapely.centroid(np.asarray(graves, dtype=object)))
    columns, rows = ~grid.transform @ (points[:, 0], points[:, 1])
    along_columns = grid.width >= grid.height
    length = grid.width if along_columns else grid.height
    positions = np.sort(columns if along_columns else rows)
    guard = guard_m / grid.gsd_m / 2
    first = 0 if strip.start <= 0 else round(_cut(positions, strip.start) + guard)
    last = length if strip.stop >= 1 else round(_cut(positions, strip.stop) - guard)
    first, last = max(0, first), min(length, last)
    if last <= first:
        raise DatasetError(
            "cemetery is too small for a spatial split",
            where=where,
            found=f"{length * grid.gsd_m:.0f} m",
            expected="space for all strips and the guards between them",
            remedy="add a second cemetery, or set a smaller data.guard_m",
        )
    if along_columns:
        return Window(first, 0, last - first, grid.height)
    return Window(0, first, grid.width, last - first)


def _cut(positions: np.ndarray, share: float) -> float:
    return float(np.quantile(positions, share))


def _listed(manifest: Manifest, data: DataSettings) -> dict[str, list[Cemetery]]:
    chosen: dict[str, list[Cemetery]] = {
        split: [manifest[name] for name in getattr(data, split)] for split in SPLITS
    }
    names = [cemetery.name for split in SPLITS for cemetery in chosen[split]]
    for name, count in Counter(names).items():
        if count > 1:
            raise DatasetError(
                f"cemetery {name} is listed twice in data.train, data.val and data.test",
                where=manifest.root,
            )
    return chosen


def _fill(chosen: dict[str, list[Cemetery]], free: Sequence[Cemetery]) -> None:
    """Distribute the cemeteries that are in no list over the splits without a list.

    The hash of its name places each cemetery in [0, 1): the lowest fifth tests, the next validates.
    So a cemetery keeps its split when others are added, but for the first few: then the lowest ones
    serve, and at least one is left to train on. An addition turns a training into a test cemetery
    only where all of the first few lie in the lowest fifth: 4 of 100 pairs, 1 of 100 triples.
    """
    order = sorted(free, key=_placement)
    limit = 0.0
    for split in ("test", "val"):
        if chosen[split] or len(order) < 2:
            continue
        limit += _HELD_OUT
        later = 1 if split == "test" and not chosen["val"] and len(order) > 2 else 0
        below = sum(_placement(cemetery) < limit for cemetery in order)
        count = min(max(below, 1), len(order) - 1 - later)
        chosen[split], order = order[:count], order[count:]
    chosen["train"] = sorted(order, key=lambda cemetery: cemetery.name)


def _placement(cemetery: Cemetery) -> float:
    """Place a cemetery in [0, 1), evenly, by its name alone."""
    name = cemetery.name.encode("utf-8", "surrogateescape")  # no UTF-8, from another system
    digest = hashlib.sha256(name).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def _with_strips(
    chosen: dict[str, list[Cemetery]], data: DataSettings, spatial: bool
) -> list[Part]:
    test_start = 1 - data.test_share if spatial else 1.0
    parts: list[Part] = []
    for cemetery in chosen["train"]:
        if chosen["val"]:
            train_stop = test_start
        else:
            train_stop = test_start - data.val_share
            parts.append(Part(cemetery, "val", Strip(train_stop, test_start)))
        whole = train_stop >= 1
        parts.append(Part(cemetery, "train", None if whole else Strip(0.0, train_stop)))
        if spatial:
            parts.append(Part(cemetery, "test", Strip(test_start, 1.0)))
    for split in ("val", "test"):
        parts += [Part(cemetery, split) for cemetery in chosen[split]]
    return parts


def _take_ground(chosen: dict[str, list[Cemetery]], manifest: Manifest) -> list[Part]:
    """Move the ground without graves out of the lists, and make parts of all of it."""
    split_of: dict[Cemetery, Split] = dict.fromkeys(manifest.ground, "train")
    for split in SPLITS:
        split_of |= {one: split for one in chosen[split] if one.is_ground}
        chosen[split] = [one for one in chosen[split] if not one.is_ground]
    return [Part(one, split) for one, split in split_of.items()]


def _check_complete(part: Part, data: DataSettings, manifest: Manifest) -> None:
    cemetery = part.cemetery
    if cemetery.labels is None and not cemetery.is_ground:
        unread = unread_file(manifest, cemetery.name, ANNOTATIONS)
        raise DatasetError(
            f"no annotations for cemetery {cemetery.name} ({part.split})",
            where=cemetery.orthophoto,
            found=None if unread is None else f"{unread.name}, which is not read",
            expected=f"annotations/{cemetery.name}.gpkg or masks/{cemetery.name}.tif",
            remedy=conversion(unread)
            if unread
            else "add them, or list the cemeteries to use in data.train",
        )
    may_lack_dem = cemetery.is_ground and part.split == "train"  # its heights are blank then
    if data.channels == "rgb+dem" and cemetery.dem is None and not may_lack_dem:
        unread = unread_file(manifest, cemetery.name, DEM)
        raise DatasetError(
            f"no DEM for cemetery {cemetery.name} ({part.split})",
            where=cemetery.orthophoto,
            found=None if unread is None else f"{unread.name}, which is not read",
            expected=f"dems/{cemetery.name}.tif",
            remedy=conversion(unread) if unread else "add it, or train with --channels rgb",
        )
