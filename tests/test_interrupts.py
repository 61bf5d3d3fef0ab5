"""Ctrl-C: held back during database calls, never lost; SIGTERM ends like it."""

import os
import signal
import subprocess
import sys
import time
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest
from image_store import runs_of
from sqlalchemy import event
from sqlalchemy.engine import Engine
from support import tiny_settings
from terminal import gravecli

from grave_cli.interrupts import held_back, none_lost, orders_obeyed, was_interrupted
from grave_cli.settings import load as load_module
from grave_cli.tracking.runs import tracked_run


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    before = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def press_ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_waits_for_the_end_of_the_block() -> None:
    steps = []

    def work() -> None:
        with held_back(), held_back():
            press_ctrl_c()
            steps.append("done")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert steps == ["done"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_second_ctrl_c_does_not_wait() -> None:
    def work() -> None:
        with held_back():
            press_ctrl_c()
            press_ctrl_c()
            pytest.fail("it waited")

    with pytest.raises(KeyboardInterrupt):
        work()


def test_an_error_of_the_block_does_not_hide_ctrl_c() -> None:
    def work() -> None:
        with held_back():
            press_ctrl_c()
            raise OSError

    with pytest.raises(KeyboardInterrupt):
        work()


def test_ignored_ctrl_c_stays_ignored() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with held_back():
        press_ctrl_c()
    assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN


class Thing:
    """Something that can be referred to weakly."""


def test_ctrl_c_in_a_weak_reference_comes_again() -> None:
    thing = Thing()
    reference = weakref.ref(thing, lambda _: press_ctrl_c())
    things = [thing]
    del thing

    def work() -> None:
        with none_lost():
            things.clear()  # Python drops the exception of the callback
            time.sleep(60)
            pytest.fail("it was lost")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert reference() is None


def test_an_order_ends_like_ctrl_c_with_its_own_exit_code() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with orders_obeyed() as exit_code:
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
        assert exit_code(130) == 143
        assert exit_code(2) == 2
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_an_error_in_the_wake_of_ctrl_c_is_known() -> None:
    def work() -> None:
        try:
            raise KeyboardInterrupt
        finally:
            raise ConnectionResetError

    with pytest.raises(ConnectionResetError) as caught:
        work()
    assert was_interrupted(caught.value)
    assert not was_interrupted(OSError())


def test_ctrl_c_while_a_library_is_imported_is_not_taken_for_its_fault(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def load(*_: object) -> None:  # so does a library in C++
        raise ImportError("initialization failed") from KeyboardInterrupt()

    monkeypatch.setattr(load_module, "load_settings", load)
    result = gravecli("config", cwd=tmp_path)
    assert (result.returncode, result.stdout, result.stderr) == (130, "", "")


def test_ctrl_c_in_a_database_call_leaves_the_store_usable(work_dir: Path) -> None:
    settings = tiny_settings(work_dir, work_dir)

    pressed = []

    def interrupt(*how: object) -> None:
        if str(how[2]).startswith("INSERT INTO metrics") and not pressed:
            pressed.append(how[2])
            press_ctrl_c()

    def work() -> None:
        with tracked_run(settings, "one", {}) as run:
            run.log_metrics({"a": 1.0})
            pytest.fail("it was lost")

    event.listen(Engine, "after_cursor_execute", interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            work()
    finally:
        event.remove(Engine, "after_cursor_execute", interrupt)
    assert pressed
    (found,) = runs_of(settings)
    assert found.info.status == "KILLED"
    assert found.data.metrics == {"a": 1.0}


def test_ctrl_c_while_libraries_are_imported_shows_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text("raise KeyboardInterrupt")
    program = "from grave_cli.cli.entry import main; main()"
    answer = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, check=False
    )
    assert (answer.returncode, answer.stderr) == (130, b"")
