"""What a computer of a cluster does: map one cemetery, and return counts and paths."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from grave_cli import __version__
from grave_cli.batch.jobs import Job
from grave_cli.batch.mapper import ChosenModel, Engines, Mapper
from grave_cli.batch.outcomes import Outcome
from grave_cli.batch.run import describe
from grave_cli.model.shipped import STARTER, starter_model
from grave_cli.remote import permit

_ENGINES = Engines()
"""A worker process maps many cemeteries one after the other."""


@dataclass(frozen=True)
class Order:
    """What all cemeteries of a command have in common.

    Args:
        mapper: Models, settings and options.
        folder: The folder in which the command was started; relative paths begin there.
        version: Version of gravecli that gives the order.
    """

    mapper: Mapper
    folder: Path
    version: str = __version__


def map_here(order: Order, job: Job) -> Outcome:
    """Map a cemetery on this computer; a failure is part of the outcome.

    Args:
        order: Models and options.
        job: The cemetery.

    Returns:
        The outcome; its node is the id of this node.
    """
    import ray

    if fault := why_unable(order.folder, order.version):
        outcome = describe(job, "failed", 0.0, error=fault)
    else:
        permit(order.mapper.settings.data.allow_remote)
        mapper = replace(order.mapper, models=_at_home(order.mapper.models))
        outcome = mapper.outcome(job, _ENGINES)
    return replace(outcome, node=ray.get_runtime_context().get_node_id())


def why_unable(folder: Path, version: str) -> str:
    """Enter the folder of a command; return why this computer cannot work for it, if it cannot.

    Args:
        folder: The folder in which the command was started.
        version: Its version of gravecli.
    """
    if version != __version__:
        return f"this node has gravecli {__version__} (expected {version})"
    try:
        os.chdir(folder)
    except OSError as error:
        return f"{folder}: this node does not have the folder ({error.strerror})"
    return ""


def _at_home(models: Mapping[bool, ChosenModel]) -> dict[bool, ChosenModel]:
    """Take the starter model of this installation where that of the sender is not at hand."""
    return {
        with_dem: replace(model, bundle=starter_model())
        if model.bundle.card.name == STARTER and not model.bundle.folder.is_dir()
        else model
        for with_dem, model in models.items()
    }
