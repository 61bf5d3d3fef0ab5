"""Owners of a shared folder: processes of this computer, of a container and of other computers."""

import os
import shutil
import signal
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from node import DEAD_AFTER_S, HERE, become, nodes

from grave_cli.errors import InUseError
from grave_cli.owners import heartbeat, leftovers, tags
from grave_cli.owners.claims import check_claims, claimed, is_claimed, refuse_claimed
from grave_cli.owners.leftovers import sweep

COUNTERS, COUNTS = 3, 15
CONTAINER = ("unshare", "--pid", "--uts", "--fork", "--kill-child", "--mount-proc")
needs_signals = pytest.mark.skipif(os.name == "nt", reason="Windows stops no process")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a silent process count as dead after a moment."""
    become(HERE, monkeypatch.setattr)


def await_free(thing: Path) -> None:
    with claimed(thing, 60):
        pass


def beats_in(folder: Path) -> list[Path]:
    return list(folder.glob(".gravecli-*"))


def test_one_of_two_computers_is_refused_until_the_other_has_finished(tmp_path: Path) -> None:
    thing = tmp_path / "maps" / "a.gpkg"
    with nodes("office-1", "office-2") as (one, two):
        assert one.ask("claim", thing) == "done"
        said = two.ask("claim", thing)
        assert said.startswith(f"{thing}: in use by process {one.process.pid} on office-1, last")
        assert "counts as dead" in said
        assert two.ask("claim", tmp_path / "maps" / "b.gpkg") == "done"
        with pytest.raises(InUseError, match="on office-1"):
            refuse_claimed(thing)
        time.sleep(1.5 * DEAD_AFTER_S)  # it says nothing but that it lives
        assert is_claimed(thing)
        assert one.ask("release", thing) == "done"
        assert two.ask("claim", thing) == "done"
        assert two.ask("release", thing) == "done"
    assert list((tmp_path / "maps").iterdir()) == []


def test_a_dead_owner_is_found_out_and_its_files_are_swept(tmp_path: Path) -> None:
    thing = tmp_path / "a.gpkg"
    with nodes("office-1", HERE) as (far, near):
        for node, name in ((far, thing), (near, tmp_path / "b.gpkg")):
            assert node.ask("claim", name) == "done"
            assert node.ask("begin", name) == "done"
        far.end()
        near.end()
    # The system tells of a process of this computer; that of another one may be heard of again.
    assert not is_claimed(tmp_path / "b.gpkg")
    assert any("office-1" in path.name for path in beats_in(tmp_path))
    await_free(thing)
    sweep(tmp_path)
    assert list(tmp_path.iterdir()) == []


@needs_signals
def test_who_was_frozen_and_taken_for_dead_writes_nothing_more(tmp_path: Path) -> None:
    thing, half = tmp_path / "a.gpkg", tmp_path / "b.gpkg"
    with nodes("office-1", "office-2") as (frozen, other):
        assert frozen.ask("claim", thing) == "done"
        assert frozen.ask("begin", half) == "done"
        assert "in use" in other.ask("claim", thing)
        os.kill(frozen.process.pid, signal.SIGSTOP)
        await_free(thing)
        assert other.ask("claim", thing) == "done"
        assert other.ask("write", thing) == "done"
        frozen.send("write", thing)
        os.kill(frozen.process.pid, signal.SIGCONT)
        assert frozen.answer().startswith(f"{thing}: was taken over, because this process gave no")
        assert thing.read_text() == str(other.process.pid)
        assert "was taken over" in frozen.ask("release", half)  # the other file it was writing
        assert not half.exists()
        assert other.ask("release", thing) == "done"
    assert beats_in(tmp_path) == []


@needs_signals
def test_a_frozen_process_of_this_computer_is_waited_for(tmp_path: Path) -> None:
    thing = tmp_path / "a.gpkg"
    with nodes(HERE) as (one,):
        assert one.ask("claim", thing) == "done"
        os.kill(one.process.pid, signal.SIGSTOP)
        time.sleep(1.2 * DEAD_AFTER_S)
        with pytest.raises(InUseError, match=rf"process {one.process.pid} on [^,]*; wait until"):
            refuse_claimed(thing)
        one.end()
        await_free(thing)


def test_a_process_of_a_container_is_not_looked_for_among_those_outside(tmp_path: Path) -> None:
    if shutil.which(CONTAINER[0]) is None or subprocess.run([*CONTAINER, "true"]).returncode:
        pytest.skip("needs the right to make a space of process numbers")
    thing = tmp_path / "a.gpkg"
    with nodes(HERE, prefix=CONTAINER) as (inside,):
        assert inside.ask("claim", thing) == "done"
        (claim,) = beats_in(tmp_path)
        owner = leftovers.maker_of(claim)
        assert owner is not None
        # Its number inside, on the same host and since the same start of the machine.
        assert (owner.pid, owner.machine) == (1, tags._machine())
        assert owner.runs is None
        assert is_claimed(thing)
        assert not is_claimed(thing, with_neighbours=True)  # one machine, one file system
        inside.end()
        await_free(thing)


def test_of_many_that_claim_at_once_one_at_a_time_holds(tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    counter.write_text("0")
    machines = [HERE, *(f"office-{number}" for number in range(1, COUNTERS))]
    with nodes(*machines, dead_after_s=60) as counters:
        for node in counters:
            node.send("count", counter, COUNTS)
        assert [node.answer() for node in counters] == ["done"] * COUNTERS
    assert counter.read_text() == str(COUNTERS * COUNTS)
    assert list(tmp_path.iterdir()) == [counter]


def test_a_claim_that_another_thread_gives_up_meanwhile_is_not_a_lost_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_there, given_up = heartbeat.is_there, ExitStack()
    given_up.enter_context(claimed(tmp_path / "a"))

    def give_up_and_look(file: Path) -> bool:
        given_up.close()
        return is_there(file)

    with claimed(tmp_path / "b"):
        monkeypatch.setattr(heartbeat, "is_there", give_up_and_look)
        check_claims()
        (own,) = beats_in(tmp_path)
        own.unlink()
        with pytest.raises(InUseError, match="b: was taken over"):
            check_claims()


def test_neighbours_share_what_other_computers_may_not_use(tmp_path: Path) -> None:
    database = tmp_path / "mlflow.db"
    with nodes("office-1", "office-2") as (one, two), claimed(database, with_neighbours=True):
        with claimed(database, with_neighbours=True):
            pass
        assert "in use" in one.ask("use", database)
        assert "in use" in two.ask("use", database)


def test_files_of_the_living_stay_whatever_the_clocks_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with nodes("office-1") as (one,):
        assert one.ask("begin", tmp_path / "a.gpkg") == "done"
        left = set(beats_in(tmp_path))
        assert len(left) == 2  # the file and its heartbeat
        now_s = time.time()
        for clock_s in (now_s - 1e6, now_s + 1e6):
            monkeypatch.setattr(time, "time", lambda clock_s=clock_s: clock_s)
            sweep(tmp_path)
            assert set(beats_in(tmp_path)) == left


def test_one_claim_has_many_spellings(tmp_path: Path) -> None:
    (tmp_path / "maps").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "maps")
    with claimed(tmp_path / "maps" / "Über.gpkg"):
        for spelling in ("maps/über.gpkg", "link/ÜBER.gpkg", "maps/../maps/U\u0308ber.gpkg"):
            assert is_claimed(tmp_path / spelling)


def test_a_hidden_process_of_another_account_is_not_taken_for_dead(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import psutil

    def unseen(pid: int) -> psutil.Process:
        raise psutil.NoSuchProcess(pid)

    def forbidden(pid: int, number: int) -> None:
        raise PermissionError

    tag = tags.owner_tag()
    monkeypatch.setattr(psutil, "Process", unseen)
    owner = tags.owner_of(tag)
    assert owner is not None
    monkeypatch.setattr(os, "kill", forbidden)
    assert owner.runs is None


def test_a_process_is_another_one_after_a_restart_of_the_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = tags.owner_of(tags.owner_tag())
    assert before is not None
    assert before.runs
    monkeypatch.setattr(tags, "_machine", lambda: "0123456789ab")
    assert before.runs is None
    assert not before.is_near
    assert tags.owner_of("4711") is None
