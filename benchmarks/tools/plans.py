"""Which cemetery a slot of a cluster gets next: the scheduler of gravecli, and three others.

Cemeteries are numbered by name. The scheduler of gravecli takes its rules from the program itself.
"""

from collections import deque
from collections.abc import Sequence

from grave_cli.batch.jobs import Shard
from grave_cli.cluster.waiting import TRIES_AGAIN, Waiting


class Plan:
    """A plan that does nothing; each method is told of an event."""

    has_driver = False

    def take(self, slot: int) -> tuple[int, bool] | None:
        """Return a cemetery for an idle slot, and whether a new process maps it; None: none now."""
        raise NotImplementedError

    def end(self, cemetery: int, now_s: float) -> float:
        """Learn that a cemetery is mapped; return when `handle` is to be called."""
        return now_s

    def handle(self, cemetery: int) -> None:
        """Take note that a cemetery is mapped, in the driver."""

    def lose(self, slot: int, cemetery: int | None) -> bool:
        """Learn that a slot is lost, and its cemetery, if any; return False to give that up."""
        raise NotImplementedError

    def come(self, slots: int) -> None:
        """Learn that so many slots have come."""

    def restart(self, left: Sequence[int]) -> None:
        """Begin again with the cemeteries that are left."""


class RayPlan(Plan):
    """`--ray`: a driver hands the largest cemeteries to Ray first, in bounded number.

    Ray gives the oldest of those it has to the next free slot, and repeats lost ones.

    Args:
        sizes: Of the cemeteries, by which the driver orders them.
        slots: Slots of the cluster.
        driver_s: Seconds for which each cemetery that ends occupies the driver.
    """

    has_driver = True

    def __init__(self, sizes: Sequence[float], slots: int, driver_s: float = 0.0) -> None:
        self._sizes, self._slots, self._driver_s = sizes, slots, driver_s
        self._driver_free_s = 0.0
        self.restart(range(len(sizes)))

    def take(self, slot: int) -> tuple[int, bool] | None:
        return (self._submitted.popleft(), False) if self._submitted else None

    def end(self, cemetery: int, now_s: float) -> float:
        self._driver_free_s = max(now_s, self._driver_free_s) + self._driver_s
        return self._driver_free_s

    def handle(self, cemetery: int) -> None:
        self._in_flight -= 1
        self._submit()

    def lose(self, slot: int, cemetery: int | None) -> bool:
        self._slots -= 1
        if cemetery is None:
            return True
        self._losses[cemetery] = self._losses.get(cemetery, 0) + 1
        if is_repeated := self._losses[cemetery] <= TRIES_AGAIN:
            self._submitted.append(cemetery)
        else:
            self.handle(cemetery)
        return is_repeated

    def come(self, slots: int) -> None:
        self._slots += slots
        self._submit()

    def restart(self, left: Sequence[int]) -> None:
        self._waiting = Waiting(left, self._sizes.__getitem__)
        self._submitted: deque[int] = deque()
        self._losses: dict[int, int] = {}
        self._in_flight = 0
        self._submit()

    def _submit(self) -> None:
        taken = list(self._waiting.take(self._in_flight, self._slots))
        self._in_flight += len(taken)
        self._submitted.extend(taken)


class QueuePlan(Plan):
    """A plain queue: cemeteries by name, and lost ones at the end, as often as it takes.

    Args:
        cemeteries: How many.
    """

    def __init__(self, cemeteries: int) -> None:
        self._queue = deque(range(cemeteries))

    def take(self, slot: int) -> tuple[int, bool] | None:
        return (self._queue.popleft(), False) if self._queue else None

    def lose(self, slot: int, cemetery: int | None) -> bool:
        if cemetery is not None:
            self._queue.append(cemetery)
        return True


class ShardPlan(Plan):
    """`--shard k/n`: a scheduler runs each shard in a process of its own, and repeats lost ones.

    A repeated shard skips what it has mapped already.

    Args:
        cemeteries: How many.
        shards: How many.
    """

    def __init__(self, cemeteries: int, shards: int) -> None:
        numbers = range(cemeteries)
        self._queue = deque(deque(Shard(one, shards).take(numbers)) for one in range(shards))
        self._running: dict[int, deque[int]] = {}

    def take(self, slot: int) -> tuple[int, bool] | None:
        shard = self._running.get(slot)
        is_new = not shard
        while not shard:
            if not self._queue:
                return None
            shard = self._queue.popleft()
        self._running[slot] = shard
        return shard.popleft(), is_new

    def lose(self, slot: int, cemetery: int | None) -> bool:
        shard = self._running.pop(slot, deque())
        if cemetery is not None:
            shard.appendleft(cemetery)
        if shard:
            self._queue.append(shard)
        return True
