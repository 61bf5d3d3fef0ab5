"""Addresses on the command line: each becomes a link file, which every command reads."""

import hashlib
import re
from pathlib import Path, PurePosixPath
from urllib.parse import SplitResult, unquote, urlsplit

from grave_cli.errors import RasterReadError
from grave_cli.masking import mask_url
from grave_cli.remote import LINK_ENDING, refuse_unpermitted

_IN_NO_NAME = frozenset('<>:"|?*\\')  # on Windows
_ADDRESS = re.compile(r"^(https|s3):/+", re.IGNORECASE)


def as_link(given: Path, work_dir: Path) -> Path:
    """Write the link file of an address; return any other path as it is.

    The name of the link is that of the file on the server, so that the map is named after it.

    Args:
        given: A path, or an address that came as one.
        work_dir: Folder of the links, in cache/links/.

    Raises:
        ExportError: The link file cannot be written.
        RasterReadError: Remote data is not allowed, or the address holds a secret.
    """
    text = given.as_posix()  # two slashes have become one
    if not _ADDRESS.match(text):
        return given
    from grave_cli.atomic_writes import whole_file

    address = _ADDRESS.sub(lambda found: f"{found[1].lower()}://", text)
    refuse_unpermitted(mask_url(address))
    parts = urlsplit(address)
    if parts.query or parts.username is not None:
        raise RasterReadError(
            "an address with a signature or a user name would stay in the history of the shell",
            where=mask_url(address),
            remedy=f"write it to a file such as town{LINK_ENDING}, and name this file",
        )
    key = hashlib.sha256(address.encode()).hexdigest()[:12]
    link = work_dir / "cache" / "links" / key / f"{_name(parts)}{LINK_ENDING}"
    if not link.is_file() or link.read_text(encoding="utf-8") != f"{address}\n":
        with whole_file(link) as new:
            new.write_text(f"{address}\n", encoding="utf-8")
    return link


def _name(parts: SplitResult) -> str:
    """Return the name of a file on a server; browsers copy `Gr%C3%BCn%20Ost.tif`."""
    if parts.scheme == "https":
        name = PurePosixPath(unquote(parts.path)).stem
        if name.isprintable() and not _IN_NO_NAME & set(name):
            return name
    return PurePosixPath(parts.path).stem
