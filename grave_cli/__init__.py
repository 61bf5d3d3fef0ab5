"""gravecli: one clean polygon per grave from a drone orthophoto.

The commands are functions here; each is imported when it is first used.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from grave_cli.api.commands import (
        check,
        dataset_id,
        evaluate,
        predict_cemetery,
        read_graves,
        train,
        write_sample_data,
    )
    from grave_cli.api.listeners import GraveWarning, ProgressEvent
    from grave_cli.api.results import CemeteryMap, Graves
    from grave_cli.errors import GraveError
    from grave_cli.settings.tree import Settings

__version__ = "0.1.0"

__all__ = [
    "CemeteryMap",
    "GraveError",
    "GraveWarning",
    "Graves",
    "ProgressEvent",
    "Settings",
    "check",
    "dataset_id",
    "evaluate",
    "predict_cemetery",
    "read_graves",
    "train",
    "write_sample_data",
]

_COMMANDS, _LISTENERS, _RESULTS = "api.commands", "api.listeners", "api.results"
_HOMES = {
    "CemeteryMap": _RESULTS,
    "GraveError": "errors",
    "GraveWarning": _LISTENERS,
    "Graves": _RESULTS,
    "ProgressEvent": _LISTENERS,
    "Settings": "settings.tree",
    "check": _COMMANDS,
    "dataset_id": _COMMANDS,
    "evaluate": _COMMANDS,
    "predict_cemetery": _COMMANDS,
    "read_graves": _COMMANDS,
    "train": _COMMANDS,
    "write_sample_data": _COMMANDS,
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    """List the public names."""
    return [*__all__, "__version__"]
