"""Standard streams that may be closed, full or limited to ASCII, and names that may be hostile.

Names of files, cemeteries and runs come from others. What is printed of them has no control
characters, which could move the cursor, clear the screen or hide a part of the text.
"""

import errno
import os
import sys
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO, cast

import typer

from grave_cli.masking import mask

# Cc, Cs: control characters and halves of characters. The others reverse the direction of text.
_HIDDEN = ("Cc", "Cs")
_TURNING = "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def open_streams() -> None:
    """Make the standard streams usable: a closed one leads nowhere, a narrow one replaces letters.

    A closed one is opened first of all: the next file that is opened would take its number, and
    what a library prints would be written into that file.
    """
    for handle in range(3):
        try:
            os.fstat(handle)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
    with suppress(AttributeError):  # a stream that tests or notebooks have put in its place
        sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]


class StdoutError(Exception):
    """The result cannot be printed.

    It is no OSError, so that neither Typer nor Rich ends the program in its own way.
    """


class _WatchedStdout:
    """Stands in the place of stdout, and tells its errors from those of files."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with self._errors_named():
            return self._stream.write(text)

    def flush(self) -> None:
        with self._errors_named():
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    @contextmanager
    def _errors_named(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StdoutError from error


def run_with_streams(command: Callable[[], int]) -> int:
    """Run a command; a stdout that cannot be written is told in one line.

    Args:
        command: Returns the exit code.

    Returns:
        The exit code: the command's, or 1 if its result could not be printed.
    """
    open_streams()
    stdout = sys.stdout
    sys.stdout = cast(TextIO, _WatchedStdout(stdout))
    try:
        code = command()
        sys.stdout.flush()
    except StdoutError as error:
        return _give_up(stdout, cast(OSError, error.__cause__))
    finally:
        sys.stdout = stdout
    return code


def _give_up(stdout: TextIO, problem: OSError) -> int:
    """Lead stdout nowhere: Python would try again when it ends, and print a traceback."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stdout.fileno())
    if problem.errno != errno.EPIPE:  # `| head` has what it wants
        say_error(f"the result cannot be printed: {problem.strerror}")
    return 1


# Answers of the system that are no mistake of the program, each with the way out.
_REMEDIES = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "free some disk space"),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "check its permissions"),
    **dict.fromkeys((errno.EIO, errno.ESTALE), "check the disk or network drive"),
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ELOOP: "its links lead in a circle",
}


def system_fault(error: BaseException) -> str:
    """Say in one line which file the system refuses, such as one on a full disk.

    Args:
        error: The error that ended a command. Libraries and clean-up may have hidden its cause.

    Returns:
        The line; empty if the error has no such cause.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in _REMEDIES:
            where = cause.filename or "disk"
            return f"{where}: {cause.strerror}; {_REMEDIES[cause.errno]}"
        cause = cause.__cause__ or cause.__context__
    return ""


def say(text: str, *, err: bool = False) -> None:
    """Print one line of text.

    Args:
        text: The line.
        err: Print on stderr; if that fails, nobody can be told.
    """
    if err:
        with suppress(OSError):
            typer.echo(visible(text), err=True)
    else:
        typer.echo(visible(text))


def say_error(text: str) -> None:
    """Print an error as one line on stderr, without the secrets of URLs."""
    say(f"gravecli: {mask(' '.join(text.split()))}", err=True)


def visible(text: str, keep: str = "") -> str:
    r"""Write control characters as escapes: a bell becomes `\x07`.

    Args:
        text: Any text.
        keep: Control characters to leave alone.
    """
    if text.isprintable():
        return text
    return "".join(
        _escaped(letter) if letter not in keep and _is_hidden(letter) else letter for letter in text
    )


def _is_hidden(letter: str) -> bool:
    return unicodedata.category(letter) in _HIDDEN or letter in _TURNING


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")
