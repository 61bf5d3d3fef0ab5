"""The Optuna dashboard, served from this machine."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from socketserver import TCPServer, ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from grave_cli.errors import TuningError
from grave_cli.settings.tree import Settings
from grave_cli.tracking.addresses import answering_only, family_of, own_hosts
from grave_cli.tuning.opening import is_own
from grave_cli.tuning.shared_study import SharedStudy
from grave_cli.tuning.storage import open_storage, shown_url, storage_errors, storage_exists

if TYPE_CHECKING:
    from optuna.storages import RDBStorage


@dataclass(frozen=True)
class StudyPages:
    """Web pages about the studies of a storage.

    Args:
        storage: Storage to show.
    """

    storage: "RDBStorage"

    def path(self, study: str | None) -> str:
        """Return the path of a study's page, or of the list of studies for None.

        Raises:
            TuningError: The study does not exist.
        """
        from optuna import get_all_study_names

        if study is None:
            return "dashboard/"
        names = get_all_study_names(self.storage)
        if study not in names:
            raise TuningError("no such study", found=study, expected=", ".join(names))
        return f"dashboard/studies/{self.storage.get_study_id_from_name(study)}"

    @contextmanager
    def listening(self, host: str, port: int) -> Iterator[Callable[[], None]]:
        """Accept browser connections while the block runs.

        Args:
            host: Address of this machine to listen on.
            port: Free port there.

        Yields:
            Function that serves the pages until it is interrupted.
        """
        from optuna_dashboard import wsgi

        app = answering_only(wsgi(self.storage), own_hosts(host, port))
        kind = _Server6 if family_of(host) == socket.AF_INET6 else _Server
        with make_server(host, port, app, kind, _QuietHandler) as server:
            yield server.serve_forever


class _Server(ThreadingMixIn, WSGIServer):
    """Answers requests in parallel."""

    daemon_threads = True

    def server_bind(self) -> None:
        """Listen, without looking up the name of the address."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]
        self.setup_environ()


class _Server6(_Server):
    """Listens on an IPv6 address."""

    address_family = socket.AF_INET6


class _QuietHandler(WSGIRequestHandler):
    """Answers without logging to the terminal."""

    def log_message(self, format: str, *args: Any) -> None:
        """Discard the message."""


def open_studies(settings: Settings) -> StudyPages:
    """Open the storage to show its studies; trials of killed processes are failed first.

    Args:
        settings: Location of the storage.

    Raises:
        TuningError: The storage holds no study or cannot be opened.
    """
    from optuna import get_all_study_names

    storage = open_storage(settings) if storage_exists(settings) else None
    with storage_errors(settings):
        is_empty = storage is None or not get_all_study_names(storage)
    if storage is None or is_empty:
        raise TuningError(
            "there is no study yet",
            where=shown_url(settings),
            remedy="create one with `gravecli hpo --study pilot --trials 20`",
        )
    with suppress(TuningError, OSError), storage_errors(settings):  # it may be read-only
        _fail_abandoned(storage)
    return StudyPages(storage)


def _fail_abandoned(storage: "RDBStorage") -> None:
    """Fail the trials of killed processes, in the studies of gravecli."""
    from optuna import load_study

    for summary in storage.get_all_studies():
        if is_own(storage.get_study_user_attrs(summary._study_id)):
            study = load_study(study_name=summary.study_name, storage=storage)
            SharedStudy(study, storage).fail_abandoned()
