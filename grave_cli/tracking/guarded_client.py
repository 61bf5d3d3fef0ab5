"""MLflow's client, whose failures are errors of ours: one line, without secrets."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import wraps
from typing import TYPE_CHECKING, Any, cast

from grave_cli.database import Database, cause_of
from grave_cli.errors import GraveError, TrackingError
from grave_cli.interrupts import held_back
from grave_cli.masking import mask_url
from grave_cli.owners.claims import check_claims

if TYPE_CHECKING:
    from mlflow import MlflowClient


_OTHER_VERSION = re.compile(r"database schema \(found version (\w+), but expected (\w+)\)")


class StoreError(TrackingError):
    """A tracking store that refuses a request or does not answer.

    Args:
        code: MLflow's code of the refusal; empty if there is none.
    """

    code: str = ""


def guarded(client: "MlflowClient", store: Database) -> "MlflowClient":
    """Wrap a client: an error of any of its methods becomes a `StoreError`.

    Ctrl-C waits for the end of a call to a database. A process whose run was taken over calls none.

    Args:
        client: MLflow's client.
        store: Its store, for messages.
    """
    return cast("MlflowClient", _Guarded(client, store))


class _Guarded:
    def __init__(self, client: "MlflowClient", store: Database) -> None:
        self._client = client
        self._store = store

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        return _guarded_call(found, self._store) if callable(found) else found


def _guarded_call(call: Callable[..., Any], store: Database) -> Callable[..., Any]:
    # Files and servers may take minutes, and have no transaction of this process.
    is_short = "artifact" not in getattr(call, "__name__", "") and not is_server_url(store.url)

    @wraps(call)
    def ask(*args: Any, **kwargs: Any) -> Any:
        check_claims()
        with store_errors(store), held_back() if is_short else nullcontext():
            return call(*args, **kwargs)

    return ask


@contextmanager
def store_errors(store: Database) -> Iterator[None]:
    """Turn errors of MLflow and of its database or server into a `StoreError`."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except GraveError:
        raise
    except (MlflowException, SQLAlchemyError, OSError) as error:
        raise store_error(store, error) from None


def store_error(store: Database, error: Exception) -> StoreError:
    """Say in one line why a store cannot be used."""
    cause = _root_cause(error)
    version = _OTHER_VERSION.search(str(error))
    if version:
        found = StoreError(
            "tracking store was written by another version of MLflow",
            where=mask_url(store.url),
            found=version[1],
            expected=version[2],
            remedy="back it up, then run `mlflow db upgrade`; if the store is newer, update MLflow",
        )
    elif is_server_url(store.url) and cause is not error:  # a refusal of MLflow has no other cause
        found = StoreError(
            "tracking server does not answer",
            where=mask_url(store.url),
            found=store.masked(cause_of(cause)),
            remedy=f"start it, or check {store.setting}",
        )
    else:
        found = cast("StoreError", store.fault(error))
    found.code = str(getattr(error, "error_code", ""))
    return found


def is_server_url(uri: str) -> bool:
    """Return whether a URI is that of an MLflow server, not of a database."""
    return uri.startswith(("http://", "https://"))


def _root_cause(error: BaseException) -> BaseException:
    """Return the first of the errors that led to an error, for example a refused connection."""
    while error.__context__ is not None:
        error = error.__context__
    return error
