"""GeoJSON whose CRS is a link, which GDAL would follow, is refused before GDAL opens it.

Source: https://gdal.org/en/stable/drivers/vector/geojson.html; the GeoJSON of 2008 (geojson.org)
knows `"crs": {"type": "link", "properties": {"href": ...}}`.
"""

import json
import re
from pathlib import Path
from typing import Any

from grave_cli.errors import DatasetError

# The usual member, which names a CRS. Without it and without escaped letters, no CRS can be stated.
_NAMED = re.compile(
    rb'"crs"\s*:\s*\{\s*"type"\s*:\s*"name"\s*,\s*'
    rb'"properties"\s*:\s*\{\s*"name"\s*:\s*"([^"\\]*)"\s*\}\s*\}'
)
_SUSPECT = re.compile(rb"crs|\\u00[4-7]", re.IGNORECASE)
_FETCHED = re.compile(r"://(?!(www\.)?opengis\.net/)|/vsi", re.IGNORECASE)


def refuse_linked_crs(path: Path, *, by_line: bool = False) -> None:
    """Refuse GeoJSON that states its CRS by a link, however it is spelt.

    Args:
        path: The file.
        by_line: Each line is a feature of its own.

    Raises:
        DatasetError: Its CRS is a link.
        ValueError: It is no JSON.
    """
    data = path.read_bytes()
    names = [match[1].decode("utf-8", "replace") for match in _NAMED.finditer(data)]
    for name in names:
        if _FETCHED.search(name):
            raise _linked(path, name)
    if _SUSPECT.search(_NAMED.sub(b"", data)):
        whole = data.decode("utf-8-sig")
        for text in filter(str.strip, whole.split("\n")) if by_line else (whole,):
            json.loads(text, object_pairs_hook=lambda pairs: _check(pairs, path))


def _check(pairs: list[tuple[str, Any]], path: Path) -> dict[str, Any]:
    """Check each object of the file; GDAL takes the last of several members of a name."""
    for name, value in pairs:
        if name.lower() == "crs" and isinstance(value, dict):
            members = {key.lower(): member for key, member in value.items()}
            kind = str(members.get("type", "name"))
            if kind.lower() not in ("name", "epsg"):
                raise _linked(path, f'"crs" of type "{kind}"')
            if _FETCHED.search(json.dumps(members.get("properties"))):
                raise _linked(path, json.dumps(members.get("properties")))
    return dict(pairs)


def _linked(path: Path, found: str) -> DatasetError:
    return DatasetError(
        "its CRS is a link",
        where=path,
        found=found,
        expected='a name, such as "urn:ogc:def:crs:EPSG::25832"',
        remedy="set its CRS in QGIS (Layer > Set CRS) and export it again",
    )
