"""Ctrl-C and its like: none is lost, and none ends a database call half-way.

An interruption inside a database call leaves its transaction open as long as the traceback lives.
The clean-up then waits a minute for its own lock, fails, and its error hides the interruption.
"""

import _thread
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_Handler = Callable[[int, FrameType | None], Any]

INTERRUPTED = 130
"""Exit code of a command that Ctrl-C ended."""

_ORDERS = tuple(
    getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)
)  # Windows has no SIGHUP


_MOMENT_S = 0.1


@contextmanager
def held_back() -> Iterator[None]:
    """Let an interruption wait until the block ends; a second one does not wait."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before: dict[int, _Handler] = {}
    waiting: list[int] = []
    is_over = False

    def wait(number: int, frame: FrameType | None) -> None:
        if is_over or waiting:
            before[number](number, frame)
        else:
            waiting.append(number)

    try:
        for number in (signal.SIGINT, *_ORDERS):
            handler = signal.getsignal(number)
            if callable(handler):
                before[number] = handler
                signal.signal(number, wait)
        yield
    finally:
        is_over = True
        for number, handler in before.items():
            signal.signal(number, handler)
        for number in waiting:
            before[number](number, None)


@contextmanager
def ctrl_c_blocked() -> Iterator[None]:
    """Block Ctrl-C while a process starts: it stays blocked there, while Python itself is loaded.

    Here it is only delayed. The new process calls `unblock_ctrl_c` once it can handle it. Windows
    cannot do this.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # its start would unblock the signal
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        unblock_ctrl_c()


def unblock_ctrl_c() -> None:
    """Let Ctrl-C through that was blocked; one that came meanwhile comes now."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def interrupt_main() -> None:
    """Interrupt the main thread, also one that waits in a system call."""
    main = threading.main_thread().ident
    if hasattr(signal, "pthread_kill") and main is not None:
        signal.pthread_kill(main, signal.SIGINT)
    else:  # Windows
        _thread.interrupt_main()


@contextmanager
def none_lost(again: Callable[[], None] = interrupt_main) -> Iterator[None]:
    """Let Ctrl-C come again if it fell into a function that cannot pass it on.

    Python drops exceptions of weak references, finalisers and callbacks of C code, all of which a
    training calls often.

    Args:
        again: Interrupts the main thread.
    """
    show = sys.unraisablehook

    def later() -> None:
        time.sleep(_MOMENT_S)
        again()

    def come_again(lost: "sys.UnraisableHookArgs") -> None:
        if issubclass(lost.exc_type, KeyboardInterrupt):
            _thread.start_new_thread(later, ())  # at once, it would be lost in this function
        else:
            show(lost)

    sys.unraisablehook = come_again
    try:
        yield
    finally:
        sys.unraisablehook = show


@contextmanager
def orders_obeyed() -> Iterator[Callable[[int], int]]:
    """Let SIGTERM and SIGHUP end the block like Ctrl-C, unless the process ignores them.

    Yields:
        Function that turns the exit code of an interrupted command into that of the order.
    """
    orders: list[int] = []

    def obey(number: int, _: FrameType | None) -> None:
        orders.append(number)
        raise KeyboardInterrupt

    is_main = threading.current_thread() is threading.main_thread()
    mine = [one for one in _ORDERS if is_main and signal.getsignal(one) == signal.SIG_DFL]
    with none_lost():
        try:
            for number in mine:
                signal.signal(number, obey)
            yield lambda code: 128 + orders[0] if orders and code == INTERRUPTED else code
        finally:
            for number in mine:
                signal.signal(number, signal.SIG_DFL)


def was_interrupted(error: BaseException) -> bool:
    """Tell whether an error arose while an interruption was on its way."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, KeyboardInterrupt):
            return True
        cause = cause.__cause__ or cause.__context__
    return False
