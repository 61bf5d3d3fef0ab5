"""JSON that is no GeoJSON, told by its first bytes."""

import re

_EXPORT = "export it as GeoPackage (QGIS: Export > Save Features As)"
_IMPORT = "`gravecli import-annotations` turns it into annotations of cemeteries"
_LISTS = re.compile(rb'"(images|annotations|categories|licenses)"\s*:\s*\[')


def other_json(head: bytes) -> tuple[str, str] | None:
    """Name the kind of JSON that is no GeoJSON, and its remedy; None if it may be GeoJSON.

    Args:
        head: First bytes of the file.
    """
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if text.startswith(b"["):
        return "a list in JSON, as Label Studio exports it", _IMPORT
    if not text.startswith(b"{"):
        return None
    if re.search(rb'"type"\s*:\s*"Topology"', head):
        return "TopoJSON", _EXPORT
    if b'"esriGeometry' in head:
        return "JSON of Esri", _EXPORT
    if _LISTS.search(head) and b'"Feature' not in head:
        return "annotations on images (COCO)", _IMPORT
    return None
