"""A server on this machine that counts who calls: for tests that nothing is fetched.

It runs in a process of its own, because GDAL waits for an answer while it holds Python's lock.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class CountingServer:
    """The address of the server, and the file in which it notes each connection."""

    url: str
    log: Path

    @property
    def calls(self) -> list[str]:
        return self.log.read_text("utf-8").splitlines()


@contextmanager
def counting_server(folder: Path) -> Iterator[CountingServer]:
    """Run the server; it knows no page."""
    log = folder / "calls.txt"
    log.touch()
    process = subprocess.Popen(
        [sys.executable, __file__, str(log)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield CountingServer(f"http://127.0.0.1:{process.stdout.readline().strip()}", log)
    finally:
        process.terminate()
        process.communicate(timeout=60)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def get_request(self) -> Any:
        _note("connection")
        return super().get_request()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        _note(f"{self.command} {self.path}")
        self.send_response(404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_POST = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        pass


def _note(line: str) -> None:
    with open(sys.argv[1], "a", encoding="utf-8") as log:
        log.write(f"{line}\n")


if __name__ == "__main__":
    server = _Server(("127.0.0.1", 0), _Handler)
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()
