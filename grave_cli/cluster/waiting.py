"""The rules by which a cluster gets its cemeteries: their order, and how many at a time.

No Ray here: a simulation of the scheduler uses the same rules (`benchmarks/scheduling.py`).
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

TRIES_AGAIN = 3
"""How often a cemetery is repeated whose node or process is lost."""

_AHEAD = 2  # cemeteries in flight for each that can be mapped at a time: no node waits for the next

T = TypeVar("T")


class Waiting(Generic[T]):
    """The cemeteries that the cluster has not got yet, the largest first.

    So none of the large ones is left over at the end, when the other nodes have nothing to do.

    Args:
        items: The cemeteries.
        size: Returns the size of one, in any unit.
    """

    def __init__(self, items: Iterable[T], size: Callable[[T], float]) -> None:
        self._items = deque(sorted(items, key=size, reverse=True))

    def __len__(self) -> int:
        """Return how many are left."""
        return len(self._items)

    def take(self, in_flight: int, slots: int) -> Iterator[T]:
        """Remove and yield the cemeteries that the cluster gets now.

        Args:
            in_flight: Cemeteries that it has got and not finished.
            slots: Cemeteries that it can map at a time. Without a node, one cemetery waits for the
                next that comes.
        """
        while self._items and in_flight < max(1, _AHEAD * slots):
            in_flight += 1
            yield self._items.popleft()
