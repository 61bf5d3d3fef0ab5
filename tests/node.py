"""A process of another computer that shares a folder: it claims and writes on request.

    python node.py MACHINE SECONDS [ARGUMENTS OF gravecli]

It is a process of this computer that calls itself one of another, and gives signs of life more
often; it counts as dead after the seconds. Without arguments it obeys the lines of its input.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from grave_cli.atomic_writes import whole_file
from grave_cli.errors import GraveError
from grave_cli.owners import heartbeat, tags
from grave_cli.owners.claims import claimed

HERE = "-"
"""The machine of a process that does not pretend."""
DEAD_AFTER_S = 1.2
BEATS = 10  # in this time


def become(
    machine: str, patch: Callable[..., None] = setattr, dead_after_s: float = DEAD_AFTER_S
) -> None:
    """Make this process one of another machine, which gives signs of life more often."""
    patch(heartbeat, "PULSE", heartbeat.Pulse(dead_after_s / BEATS, dead_after_s))
    if machine != HERE:
        patch(tags, "_host", lambda: machine)
        patch(tags, "_machine", lambda: machine.encode().hex())


class Node:
    """Another process.

    Args:
        machine: Its machine.
        prefix: A command that starts commands, such as `unshare`.
        dead_after_s: Seconds after which it takes others for dead.
    """

    def __init__(
        self, machine: str, prefix: Sequence[str] = (), dead_after_s: float = DEAD_AFTER_S
    ) -> None:
        command = [*prefix, sys.executable, __file__, machine, str(dead_after_s)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, word: str, path: Path, count: int = 0) -> str:
        """Let it do something, and return "done" or its error."""
        self.send(word, path, count)
        return self.answer()

    def send(self, word: str, path: Path, count: int = 0) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word} {count} {path}\n")
        self.process.stdin.flush()

    def answer(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def end(self) -> None:
        """Kill it, also if it is stopped."""
        self.process.kill()
        self.process.communicate()


@contextmanager
def nodes(
    *machines: str, prefix: Sequence[str] = (), dead_after_s: float = DEAD_AFTER_S
) -> Iterator[list[Node]]:
    """Run a process on each machine while the block runs."""
    started = [Node(machine, prefix, dead_after_s) for machine in machines]
    try:
        yield started
    finally:
        for node in started:
            node.end()


def _obey(word: str, path: Path, count: int, stack: ExitStack) -> None:
    if word == "claim":
        stack.enter_context(claimed(path, 0))
    elif word == "use":
        stack.enter_context(claimed(path, 0, with_neighbours=True))
    elif word == "write":
        with whole_file(path) as new:
            new.write_text(str(os.getpid()))
    elif word == "begin":
        new = stack.enter_context(whole_file(path))
        new.write_text("half")
    elif word == "release":
        stack.close()
    elif word == "count":
        for _ in range(count):
            with claimed(path, 60):
                path.write_text(str(int(path.read_text()) + 1))


def main() -> None:
    """Obey, or run a command of gravecli."""
    become(sys.argv[1], dead_after_s=float(sys.argv[2]))
    if sys.argv[3:]:
        from grave_cli.cli.entry import main as gravecli

        sys.argv = ["gravecli", *sys.argv[3:]]
        gravecli()
    stack = ExitStack()
    for line in sys.stdin:
        word, count, path = line.rstrip("\n").split(" ", 2)
        try:
            _obey(word, Path(path), int(count), stack)
            answer = "done"
        except GraveError as error:
            answer = str(error)
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()
    with suppress(GraveError):
        stack.close()


if __name__ == "__main__":
    main()
