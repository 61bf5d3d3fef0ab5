"""One object that is not a grave."""

from __future__ import annotations

from dataclasses import dataclass

from grave_cli.sample_data.canvas import Array


@dataclass(frozen=True)
class Thing:
    """One object that is not a grave.

    Args:
        kind: Name of its painter.
        centre: Its middle in metres.
        size: Width (along `angle`) and depth in metres.
        angle: Direction of its width in radians from x.
    """

    kind: str
    centre: Array
    size: tuple[float, float]
    angle: float
