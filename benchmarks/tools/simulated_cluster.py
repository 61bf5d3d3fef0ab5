"""A cluster that maps cemeteries, as a simulation of discrete events.

A node has slots, each of which maps one cemetery at a time. A node that fails loses what it was
mapping, and comes back after a while with fresh processes. Which cemetery a slot gets next is up to
a plan (`tools/plans.py`).
"""

import heapq
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count

import numpy as np
from tools.plans import Plan

HOUR_S = 3600.0


@dataclass(frozen=True)
class Nodes:
    """The computers.

    Args:
        count: How many.
        slots: Cemeteries that each can map at a time.
        slow: How many of them are slow, the first ones.
        slowdown: How many times as long those take.
        mtbf_h: Mean time between failures of a node in hours; None: none fails.
        repair_h: Until a failed node is back, in hours; None: never.
        notice_s: Until a failure is noticed.
        start_s: Until a new process can map.
    """

    count: int
    slots: int
    slow: int = 0
    slowdown: float = 1.0
    mtbf_h: float | None = None
    repair_h: float | None = 1.0
    notice_s: float = 30.0
    start_s: float = 0.0

    def __post_init__(self) -> None:
        if self.repair_h is not None and self.repair_h * HOUR_S <= self.notice_s:
            raise ValueError("a node must not be back before its loss is noticed")

    def seconds(self, work_s: float, node: int) -> float:
        """Return how long a node takes for a work."""
        return work_s * (self.slowdown if node < self.slow else 1.0)


@dataclass(frozen=True)
class Simulated:
    """How a simulation went.

    Args:
        makespan_s: Until the last cemetery was finished or given up.
        lost: Slot-seconds spent on lost tries, as a share of all that were spent.
        idle: Share of its slot-seconds in which the worst node did nothing while it was alive.
        failures: Failures of nodes.
        given_up: Cemeteries that were lost too often.
    """

    makespan_s: float
    lost: float
    idle: float
    failures: int
    given_up: int


def simulate(
    work_s: Sequence[float],
    nodes: Nodes,
    plan: Plan,
    *,
    seed: int = 0,
    failures: Iterable[tuple[float, int]] = (),
    driver_losses: Iterable[tuple[float, float]] = (),
    mixed: bool = False,
) -> Simulated:
    """Map cemeteries on a simulated cluster.

    Args:
        work_s: Seconds that each cemetery takes on a node that is not slow.
        nodes: The computers.
        plan: Decides which cemetery a slot gets next.
        seed: Of the failures, and of the order of the slots.
        failures: Second and node of further failures.
        driver_losses: Second at which the driver of the plan is lost, with all that runs, and
            second at which somebody starts it again. A plan without a driver takes no note of it.
        mixed: Serve the slots at first in any order, and not node by node.
    """
    run = _Run(work_s, nodes, plan, np.random.default_rng(seed), mixed)
    for time_s, node in failures:
        run.at(time_s, partial(run.fail, node))
    if plan.has_driver:
        for lost_s, again_s in driver_losses:
            run.at(lost_s, run.lose_driver)
            run.at(again_s, run.start_driver)
    return run.until_all_is_mapped()


@dataclass
class _Slot:
    node: int
    cemetery: int | None = None
    begin_s: float = 0.0
    tries: int = 0
    is_fresh: bool = True


