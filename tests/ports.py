"""Ports for servers of tests that run beside each other."""

import socket

HIGHEST = 60_000  # `--port` leaves room above for a second server


def unused_port() -> int:
    """Let the system choose: it seldom gives one port to two tests."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port <= HIGHEST:
            return port
