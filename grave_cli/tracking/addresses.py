"""Addresses of the pages that gravecli serves: free ports, and the names by which they are asked.

A page that answers to any name can be reached by foreign web sites: a site gives its own name the
address of this machine (DNS rebinding), and its scripts could then change studies and runs.
"""

import errno
import os
import socket
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlsplit

import psutil

from grave_cli.errors import TrackingError

HOST = "127.0.0.1"
_LOOPBACK = ("localhost", HOST, "::1")
_EVERYWHERE = ("0.0.0.0", "::")  # the server listens on all addresses of this machine
_PORTS = 100  # that are tried
_TAKEN = {errno.EADDRINUSE} | ({errno.EACCES} if os.name == "nt" else set())

# SO_REUSEADDR passes over connections that have just ended; on Windows it would also give a port
# that another program listens to.
_ALONE: int = getattr(socket, "SO_EXCLUSIVEADDRUSE", socket.SO_REUSEADDR)

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def free_port(first: int, host: str = HOST) -> int:
    """Find the first free port from a number on.

    Args:
        first: First number to try.
        host: Address of this machine to listen on.

    Raises:
        TrackingError: This machine does not have the address, the port is reserved, or a hundred
            ports in a row are in use.
    """
    family = family_of(host)
    for port in range(first, min(first + _PORTS, 65536)):
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, _ALONE, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                if error.errno not in _TAKEN:
                    raise _unusable(host, port, error) from None
                continue
            return port
    raise TrackingError("no free port", found=f"{first} to {first + _PORTS - 1} are in use")


def family_of(host: str) -> socket.AddressFamily:
    """Return the family of an address: IPv4 or IPv6.

    Raises:
        TrackingError: It is no address and no known name.
    """
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):  # UnicodeError: a part of the name is empty or too long
        raise _no_such_address(host) from None
    return found[0][0]


def is_loopback(host: str) -> bool:
    """Return whether an address can be reached from this machine alone."""
    return host.lower() in _LOOPBACK or host.startswith("127.")


def in_url(host: str) -> str:
    """Write an address as URLs and Host headers do: IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host


def own_hosts(host: str, port: int) -> frozenset[str]:
    """List the Host headers of requests to a server of this machine.

    Args:
        host: The address it listens on, which is answered beside the loopback names. If it stands
            for all addresses, so are each of them and the name of this machine.
        port: Its port.
    """
    names = {*_LOOPBACK, host}
    if host in _EVERYWHERE:
        names |= {*_addresses(), socket.gethostname(), f"{socket.gethostname()}.local"}
    ends = (f":{port}", "") if port == 80 else (f":{port}",)  # browsers leave the usual one out
    return frozenset(f"{in_url(name)}{end}".lower() for name in names for end in ends)


def answering_only(app: Application, hosts: frozenset[str]) -> Application:
    """Refuse the requests to a web application that come by another name, or from another site.

    Args:
        app: The application (WSGI).
        hosts: Host headers that are answered.

    Returns:
        The application; it answers other requests with 403.
    """

    def answer(request: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        origin = request.get("HTTP_ORIGIN")  # sent by browsers with every request that changes data
        named = request.get("HTTP_HOST", "").lower()
        if named in hosts and (origin is None or _host_of(origin) in hosts):
            return app(request, start)
        start("403 Forbidden", [("Content-Type", "text/plain; charset=utf-8")])
        return [f"Only these addresses are answered: {', '.join(sorted(hosts))}\n".encode()]

    return answer


def _host_of(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:  # brackets without an address
        return ""


def _addresses() -> list[str]:
    """List the addresses of this machine, the loopback ones first."""
    families = (socket.AF_INET, socket.AF_INET6)
    every = [one for card in psutil.net_if_addrs().values() for one in card]
    found = [one.address.partition("%")[0] for one in every if one.family in families]
    return sorted(set(found), key=lambda one: (not is_loopback(one), one))


def _unusable(host: str, port: int, error: OSError) -> TrackingError:
    if error.errno == errno.EACCES:
        return TrackingError(
            f"port {port} may not be used: {error.strerror}",
            remedy="choose a --port of 1024 or higher",
        )
    return _no_such_address(host)


def _no_such_address(host: str) -> TrackingError:
    return TrackingError(
        "this machine has no such address",
        found=host,
        expected=", ".join((*_addresses(), _EVERYWHERE[0])),
        remedy="choose another --host",
    )
