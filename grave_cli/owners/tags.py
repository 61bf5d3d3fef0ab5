"""Tags of processes: which process made a file, holds a run or works on a trial; has it ended?

    office-2~860b7cf14ce0-f0000001~4711~1732612345
    host     machine      space    pid  start of the process, in seconds

A process number means something only on its machine, until that restarts, and among the processes
that see each other: two containers of one machine have a process 7 each. So the machine is the id
of its current start, the space is that of process numbers (of a container), and the start tells a
process from a later one with its number.
"""

import os
import platform
import re
import uuid
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import psutil

_CLOCK_S = 10  # a start may be derived from the clock, which may be corrected meanwhile
_TAG = re.compile(r"([A-Za-z0-9-]*)~([0-9a-f]+)-([0-9a-f]+)~(\d+)~(\d+)")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_SPACE = Path("/proc/self/ns/pid")
_ID_DIGITS = 12


@dataclass(frozen=True)
class Owner:
    """A process, here or elsewhere.

    Args:
        host: Name of its computer.
        machine: Id of the computer; on Linux, of its start.
        space: Space of process numbers.
        pid: Process number.
        started: Its start, in seconds since an origin that depends on the system.
    """

    host: str
    machine: str
    space: str
    pid: int
    started: int

    def __str__(self) -> str:
        """Name the process for a user."""
        return f"process {self.pid} on {self.host or self.machine}"

    @property
    def is_near(self) -> bool:
        """Whether it is of this machine, perhaps of another container."""
        return self.machine == _machine()

    @property
    def runs(self) -> bool | None:
        """Whether it still runs; None if the system does not tell: it may be elsewhere."""
        if (self.host, self.machine, self.space) != (_host(), _machine(), _space()):
            return None
        return _runs(self.pid, self.started)


def owner_tag() -> str:
    """Return the tag of this process."""
    return _tag_of(os.getpid())


def owner_of(text: str) -> Owner | None:
    """Return the process whose tag a text begins with; None for any other text."""
    found = _TAG.match(text)
    if found is None:
        return None
    host, machine, space, pid, started = found.groups()
    return Owner(host, machine, space, int(pid), int(started))


@lru_cache(maxsize=1)
def _tag_of(pid: int) -> str:
    started = _start(psutil.Process(pid))
    return f"{_host()}~{_machine()}-{_space()}~{pid}~{started:.0f}"


@cache
def _host() -> str:
    """Return the name of this computer without dots, which would look like a file's ending."""
    return re.sub(r"[^A-Za-z0-9-]", "-", platform.node())[:40]


@cache
def _machine() -> str:
    """Return the id of this start of the computer; outside Linux, the id of the computer."""
    try:
        identity = _BOOT_ID.read_text(encoding="ascii")
    except OSError:
        identity = f"{uuid.getnode():x}"
    return re.sub(r"[^0-9a-f]", "", identity)[:_ID_DIGITS] or "0"


@cache
def _space() -> str:
    try:
        return f"{_SPACE.stat().st_ino:x}"
    except OSError:
        return "0"


def _start(process: psutil.Process) -> float:
    """Return the start of a process; on Linux since the machine's, which no new clock time moves.

    Elsewhere it is the time of day, so that a restart of the machine makes another one.
    """
    return float(process.create_time() - (psutil.boot_time() if psutil.LINUX else 0))


def _runs(pid: int, started: float) -> bool | None:
    try:
        process = psutil.Process(pid)
        is_same = abs(_start(process) - started) < _CLOCK_S
        return is_same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return None if _is_hidden(pid) else False
    except psutil.AccessDenied:
        return None


def _is_hidden(pid: int) -> bool:
    """Tell whether a process is of another account, whose processes the system does not show."""
    if os.name == "nt":  # where a signal, also 0, ends the process
        return False
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except OSError:
        pass
    return False
