"""The source files of a VRT: paths to open them, and their spelling in listings.

Source:
    https://gdal.org/en/stable/drivers/raster/vrt.html (SourceFilename, SourceDataset,
    relativeToVRT); GDAL follows a linked VRT before it looks for relative sources.
"""

import os
import posixpath
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass

from grave_cli.errors import DatasetError

_SOURCE_TAGS = frozenset({"sourcefilename", "sourcedataset"})
_ARCHIVE = re.compile(r"^/vsi(?:zip|tar|gzip|7z|rar)/")
_PART = re.compile(r'^[A-Za-z]\w+:(?:\d+:)?"?(.+?)"?(?::[^:/\\]*)?$')  # GPKG:file:table


@dataclass(frozen=True, slots=True)
class VrtSource:
    """A source file of a VRT.

    Args:
        place: Path to open it.
        listed: Its spelling in listings: as written if absolute, or relative to the data folder.
    """

    place: str
    listed: str


def vrt_sources(place: str, location: str, listed: str) -> tuple[VrtSource, ...]:
    """Find the source files of a VRT, each once, in the order of the VRT.

    Args:
        place: Path of the VRT in the data set.
        location: Path of the VRT without symbolic links.
        listed: The VRT's spelling in listings.

    Raises:
        DatasetError: The VRT cannot be read, or a source is not a file on this machine.
    """
    folder = os.path.dirname(place if not os.path.islink(place) else location)
    sources = {
        _find(text, beside, folder, place, posixpath.dirname(listed)): None
        for text, beside in dict.fromkeys(_read(place))
    }
    return tuple(sources)


def _read(place: str) -> Iterator[tuple[str, bool]]:
    """Yield the text of each source, and whether it is relative to the VRT."""
    try:
        root = ET.parse(place).getroot()
    except (OSError, ET.ParseError, ValueError, LookupError) as error:
        raise DatasetError(
            "VRT cannot be read", where=place, found=error, expected="XML that GDAL wrote"
        ) from None
    for element in root.iter():
        text = (element.text or "").strip()
        if text and element.tag.lower() in _SOURCE_TAGS:
            flags = {name.lower(): value for name, value in element.attrib.items()}
            yield text, flags.get("relativetovrt") == "1"


def _find(text: str, beside: bool, folder: str, vrt: str, listed_folder: str) -> VrtSource:
    for file in _spellings(text):
        bases = (folder,) if beside else ("", folder)  # else GDAL looks in the working directory
        for base in bases:
            place = os.path.join(base, file)
            if os.path.isfile(place):
                return VrtSource(place, _list(file, listed_folder if base else ""))
    raise DatasetError(
        "source of this VRT is not a file on this machine",
        where=vrt,
        found=text,
        remedy="restore it, or convert the VRT to a GeoTIFF with gdal_translate",
    )


def _spellings(text: str) -> Iterator[str]:
    """Yield the paths a source may mean: itself, the file of a sub-dataset, the archive around it.

    `vrt://a.tif?bands=1` -> a.tif; `GPKG:a.gpkg:dem` -> a.gpkg; `/vsizip/a.zip/b.tif` -> a.zip
    """
    yield text
    bare = text.removeprefix("vrt://").partition("?")[0]
    yield bare
    if part := _PART.match(bare):
        yield part[1]
    archive = _ARCHIVE.sub("", bare)
    while archive != bare and archive.strip("/"):
        yield archive
        archive = archive.rpartition("/")[0]


def _list(file: str, listed_folder: str) -> str:
    return posixpath.normpath(posixpath.join(listed_folder, file.replace(os.sep, "/")))
