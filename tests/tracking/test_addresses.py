"""The dashboard answers requests that are meant for it, and says which addresses there are."""

import http.client
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest
from ports import unused_port
from support import another_account
from terminal import assert_refused, gravecli, start_gravecli

from grave_cli.errors import TrackingError
from grave_cli.tracking.addresses import answering_only, free_port, in_url, own_hosts
from grave_cli.tracking.server import mlflow_server

OURS = ("localhost:{port}", "127.0.0.1:{port}", "[::1]:{port}", "LOCALHOST:{port}")
FOREIGN = (
    *("evil.example", "evil.example:{port}", "localhost", "127.0.0.1:1", "localhost:{port}.evil"),
    *("127.0.0.1.evil.example:{port}", "10.evil.example:{port}", "192.168.1.9:{port}"),
    *("localhost:{port}, evil.example", "evil.example@localhost:{port}", ""),
)
UPGRADE = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}


def status(port: int, path: str, host: str, method: str = "GET", **headers: str) -> int:
    """The answer to a request that names a host; an empty name sends no Host header."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.putrequest(method, path, skip_host=True)
    body = b"{}" if method == "POST" else b""
    every = {"Host": host.format(port=port), "Content-Length": str(len(body)), **headers}
    for name, value in every.items():
        if value:
            connection.putheader(name.replace("_", "-"), value.format(port=port))
    connection.endheaders(body)
    answer = connection.getresponse().status
    connection.close()
    return answer


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Port of a dashboard of one study."""
    folder = tmp_path_factory.mktemp("addresses")
    (folder / "runs").mkdir()
    optuna.create_study(storage=f"sqlite:///{folder / 'runs' / 'optuna.db'}", study_name="seen")
    port = unused_port()
    process = start_gravecli("dashboard", "--no-browser", "--port", port, cwd=folder)
    assert process.stdout is not None
    address = process.stdout.readline().split()[-1]
    yield int(address.split("/")[2].split(":")[1])
    process.terminate()
    process.communicate(timeout=30)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Port of MLflow's pages, in a shell whose own servers are open to everybody."""
    store = f"sqlite:///{tmp_path_factory.mktemp('addresses') / 'mlflow.db'}"
    port = unused_port()
    opened = {
        "MLFLOW_SERVER_ALLOWED_HOSTS": "*",
        "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS": "*",
        "MLFLOW_SERVER_DISABLE_SECURITY_MIDDLEWARE": "true",
    }
    with mlflow_server(["--backend-store-uri", store], port, opened):
        yield port


PAGES = {"studies": "/api/studies", "runs": "/ajax-api/2.0/mlflow/experiments/search?max_results=1"}
CHANGES = {"studies": "/api/studies", "runs": "/ajax-api/2.0/mlflow/experiments/create"}


@pytest.mark.parametrize("kind", PAGES)
def test_only_this_machine_s_names_are_answered(kind: str, request: pytest.FixtureRequest) -> None:
    port = request.getfixturevalue(kind)
    assert {status(port, PAGES[kind], host) for host in OURS[:3]} == {200}
    answers = {host: status(port, PAGES[kind], host) for host in FOREIGN}
    assert set(answers.values()) <= {400, 403}, answers
    assert answers["evil.example:{port}"] == 403
    assert status(port, "/", "evil.example:{port}") == 403
    assert status(port, PAGES[kind], "evil.example:{port}", **UPGRADE) == 403
    assert status(port, CHANGES[kind], "evil.example:{port}", "POST") == 403
    assert status(port, CHANGES[kind], "evil.example:{port}", "DELETE") == 403


@pytest.mark.parametrize("kind", PAGES)
def test_other_sites_change_nothing(kind: str, request: pytest.FixtureRequest) -> None:
    port = request.getfixturevalue(kind)
    for origin in ("http://evil.example", "null", "http://localhost.evil.example:{port}"):
        how = {"Origin": origin, "Content_Type": "application/json"}
        assert status(port, CHANGES[kind], "localhost:{port}", "POST", **how) == 403
    own = {"Origin": "http://localhost:{port}", "Content_Type": "application/json"}
    assert status(port, CHANGES[kind], "localhost:{port}", "POST", **own) != 403


def test_all_addresses_are_answered_if_the_server_listens_on_all() -> None:
    here = own_hosts("127.0.0.1", 81)
    assert here == {"localhost:81", "127.0.0.1:81", "[::1]:81"}
    everywhere = own_hosts("0.0.0.0", 81)
    assert f"{socket.gethostname()}:81".lower() in everywhere
    assert own_hosts("10.1.2.3", 81) - here == {"10.1.2.3:81"}
    assert own_hosts("fd00::1", 81) - here == {"[fd00::1]:81"}
    assert own_hosts("Office", 81) - here == {"office:81"}
    assert here < everywhere


def test_the_port_that_browsers_leave_out_of_the_host_may_be_left_out() -> None:
    bare = {"localhost", "127.0.0.1", "[::1]"}
    assert own_hosts("127.0.0.1", 80) == bare | {f"{name}:80" for name in bare}


def test_a_broken_origin_is_foreign() -> None:
    seen = []
    app = answering_only(lambda request, start: [b"in"], frozenset({"localhost:80"}))
    asked = {"HTTP_HOST": "localhost:80", "HTTP_ORIGIN": "http://[localhost"}
    assert app(asked, lambda code, headers: seen.append(code)) != [b"in"]
    assert seen == ["403 Forbidden"]


@pytest.mark.parametrize(
    "host", ["203.0.113.7", "no such name", "256.1.1.1", "a..b", "2001:db8::1"]
)
def test_an_address_that_this_machine_lacks_is_named_before_anything_is_opened(
    host: str, tmp_path: Path
) -> None:
    result = gravecli("dashboard", "--mlflow", "--host", host, cwd=tmp_path)
    assert_refused(result, f"no such address (found {host}, expected 127.0.0.1", "--host")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="Windows reserves no ports")
def test_a_port_that_may_not_be_used_is_named() -> None:
    lowest = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
    if not lowest.exists() or int(lowest.read_text()) <= 80:
        pytest.skip("every account may use this port")
    with (
        another_account(),
        pytest.raises(TrackingError, match=r"port 80 may not be used: .*--port of 1024"),
    ):
        free_port(80)


def test_an_ipv6_address_is_served_and_written_in_brackets() -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6")
    try:
        port = free_port(unused_port(), "::1")
    except TrackingError:
        pytest.skip("no IPv6 on this machine")
    assert port
    assert in_url("::1") == "[::1]"
    assert in_url("127.0.0.1") == "127.0.0.1"
