"""Text formats whose end may be missing: GDAL reads the rest, without a word."""

import codecs
from pathlib import Path
from xml.parsers import expat

from grave_cli.errors import DatasetError

_TAIL_BYTES = 100


def refuse_cut_text(path: Path, driver: str) -> None:
    """Refuse a GML, KML or DXF file that has lost its end.

    Args:
        path: The file.
        driver: Name of GDAL's driver for it.

    Raises:
        DatasetError: Features are missing at its end.
    """
    fault = _xml_fault(path) if driver in ("GML", "KML") else None
    if driver == "DXF" and not _ends_like_dxf(path):
        fault = "no EOF at its end"
    if fault is not None:
        raise DatasetError(
            "file is damaged or cut short",
            where=path,
            found=fault,
            expected="a whole file",
            remedy="copy it again, or export it again as UTF-8",
        )


def _xml_fault(path: Path) -> str | None:
    """Find the first fault of an XML file; external entities are not followed."""
    parser = expat.ParserCreate()
    try:
        with path.open("rb") as file:
            parser.ParseFile(file)
    except (expat.ExpatError, LookupError, ValueError) as error:  # the last two: its encoding
        return str(error)
    return None


def _ends_like_dxf(path: Path) -> bool:
    """Tell whether the last group of a DXF file is EOF; the binary form has the same word."""
    with path.open("rb") as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - _TAIL_BYTES))
        return b"EOF" in file.read().removeprefix(codecs.BOM_UTF8)
