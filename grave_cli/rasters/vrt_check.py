"""A VRT is checked before GDAL opens it: all of its sources lie in or below its folder.

GDAL opens whatever a VRT names: any file of the machine, the net, also as raw bytes. So a VRT is
read here first, and one that says more than "these tiles, put together" is refused.

Source:
    https://gdal.org/en/stable/drivers/raster/vrt.html (SourceFilename, SourceDataset,
    relativeToVRT, subClass). GDAL's parser takes an attribute for an element and the reverse.
"""

import os
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

from grave_cli.errors import RasterReadError
from grave_cli.wording import quoted

_SOURCE_TAGS = frozenset({"sourcefilename", "sourcedataset"})
_CLASSES = frozenset(
    {"vrtdataset", "vrtwarpeddataset", "vrtsourcedrasterband", "vrtwarpedrasterband"}
)
_OPTIONS = frozenset(
    {"num_threads", "overview_level", "georef_sources", "table", "sparse_ok", "band_count"}
)
_READS_MORE = re.compile(r"geoloc|rpc|pixelfunction|cutline_?ds")  # names of elements
_FREE_TEXT = frozenset({"mdi", "srs", "description", "category", "unittype", "metadata"})
_ADDRESS = re.compile(r"/vsi|://|<", re.IGNORECASE)
_PREFIX = re.compile(r"^\w\w+:")  # not the drive of a Windows path
_TABLE = re.compile(r'^GPKG:"?([^:"][^"]*?)"?(?::[^:/\\]*)?$', re.IGNORECASE)
_MARKUP = re.compile(rb"<!(?!--)|<\?(?!xml\s)|<!--.*?-->", re.DOTALL)
_MOST_BYTES = 1 << 28


def vrt_sources(path: Path) -> tuple[Path, ...]:
    """Find the source files of a VRT, one for each mention.

    Args:
        path: The VRT.

    Raises:
        RasterReadError: The VRT cannot be read or is no plain mosaic, or a source is missing, lies
            elsewhere than in or below its folder, or is not a file.
    """
    named = list(_named(_parse(path), path))
    # GDAL follows a linked VRT before it looks for relative sources.
    home = path.resolve().parent if path.is_symlink() else path.parent
    found = {source: _find(*source, home, path) for source in set(named)}
    return tuple(found[source] for source in named)


def _parse(path: Path) -> ET.Element:
    """Parse a VRT, if GDAL's own parser cannot see another text in it."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError(f"more than {_MOST_BYTES >> 20} MB")
        data = path.read_bytes()
        data.decode("utf-8")
        if any(not found.startswith(b"<!--") for found in _MARKUP.findall(data)):
            raise ValueError("a declaration such as DOCTYPE or CDATA")
        root = ET.fromstring(data)
        if root.tag.lower() != "vrtdataset":
            raise ValueError(f"the element {root.tag}")
        return root
    except (OSError, ET.ParseError, ValueError, LookupError, RecursionError) as error:
        raise RasterReadError(
            "VRT cannot be read",
            where=path,
            found=error,
            expected="XML that GDAL wrote",
            remedy="create it again with gdalbuildvrt",
        ) from None


def _named(root: ET.Element, path: Path) -> Iterator[tuple[str, bool]]:
    """Yield the text of each source and whether it is relative to the VRT; refuse all else."""
    for element in root.iter():
        tag = element.tag.rpartition("}")[2].lower()
        values = {name.rpartition("}")[2].lower(): text for name, text in element.attrib.items()}
        if "".join(element.itertext()).strip() and (not len(element) or tag in _SOURCE_TAGS):
            values[tag] = "".join(element.itertext())
        if _READS_MORE.search(tag):
            raise _refused(path, tag)
        for name, value in values.items():
            text = value.strip()
            if name in _SOURCE_TAGS:
                yield text, values.get("relativetovrt") == "1"
            elif problem := _problem(tag, name, text):
                raise _refused(path, problem)
        if tag == "ooi" and values.get("key", "").lower() not in _OPTIONS:
            raise _refused(path, f"the option {values.get('key')}")


def _problem(tag: str, name: str, text: str) -> str | None:
    if name == "subclass" and text.lower() not in _CLASSES:
        return text
    if _READS_MORE.search(name):
        return name
    if tag not in _FREE_TEXT and _ADDRESS.search(text):
        return text
    return None


def _refused(path: Path, found: str) -> RasterReadError:
    return RasterReadError(
        "VRT does more than put files together",
        where=path,
        found=" ".join(found.split())[:100],
        expected="a mosaic of raster files in or below its folder",
        remedy=f"`gdal_translate {quoted(path.name)} {quoted(path.stem + '.tif')}` makes a GeoTIFF "
        "of it, if you trust it",
    )


def _find(text: str, is_relative: bool, home: Path, vrt: Path) -> Path:
    table = _TABLE.match(text)
    name = table[1] if table else text
    if _ADDRESS.search(text) or (_PREFIX.match(text) and not table) or "\0" in text:
        raise _refused(vrt, text)
    bases = (home,) if is_relative else (Path(), home)  # else GDAL looks in the working directory
    places = [base / name for base in bases]
    there = [place for place in places if os.path.lexists(place)]
    if not there:
        raise RasterReadError(
            "source of this VRT is not a file on this machine",
            where=vrt,
            found=text,
            expected="a raster in or below the folder of the VRT",
            remedy="restore it, or convert the VRT to a GeoTIFF with gdal_translate",
        )
    homes = {home.resolve(), vrt.parent.resolve()}
    for place in there:
        if not any(place.resolve().is_relative_to(folder) for folder in homes):
            raise RasterReadError(
                "source of this VRT lies outside its folder",
                where=vrt,
                found=text,
                expected="a raster in or below the folder of the VRT",
                remedy="move the files into a folder beside the VRT and build it again, or convert "
                "it to a GeoTIFF with gdal_translate",
            )
    return there[0]
