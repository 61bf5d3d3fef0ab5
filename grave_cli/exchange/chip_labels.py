"""Outlines on chips in, label files out: COCO instances or YOLO segments."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal, get_args

import numpy as np
import shapely

from grave_cli.exchange.chip_index import Chip

LabelFormat = Literal["coco", "yolo-seg"]
LABEL_FORMATS: tuple[LabelFormat, ...] = get_args(LabelFormat)
CATEGORY = "grave"

_DECIMALS = 2  # of a pixel
_YOLO_DECIMALS = 6  # of the edge of a chip
Outlines = Sequence[Sequence[shapely.Polygon]]


def image_path(name: str, split: str, form: LabelFormat) -> PurePosixPath:
    """Return where the image of a chip lies, as the users of a format expect."""
    return PurePosixPath(*(("images",) if form == "yolo-seg" else ()), split, f"{name}.png")


@dataclass
class CocoLabels:
    """Collects the labels of each split, and writes one JSON file for each.

    Args:
        about: What the files say of themselves.
    """

    about: str
    _splits: dict[str, dict[str, list[Any]]] = field(default_factory=dict)

    def add(self, chip: Chip, outlines: Outlines) -> None:
        """Add a chip and the outlines on it, in its pixels."""
        split = self._splits.setdefault(chip.split, {"images": [], "annotations": []})
        image_id = len(split["images"]) + 1
        name, size = PurePosixPath(chip.file).name, chip.size_px
        split["images"].append({"id": image_id, "file_name": name, "width": size, "height": size})
        for parts in outlines:
            annotation = {"id": len(split["annotations"]) + 1, "image_id": image_id}
            split["annotations"].append({**annotation, **_instance(parts)})

    def write(self, folder: Path) -> None:
        """Write the files."""
        (folder / "annotations").mkdir()
        for split, content in self._splits.items():
            whole = {
                "info": {"description": self.about},
                "licenses": [],
                **content,
                "categories": [{"id": 1, "name": CATEGORY, "supercategory": ""}],
            }
            path = folder / "annotations" / f"instances_{split}.json"
            path.write_text(json.dumps(whole) + "\n", encoding="utf-8")


@dataclass
class YoloLabels:
    """Collects the labels of each chip, and writes a text file for each and `data.yaml`.

    Args:
        about: What `data.yaml` says of itself.
    """

    about: str
    _lines: dict[Chip, list[str]] = field(default_factory=dict)

    def add(self, chip: Chip, outlines: Outlines) -> None:
        """Add a chip and the outlines on it, in its pixels."""
        self._lines[chip] = [_segment(part, chip.size_px) for parts in outlines for part in parts]

    def write(self, folder: Path) -> None:
        """Write the files; a chip without graves has an empty one."""
        for chip, lines in self._lines.items():
            path = folder / "labels" / chip.split / f"{PurePosixPath(chip.file).stem}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(f"{line}\n" for line in lines), encoding="ascii")
        (folder / "data.yaml").write_text(self._yaml(), encoding="utf-8")

    def _yaml(self) -> str:
        there = {chip.split for chip in self._lines}
        lines = [f"# {self.about}"]
        for split in ("train", "val", "test"):
            # Its users demand images to train and to validate on.
            named = split if split in there else "all" if "all" in there else None
            if named and not (named == "all" and split == "test"):
                lines.append(f"{split}: images/{named}")
        return "\n".join([*lines, "names:", f"  0: {CATEGORY}", ""])


def labels_of(form: LabelFormat, about: str) -> CocoLabels | YoloLabels:
    """Return the collector of a format."""
    return CocoLabels(about) if form == "coco" else YoloLabels(about)


def _instance(parts: Sequence[shapely.Polygon]) -> dict[str, Any]:
    """Describe a grave; neither format knows holes, so that they are filled."""
    left, top, right, bottom = shapely.total_bounds(np.array(parts, dtype=object)).tolist()
    rings = [_corners(part).round(_DECIMALS).ravel().tolist() for part in parts]
    return {
        "category_id": 1,
        "segmentation": rings,
        "area": round(sum(shapely.Polygon(part.exterior).area for part in parts), _DECIMALS),
        "bbox": _rounded((left, top, right - left, bottom - top)),
        "iscrowd": 0,
    }


def _segment(part: shapely.Polygon, size_px: int) -> str:
    shares = (_corners(part) / size_px).ravel()
    return " ".join(["0", *(f"{share:.{_YOLO_DECIMALS}f}" for share in shares)])


def _corners(part: shapely.Polygon) -> np.ndarray:
    """Return the corners of a polygon, the first one not repeated."""
    return np.asarray(shapely.get_coordinates(part.exterior)[:-1])


def _rounded(values: Iterable[float]) -> list[float]:
    return [round(value, _DECIMALS) for value in values]
