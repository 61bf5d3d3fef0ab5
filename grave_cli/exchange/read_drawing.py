"""A file or folder of an annotation tool in, its drawing out, whatever its format."""

import json
from pathlib import Path
from typing import Any

from grave_cli.dataset.named_files import readable
from grave_cli.errors import DatasetError
from grave_cli.exchange import coco, label_studio, voc
from grave_cli.exchange.drawing import Drawing, wrong_content
from grave_cli.regular_files import check_regular

EXPECTED = "COCO (.json), Label Studio (.json), or Pascal VOC (.xml, or a folder of them)"


def read_drawing(source: Path) -> Drawing:
    """Read the annotations of a file, or of a folder of VOC files.

    Raises:
        DatasetError: It cannot be read, or is of another format.
    """
    if source.is_dir():
        return _read_voc(source)
    check_regular(source, DatasetError, EXPECTED)
    if source.suffix.lower() == ".xml":
        return _read_voc(source)
    content = _read_json(source)
    if isinstance(content, dict) and {"images", "annotations"} <= content.keys():
        tool, read = coco.TOOL, coco.read_coco
    elif isinstance(content, list):
        tool, read = label_studio.TOOL, label_studio.read_label_studio
    else:
        raise DatasetError("no annotations of a known tool", where=source, expected=EXPECTED)
    try:
        return read(content)
    except ValueError as error:
        raise wrong_content(source, tool, error) from None


def _read_json(source: Path) -> Any:
    with readable(source):
        raw = source.read_bytes()
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise DatasetError(
            "cannot be read as JSON", where=source, found=str(error), expected=EXPECTED
        ) from None


def _read_voc(source: Path) -> Drawing:
    paths = voc.files_in(source) if source.is_dir() else [source]
    if not paths:
        raise DatasetError("folder holds no annotations", where=source, expected=EXPECTED)
    images = []
    for path in paths:
        check_regular(path, DatasetError, "an XML file")
        try:
            with readable(path):
                images.append(voc.read_voc(path))
        except ValueError as error:
            raise wrong_content(path, voc.TOOL, error) from None
    return Drawing(voc.TOOL, tuple(images))
