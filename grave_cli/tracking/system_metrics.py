"""The load of the machine during a training, if the settings ask for it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from grave_cli.tracking.runs import TrackedRun
from grave_cli.tracking.store import tracking_uri


@contextmanager
def system_metrics(run: TrackedRun) -> Iterator[None]:
    """Log `system/…` metrics while the block runs, if the settings ask for them."""
    if not run.settings.tracking.system_metrics:
        yield
        return
    from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

    monitor: Any = SystemMetricsMonitor(  # type: ignore[no-untyped-call]
        run.run_id, resume_logging=True, tracking_uri=tracking_uri(run.settings)
    )
    monitor.start()
    try:
        yield
    finally:
        monitor.finish()
