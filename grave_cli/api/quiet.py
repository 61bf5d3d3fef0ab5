"""Libraries that say more than a caller wants to know, quiet while a training runs."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from grave_cli.api.listeners import GraveWarning

# A filter does not hold for the loggers below, so each is named.
_TALKATIVE = (
    "lightning.fabric.utilities.rank_zero",
    "lightning.fabric.utilities.seed",
    "lightning.pytorch.utilities.rank_zero",
    "lightning_utilities.core.rank_zero",
    "mlflow",
    "alembic.runtime.migration",
)


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Hide warnings and log messages of libraries while the block runs; those of gravecli pass."""
    loggers = [logging.getLogger(name) for name in _TALKATIVE]
    # Lightning sets its level when it is imported, which may be within the block.
    for logger in loggers:
        logger.addFilter(_is_error)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("default", GraveWarning)
            yield
    finally:
        for logger in loggers:
            logger.removeFilter(_is_error)


def _is_error(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.ERROR
