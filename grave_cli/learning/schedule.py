"""Learning-rate schedule, by steps or by the clock, whichever ends first."""

import math
import time
from collections.abc import Callable


class Schedule:
    """Linear warm-up, then cosine annealing to almost 0, over the completed share of the training.

    That share is the larger of steps done and time elapsed, so that a training limited by
    `max_time_s` also anneals.

    Source: Loshchilov & Hutter 2017, SGDR, without restarts.

    Args:
        total_steps: Number of training steps.
        max_time_s: Time limit of the training, seconds; 0 means no limit.
        warmup_share: Share of the training in which the rate rises.
        clock: Monotonic clock, seconds.
    """

    def __init__(
        self,
        total_steps: int,
        max_time_s: float,
        warmup_share: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.total_steps = max(total_steps, 1)
        self.max_time_s = max_time_s
        self.warmup_share = warmup_share
        self.spent_before_s = 0.0
        self._clock = clock
        self._start: float | None = None
        self._first_step = 0
        self._pinned_s: float | None = None

    def pin(self, elapsed_s: float) -> None:
        """Let this time count until the next is pinned: several processes go by one clock."""
        self._pinned_s = elapsed_s

    def start(self, step: int = 0) -> None:
        """Start the clock; time spent before an interruption still counts.

        Args:
            step: Number of steps done before an interruption.
        """
        self._start = self._clock()
        self._first_step = step

    def left_s(self, step: int) -> float | None:
        """Estimate the seconds left, by the mean duration of the steps done since the start.

        The mean includes validation. A time limit shortens the estimate.

        Args:
            step: Number of steps done.

        Returns:
            Seconds; None before the first step.
        """
        if self._start is None or step <= self._first_step:
            return None
        step_s = (self._clock() - self._start) / (step - self._first_step)
        left_s = step_s * max(0, self.total_steps - step)
        if self.max_time_s > 0:
            left_s = min(left_s, max(0.0, self.max_time_s - self.elapsed_s()))
        return left_s

    def time_is_up(self) -> bool:
        """Return whether the time limit is reached."""
        return self.max_time_s > 0 and self.elapsed_s() >= self.max_time_s

    def done(self, step: int) -> float:
        """Return the completed share of the training, in [0, 1]."""
        by_time = self.elapsed_s() / self.max_time_s if self.max_time_s > 0 else 0.0
        return min(1.0, max(step / self.total_steps, by_time))

    def factor(self, step: int) -> float:
        """Return the factor on the peak learning rate, in (0, 1]."""
        done = self.done(step)
        if done < self.warmup_share:
            # Step 0 gets the rate of step 1 instead of 0.
            return min(1.0, max(done, 1 / self.total_steps) / self.warmup_share)
        rest = (done - self.warmup_share) / (1 - self.warmup_share)
        return max(0.5 * (1 + math.cos(math.pi * rest)), 1e-3)  # not 0: steps may follow

    def elapsed_s(self) -> float:
        """Return the seconds spent on the training so far, interruptions excluded."""
        if self._pinned_s is not None:
            return self._pinned_s
        return self.own_elapsed_s()

    def own_elapsed_s(self) -> float:
        """Return these seconds by the clock of this process."""
        since_start = 0.0 if self._start is None else self._clock() - self._start
        return self.spent_before_s + since_start