class _Run:
    """The state of a simulation; its methods are the events."""

    def __init__(
        self,
        work_s: Sequence[float],
        nodes: Nodes,
        plan: Plan,
        random: np.random.Generator,
        mixed: bool,
    ) -> None:
        self._work_s, self._nodes, self._plan, self._random = work_s, nodes, plan, random
        self._slots = [_Slot(node) for node in range(nodes.count) for _ in range(nodes.slots)]
        order = random.permutation(len(self._slots)) if mixed else np.arange(len(self._slots))
        self._idle: dict[int, None] = dict.fromkeys(order.tolist())  # the longest idle first
        self._left = dict.fromkeys(range(len(work_s)))
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._now_s = 0.0
        self._driver_starts = 0
        self._has_driver = True
        self._up_since: dict[int, float] = {}
        self._alive_s, self._busy_s = np.zeros(nodes.count), np.zeros(nodes.count)
        self._lost_s, self._failures, self._given_up = 0.0, 0, 0
        for node in range(nodes.count):
            self._come_up(node)

    def at(self, time_s: float, event: Callable[[], None]) -> None:
        """Plan an event."""
        heapq.heappush(self._events, (time_s, next(self._order), event))

    def until_all_is_mapped(self) -> Simulated:
        """Let events happen until no cemetery is left."""
        self._serve_idle()
        while self._left:
            self._now_s, _, event = heapq.heappop(self._events)
            event()
        for node, since_s in self._up_since.items():
            self._alive_s[node] += self._now_s - since_s
        lived = self._alive_s > 0
        idle = 1 - self._busy_s[lived] / (self._alive_s[lived] * self._nodes.slots)
        return Simulated(
            self._now_s,
            self._lost_s / max(float(self._busy_s.sum()), 1e-9),
            float(idle.max()),
            self._failures,
            self._given_up,
        )

    def fail(self, node: int) -> None:
        """Lose a node."""
        if node not in self._up_since:
            return
        self._failures += 1
        self._alive_s[node] += self._now_s - self._up_since.pop(node)
        for index in self._of(node):
            self._idle.pop(index, None)
            notice = partial(self._notice, index, self._drop(index), self._driver_starts)
            self.at(self._now_s + self._nodes.notice_s, notice)
        if self._nodes.repair_h is not None:
            self.at(self._now_s + self._nodes.repair_h * HOUR_S, partial(self._repair, node))

    def lose_driver(self) -> None:
        """Lose the driver: the cluster ends its tasks."""
        self._has_driver = False
        for index, slot in enumerate(self._slots):
            if slot.cemetery is not None:
                self._drop(index)
                self._idle[index] = None

    def start_driver(self) -> None:
        """Start the driver again: what is mapped already is skipped."""
        self._has_driver = True
        self._driver_starts += 1
        self._plan.restart(tuple(self._left))
        self._serve_idle()

    def _of(self, node: int) -> range:
        return range(node * self._nodes.slots, (node + 1) * self._nodes.slots)

    def _come_up(self, node: int) -> None:
        self._up_since[node] = self._now_s
        if self._nodes.mtbf_h is not None:
            wait_s = float(self._random.exponential(self._nodes.mtbf_h * HOUR_S))
            self.at(self._now_s + wait_s, partial(self.fail, node))

    def _repair(self, node: int) -> None:
        self._come_up(node)
        self._idle |= dict.fromkeys(self._of(node))
        self._plan.come(self._nodes.slots)
        self._serve_idle()

    def _serve_idle(self) -> None:
        while self._idle and self._serve(next(iter(self._idle))):
            pass

    def _serve(self, index: int) -> bool:
        """Give a cemetery to an idle slot; return whether there was one."""
        taken = self._plan.take(index) if self._has_driver else None
        if taken is None:
            return False
        cemetery, is_new_process = taken
        del self._idle[index]
        slot = self._slots[index]
        start_s = self._nodes.start_s if is_new_process or slot.is_fresh else 0.0
        slot.cemetery, slot.begin_s, slot.is_fresh = cemetery, self._now_s, False
        slot.tries += 1
        seconds = start_s + self._nodes.seconds(self._work_s[cemetery], slot.node)
        self.at(self._now_s + seconds, partial(self._end, index, slot.tries))
        return True

    def _end(self, index: int, tries: int) -> None:
        slot = self._slots[index]
        if slot.cemetery is None or slot.tries != tries:
            return  # it was lost before
        cemetery, slot.cemetery = slot.cemetery, None
        self._busy_s[slot.node] += self._now_s - slot.begin_s
        del self._left[cemetery]
        self._idle[index] = None
        handled_s = self._plan.end(cemetery, self._now_s)
        self._serve(index)
        self.at(handled_s, partial(self._handle, cemetery, self._driver_starts))

    def _handle(self, cemetery: int, driver_starts: int) -> None:
        if driver_starts == self._driver_starts and self._has_driver:
            self._plan.handle(cemetery)
            self._serve_idle()

    def _drop(self, index: int) -> int | None:
        """Lose what a slot is mapping, and its process."""
        slot = self._slots[index]
        cemetery, slot.cemetery, slot.is_fresh = slot.cemetery, None, True
        if cemetery is not None:
            self._busy_s[slot.node] += self._now_s - slot.begin_s
            self._lost_s += self._now_s - slot.begin_s
        return cemetery

    def _notice(self, index: int, cemetery: int | None, driver_starts: int) -> None:
        # A driver that was started since then knows nothing of the try.
        is_known = driver_starts == self._driver_starts and self._has_driver
        if not self._plan.lose(index, cemetery if is_known else None):
            del self._left[cemetery]  # type: ignore[arg-type]
            self._given_up += 1
        self._serve_idle()
