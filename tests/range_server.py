"""A server on this machine that gives ranges of files over TLS and notes each answer.

It runs in a process of its own, because GDAL waits for an answer while it holds Python's lock.
"""

import datetime
import ipaddress
import json
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Answer:
    """One answer: the file asked for, its status, and the place and number of its bytes."""

    method: str
    path: str
    status: int
    begin: int
    size: int


@dataclass(frozen=True)
class RangeServer:
    """The address of the server, its certificate, and the file in which it notes its answers."""

    url: str
    certificate: Path
    log: Path

    @property
    def answers(self) -> list[Answer]:
        return [Answer(**json.loads(line)) for line in self.log.read_text("utf-8").splitlines()]

    @property
    def sent_bytes(self) -> int:
        return sum(answer.size for answer in self.answers)


@contextmanager
def range_server(files: Path, folder: Path) -> Iterator[RangeServer]:
    """Give the files of a folder until the block ends; paths that begin with /slow never end.

    Args:
        files: The folder to give.
        folder: Place for the certificate and the notes.
    """
    certificate = _make_certificate(folder)
    log = folder / "answers.jsonl"
    log.touch()
    command = [sys.executable, __file__, str(files), str(certificate), str(log)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        yield RangeServer(f"https://127.0.0.1:{port}", certificate, log)
    finally:
        process.terminate()
        process.communicate(timeout=60)


def _make_certificate(folder: Path) -> Path:
    """Write a key and a certificate of its own for this machine into one file."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    own = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(own, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)
    path = folder / "certificate.pem"
    path.write_bytes(
        key.private_bytes(*form, plain) + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path.startswith("/slow"):
            time.sleep(600)
        file = Path(sys.argv[1]) / path.lstrip("/")
        if path.startswith("/moved"):
            self._answer(302, b"", {"Location": f"http://127.0.0.1:9/{path}"})
        elif not file.is_file():
            self._answer(404, b"")
        else:
            self._give(file)

    do_HEAD = do_GET

    def _give(self, file: Path) -> None:
        data = file.read_bytes()
        changed = datetime.datetime.fromtimestamp(int(file.stat().st_mtime), datetime.UTC)
        headers = {
            "Accept-Ranges": "bytes",
            "Last-Modified": changed.strftime("%a, %d %b %Y %H:%M:%S GMT"),
        }
        wanted = self.headers.get("Range", "")
        if not wanted.startswith("bytes="):
            self._answer(200, data, headers)
            return
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        begin, end = int(first), min(int(last or len(data)), len(data) - 1)
        headers["Content-Range"] = f"bytes {begin}-{end}/{len(data)}"
        self._answer(206, data[begin : end + 1], headers, begin)

    def _answer(
        self, status: int, body: bytes, headers: dict[str, str] | None = None, begin: int = 0
    ) -> None:
        sent = b"" if self.command == "HEAD" else body
        place = {"begin": begin, "size": len(sent)}
        note = {"method": self.command, "path": self.path, "status": status, **place}
        with open(sys.argv[3], "a", encoding="utf-8") as log:
            log.write(f"{json.dumps(note)}\n")
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(sent)

    def log_message(self, format: str, *args: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no fault of the server."""


def _serve() -> None:
    server = _Server(("127.0.0.1", 0), _Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[2])
    server.socket = context.wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    _serve()
