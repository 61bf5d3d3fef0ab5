"""Rasters on a server: a link file holds the address, and nothing is fetched unless it is allowed.

A link file bears the name of the cemetery and the ending .url. It holds one address: as plain text,
or as the Internet shortcut that Windows makes of a link that is dragged to a folder. To the rest of
the program it is a file like any other; GDAL reads ranges of the raster behind it.

    https://…       the server must answer range requests
    s3://bucket/…   signed with the credentials of boto3 (extra `s3`), then read like https

Permission comes from `data.allow_remote`. It belongs to the process and starts as refused, so a
process that nobody told of it fetches nothing.
"""

import hashlib
import os
import re
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import lru_cache
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import IO, Any
from urllib.parse import SplitResult, quote, urlencode, urlsplit, urlunsplit
from urllib.request import HTTPRedirectHandler, OpenerDirector, Request, build_opener

import certifi

from grave_cli.errors import RasterReadError
from grave_cli.masking import mask, mask_url
from grave_cli.regular_files import check_regular
from grave_cli.wording import counted

LINK_ENDING = ".url"
"""Ending of a link file."""

_MOST_BYTES = 1 << 16  # of a link file
_TIMEOUT_S = 30.0
_SIGNED_S = 7 * 24 * 3600  # the longest that S3 allows
_SIGN_AGAIN_S = 1800.0  # before keys that are valid for an hour expire
_SHORTCUT = re.compile(r"^\s*URL\s*=\s*(\S+)\s*$", re.IGNORECASE | re.MULTILINE)
_PLAIN = "".join(map(chr, range(33, 127)))  # all of ASCII, % too
_IN_MESSAGE = re.compile(r"/vsicurl\S*")
# No file beside the raster is looked for, and every request ends: a stalled one is tried again.
_READING = {
    "list_dir": "no",
    "empty_dir": "yes",
    "connecttimeout": "10",
    "low_speed_limit": "1000",
    "low_speed_time": "30",
    "max_retry": "3",
    "retry_delay": "1",
}
# Ranges that were read once are kept, for the next window, the preview and the report. GDAL keeps
# none of those that it asks for side by side.
_CACHING = {"GDAL_HTTP_MULTIRANGE": "SERIAL", "CPL_VSIL_CURL_CACHE_SIZE": str(256 << 20)}
_CERTIFICATES = "GDAL_CURL_CA_BUNDLE"
_permission = {"remote": False}


@dataclass(frozen=True)
class Remote:
    """A raster on a server.

    Args:
        link: The link file.
        address: Its address as written; may hold a signature, so it is never shown unmasked.
        url: The URL to fetch, percent-encoded; that of an s3:// address is signed.
    """

    link: Path
    address: str
    url: str

    @property
    def gdal_name(self) -> str:
        """Name by which GDAL reads ranges of it."""
        is_signed = not self.address.lower().startswith("https:")
        signed = {"use_head": "no"} if is_signed else {}  # signed for GET alone
        return f"/vsicurl?{urlencode({**_READING, **signed, 'url': self.url}, quote_via=quote)}"


@dataclass(frozen=True)
class Stamp:
    """The state of a raster on a server.

    Args:
        size: Size in bytes.
        mtime_ns: Time of its last change, nanoseconds since 1970; 0 if the server does not say.
        tag: The server's own mark of this version; empty without one.
    """

    size: int
    mtime_ns: int
    tag: str


def permit(allowed: bool) -> None:
    """Set whether this process may fetch rasters; see `data.allow_remote`."""
    _permission["remote"] = allowed
    if allowed:
        _set_up_gdal()


def _set_up_gdal() -> None:
    """Set GDAL's own variables, which hold in all threads, unless somebody has set them.

    GDAL shall trust the certificates that Python trusts, those of an office's own server too;
    rasterio names another list in this variable.
    """
    for name, value in _CACHING.items():
        os.environ.setdefault(name, value)
    system = ssl.get_default_verify_paths().cafile  # SSL_CERT_FILE, or the list of the system
    if system and os.environ.get(_CERTIFICATES) in (None, certifi.where()):
        os.environ[_CERTIFICATES] = system


def is_permitted() -> bool:
    """Return whether this process may fetch rasters."""
    return _permission["remote"]


def is_link(path: Path) -> bool:
    """Return whether a file is a link file, by its name."""
    return path.suffix.lower() == LINK_ENDING


def find_remote(link: Path) -> Remote:
    """Read a link file.

    Raises:
        RasterReadError: Remote data is not allowed, or the file holds no address that is read.
    """
    check_regular(link, RasterReadError, "a link file")
    refuse_unpermitted(link)
    address = _read(link)
    parts = _check(address, link)
    if parts.scheme.lower() == "https":
        return Remote(link, address, _encoded(parts))
    return Remote(link, address, _sign(parts, link))


def refuse_unpermitted(where: Path | str) -> None:
    """Refuse to fetch a raster if this process may not.

    Raises:
        RasterReadError: Remote data is not allowed.
    """
    if not is_permitted():
        raise RasterReadError(
            "remote data is not allowed",
            where=where,
            expected="a raster on this machine",
            remedy="download it, or allow it with `--set data.allow_remote=true`",
        )


