"""Several cemeteries at a time: GDAL, numpy and hashing leave Python's lock to other threads."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import TypeVar

from grave_cli.processes import usable_cores

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_in_threads(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    most: int | None = None,
    over: Event | None = None,
) -> Iterator[Result]:
    """Yield the results in the order of the items; the first error ends it.

    Args:
        function: Called once for each item, in any thread.
        items: The items.
        most: Largest number of threads; None: one for each core.
        over: Set once no more results are wanted, before running calls are waited for.
    """
    pool = ThreadPoolExecutor(min(most or 64, usable_cores()), "dataset")
    try:
        yield from pool.map(function, items)
    finally:
        if over is not None:
            over.set()
        pool.shutdown(cancel_futures=True)
