"""Claims: one process at a time works on a file, folder or database, and the others wait or stop.

A claim is a heartbeat beside the thing, with a mark of the thing in its name. A process looks for
other claims, makes its own, and looks again: if it is alone, it holds the thing. Of several that
make theirs at once, each sees the others, and all but the first by name take theirs back. No name
is used twice, so the claim of a dead process can be deleted without a race.

A process that was asleep or cut off may be taken for dead and lose its claim. `check_claims` finds
that out, and stands before everything that is written.
"""

import hashlib
import os
import random
import threading
import time
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from grave_cli.errors import InUseError
from grave_cli.owners import heartbeat
from grave_cli.owners.leftovers import BEAT, PREFIX, is_dead, kept_folder, maker_of, silence_s

PATIENCE_S = 2.0
"""Others may have claimed a thing only to see whether it is free."""
_PAUSE_S = 0.05
_RACE_S = 1.0
_MARK_DIGITS = 12
_NEVER = threading.Event()

_held: dict[Path, Path] = {}
"""The claims of this process, with their things."""
_lock = threading.Lock()


@contextmanager
def claimed(
    thing: Path,
    wait_s: float = PATIENCE_S,
    on_wait: Callable[[], None] | None = None,
    *,
    with_neighbours: bool = False,
    over: threading.Event = _NEVER,
) -> Iterator[None]:
    """Work on a thing alone while the block runs.

    Args:
        thing: A file or folder, which need not exist. Missing folders are created, and removed if
            they are empty at the end.
        wait_s: Longest wait for another process that holds it, in seconds; infinity for no limit.
        on_wait: Called once if another process holds it.
        with_neighbours: Other processes of this machine may claim it in the same way.
        over: Ends the wait of a thread when it is set; Ctrl-C reaches only the main thread.

    Raises:
        InUseError: Another process holds it.
        OSError: Its parent cannot be written.
    """
    missing = [folder for folder in _true_place(thing).parents if not folder.exists()]
    try:
        with ExitStack() as stack:
            claim = _claim(thing, wait_s, on_wait, with_neighbours, over, stack)
            with _lock:
                _held[claim] = thing
            try:
                yield
            finally:
                with _lock:
                    del _held[claim]
    finally:
        for folder in missing:
            with suppress(OSError):  # it is not empty
                folder.rmdir()


def is_claimed(thing: Path, *, with_neighbours: bool = False) -> bool:
    """Tell whether a living process has claimed a thing.

    Args:
        thing: A file or folder.
        with_neighbours: Do not count claims of processes of this machine.
    """
    return bool(_claims(thing, with_neighbours))


def refuse_claimed(thing: Path, *, with_neighbours: bool = False) -> None:
    """Refuse a thing that a living process has claimed.

    Args:
        thing: A file or folder.
        with_neighbours: Do not count claims of processes of this machine.

    Raises:
        InUseError: Another process holds it.
    """
    if claims := _claims(thing, with_neighbours):
        raise _in_use(thing, claims[0])


def check_claims() -> None:
    """Find out whether this process still holds what it has claimed.

    Raises:
        InUseError: It gave no sign of life for so long that another process took it for dead.
    """
    with _lock:
        held = dict(_held)
    for claim, thing in held.items():
        if not heartbeat.is_there(claim) and _is_held(claim):
            raise InUseError(
                "was taken over, because this process gave no sign of life "
                f"for {heartbeat.PULSE.dead_after_s:g} s; nothing more is written",
                where=thing,
                remedy="start the command again unless another process has done its work",
            )


def _is_held(claim: Path) -> bool:
    """Tell whether a claim has not been given up: that is recorded before its file is deleted."""
    with _lock:
        return claim in _held


def _claim(
    thing: Path,
    wait_s: float,
    on_wait: Callable[[], None] | None,
    with_neighbours: bool,
    over: threading.Event,
    stack: ExitStack,
) -> Path:
    """Make the only claim of a thing, which `stack` takes back."""
    deadline, place = time.monotonic() + wait_s, _true_place(thing)
    while True:
        if not (others := _claims(thing, with_neighbours)):
            mine = stack.enter_context(kept_folder(place.parent, _mark(place)))
            if not (others := _rivals(thing, with_neighbours, mine)):
                return mine
            stack.close()
        if time.monotonic() > deadline or over.is_set():
            raise _in_use(thing, others[0])
        if on_wait is not None:
            on_wait()
            on_wait = None
        time.sleep(random.uniform(0.5, 2) * _PAUSE_S)


def _rivals(thing: Path, with_neighbours: bool, mine: Path) -> list[Path]:
    """List the claims that come before one's own; those of a race are soon taken back."""
    deadline = time.monotonic() + _RACE_S
    while others := _claims(thing, with_neighbours, mine):
        if min(others) < mine or time.monotonic() > deadline:
            break
        time.sleep(_PAUSE_S / 10)
    return others


def _claims(thing: Path, with_neighbours: bool, mine: Path | None = None) -> list[Path]:
    """List the claims of living processes; those of dead ones are deleted."""
    found, place = [], _true_place(thing)
    for claim in place.parent.glob(f"{PREFIX}*{_mark(place)}{BEAT}"):
        owner = maker_of(claim)
        if owner is None or claim == mine or (with_neighbours and owner.is_near):
            continue
        if not (is_dead(owner, place.parent) and _is_deleted(claim)):
            found.append(claim)
    return found


def _is_deleted(claim: Path) -> bool:
    """Delete the claim of a dead process; one out of sight may come back and must miss it."""
    try:
        claim.unlink(missing_ok=True)
    except OSError:
        owner = maker_of(claim)
        return owner is not None and owner.runs is False
    return True


def _in_use(thing: Path, claim: Path) -> InUseError:
    owner = maker_of(claim)
    assert owner is not None
    what = f"in use by {owner}"
    remedy = "wait until it has finished"
    if owner.runs is None:
        silent_s = silence_s(owner, claim.parent) or 0.0
        what += f", last sign of life {max(0.0, silent_s):.0f} s ago"
        remedy += f", or until it counts as dead, {heartbeat.PULSE.dead_after_s:g} s after the last"
    return InUseError(what, where=thing, remedy=remedy)


def _true_place(thing: Path) -> Path:
    """Return the place that all spellings of a path lead to."""
    return Path(os.path.realpath(thing))


def _mark(thing: Path) -> str:
    """Return a short name of a thing; spellings in upper and lower case may be one file."""
    name = unicodedata.normalize("NFC", thing.name).casefold().encode("utf-8", "surrogateescape")
    return f".{hashlib.sha256(name).hexdigest()[:_MARK_DIGITS]}"