def stamp_of(remote: Remote) -> Stamp:
    """Ask the server for the size, time and version of a raster.

    Raises:
        RasterReadError: The server does not answer, or has no such file.
    """
    # The answer to a signed address is that to GET; one byte of it says the same as HEAD.
    with _ask(remote, {"Range": "bytes=0-0"}) as answer:
        whole = answer.headers.get("Content-Range", "").rpartition("/")[2]
        length = whole or answer.headers.get("Content-Length", "")
        changed, tag = (answer.headers.get(key, "") for key in ("Last-Modified", "ETag"))
    if not length.isdecimal():
        raise _unusable(remote, "an answer without a size")
    return Stamp(int(length), _nanoseconds(changed), tag)


def fingerprint_of(link: Path) -> str:
    """Fingerprint a raster on a server by its size and version, or time.

    Returns:
        16 hexadecimal digits, the same for every signature of an address.

    Raises:
        RasterReadError: It cannot be asked for.
    """
    stamp = stamp_of(find_remote(link))
    text = f"{stamp.size}\t{stamp.tag or stamp.mtime_ns}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@contextmanager
def open_bytes(remote: Remote) -> Iterator[IO[bytes]]:
    """Read all bytes of a raster, from the first to the last.

    Raises:
        RasterReadError: The server does not answer, or stops.
    """
    with _ask(remote, {}) as answer:
        yield answer


def shown(error: object, link: Path) -> str:
    """Word a message of GDAL about a raster on a server, without the secrets of its address."""
    return mask(_IN_MESSAGE.sub(lambda _: mask_url(link.name), str(error)))


def _read(link: Path) -> str:
    try:
        with link.open("rb") as file:
            text = file.read(_MOST_BYTES).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise RasterReadError("link cannot be read", where=link, found=error) from None
    shortcut = _SHORTCUT.search(text)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if shortcut is None and len(lines) != 1:
        raise RasterReadError(
            "not a link file",
            where=link,
            found=counted(len(lines), "line") if lines else "an empty file",
            expected="one address, such as https://host/town.tif or s3://bucket/town.tif",
        )
    return shortcut[1] if shortcut else lines[0]


def _check(address: str, link: Path) -> SplitResult:
    try:
        parts = urlsplit(address)
        is_usable = parts.scheme.lower() in ("https", "s3") and bool(parts.hostname)
        is_usable &= address.isprintable() and len(parts.path.strip("/")) > 0
        is_plain = parts.username is None and not parts.fragment
        is_web = parts.scheme.lower() == "https"
        _encoded(parts)  # fails on a host that cannot be
        is_plain &= " " not in address if is_web else not parts.query
    except ValueError:
        is_usable = is_plain = False
    if not is_usable or not is_plain:
        raise RasterReadError(
            "address is not read",
            where=link,
            found=mask_url(address),
            expected="https://host/town.tif or s3://bucket/town.tif, without a user name",
            remedy="correct the link, or download the file",
        )
    return parts


def _encoded(parts: SplitResult) -> str:
    """Percent-encode what no request may hold, such as umlauts; what is encoded already stays.

    Raises:
        ValueError: The name of the host cannot be encoded.
    """
    host = parts.netloc if parts.netloc.isascii() else parts.netloc.encode("idna").decode("ascii")
    path, query = (quote(text, safe=_PLAIN) for text in (parts.path, parts.query))
    return urlunsplit((parts.scheme, host, path, query, ""))


def _sign(parts: SplitResult, link: Path) -> str:
    try:
        return _signed(parts.netloc, parts.path.lstrip("/"), int(time.monotonic() / _SIGN_AGAIN_S))
    except ImportError:
        found, remedy = "no boto3", 'install it with `pip install "gravemapper[s3]"`'
    except Exception as error:  # botocore's errors have no common class that needs no import
        found, remedy = mask(str(error)), "check the credentials and the profile of AWS"
    raise RasterReadError(
        "s3:// address cannot be signed", where=link, found=found, remedy=remedy
    ) from None


@lru_cache(maxsize=4096)
def _signed(bucket: str, key: str, half_hours: int) -> str:
    """Sign an address once in half an hour: GDAL keeps the ranges that it has read by URL."""
    import boto3
    from botocore.config import Config

    client: Any = boto3.client("s3", config=Config(signature_version="s3v4"))
    name = {"Bucket": bucket, "Key": key}
    return str(client.generate_presigned_url("get_object", Params=name, ExpiresIn=_SIGNED_S))


class _OnlySafer(HTTPRedirectHandler):
    """Follows no redirection from https to http or anything else."""

    def redirect_request(self, req: Request, *rest: Any) -> Request | None:
        new = super().redirect_request(req, *rest)
        if new is not None and new.type != "https":
            raise HTTPException("a redirection that leaves https")
        return new


@lru_cache(maxsize=1)
def _opener() -> OpenerDirector:
    return build_opener(_OnlySafer)


@contextmanager
def _ask(remote: Remote, headers: dict[str, str]) -> Iterator[HTTPResponse]:
    try:
        with _opener().open(Request(remote.url, headers=headers), timeout=_TIMEOUT_S) as answer:
            yield answer
    except (OSError, HTTPException, ValueError) as error:
        raise _unusable(remote, mask(str(error), remote.url, remote.address)) from None


def _unusable(remote: Remote, found: str) -> RasterReadError:
    return RasterReadError(
        "server does not give this file",
        where=remote.link,
        found=f"{found} from {mask_url(remote.address)}",
        expected="a file whose ranges may be read",
        remedy="check the address, the network and the credentials",
    )


def _nanoseconds(date: str) -> int:
    try:
        return int(parsedate_to_datetime(date).timestamp()) * 1_000_000_000
    except (ValueError, TypeError):
        return 0
