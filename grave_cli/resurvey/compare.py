"""The room in one call: two surveys in, their shift, their changes and the ids that go on out."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from grave_cli.delivery.grave_columns import GRAVE_COLUMNS
from grave_cli.errors import DatasetError
from grave_cli.outlines.polygons import Polygons, mended
from grave_cli.rasters.crs import transformer
from grave_cli.rasters.metric_frame import MetricFrame, frame_around
from grave_cli.resurvey.changes import CHANGES, Changes, find_changes
from grave_cli.resurvey.columns import (
    OUTSIDE,
    MergedColumns,
    kept_columns,
    merge_columns,
    outvoted,
)
from grave_cli.resurvey.ids import Identities, carry_ids
from grave_cli.resurvey.shift import Shift, estimate_shift
from grave_cli.resurvey.survey import Survey
from grave_cli.settings.tree import Settings
from grave_cli.wording import counted

_APART_M = 100.0


@dataclass(frozen=True)
class Comparison:
    """Two surveys of one cemetery.

    Args:
        old: The old survey, in the CRS of the new one.
        new: The new survey.
        id_column: Column of the ids in the result.
        shift: The shift between them, removed before graves were matched.
        changes: What became of each grave; `outside` for old ones outside the new imagery.
        identities: Ids and places.
        columns: Columns of the new map: its own, and those of the office.
        moved_outlines: Outlines of the old survey on the place of the new one, in its CRS.
        notes: Repairs and renamed columns, one line each.
        doubts: Why graves may have a wrong change or id, one line each.
    """

    old: Survey
    new: Survey
    id_column: str
    shift: Shift
    changes: Changes
    identities: Identities
    columns: MergedColumns
    moved_outlines: Polygons
    notes: tuple[str, ...]
    doubts: tuple[str, ...]

    @property
    def counts(self) -> dict[str, int]:
        """Number of changes of each kind: a split counts once, and so does a merge."""
        old, new = Counter(self.changes.of_old), Counter(self.changes.of_new)
        counts = {name: (old if name in ("gone", "split") else new)[name] for name in CHANGES}
        return counts | ({OUTSIDE: old[OUTSIDE]} if old[OUTSIDE] else {})

    def as_dict(self) -> dict[str, Any]:
        """Return the result for programs."""
        return {
            "old": {"file": self.old.name, "graves": len(self.old.rows)},
            "new": {"file": self.new.name, "graves": len(self.new.rows)},
            "shift": shift_as_dict(self.shift),
            "changes": self.counts,
            "notes": [*self.notes, *self.doubts],
        }


def compare_surveys(old: Survey, new: Survey, settings: Settings, cemetery: str) -> Comparison:
    """Compare two surveys of one cemetery.

    Args:
        old: The old survey, in the CRS of the new one.
        new: The new survey.
        settings: Limits of the kinds of change; rows and numbers of new graves.
        cemetery: Cemetery id of new graves, unless the old ids name one.

    Raises:
        DatasetError: The surveys are of different places, or the old one has no such column.
    """
    frame = frame_around(np.concatenate([new.outlines, old.outlines]), new.crs)
    before, after = (mended(frame.bring(one.outlines, one.crs)) for one in (old, new))
    _refuse_apart(old, new, before, after)
    shift = estimate_shift(before, after, settings.compare)
    moved = shift.outlines(before)
    changes = find_changes(moved, after, settings.compare)
    if len(old.rows) and len(new.rows) and not (changes.partner >= 0).any():
        raise _nothing_in_common(old, new, "no grave of either lies on one of the other", settings)
    changes.of_old[_outside(changes, moved, frame, new)] = OUTSIDE
    identities = carry_ids(old, after, changes, settings, cemetery)
    back = transformer(frame.crs, new.crs)
    placed = mended(np.asarray(shapely.transform(moved, back.transform, interleaved=False)))
    columns = merge_columns(
        kept_columns(old.types, old.rows),
        kept_columns(new.types, new.rows),
        settings.compare.id_column,
        GRAVE_COLUMNS,
    )
    hidden = outvoted(columns, old.rows, new.rows, identities.carriers)
    return Comparison(
        old,
        new,
        next(iter(columns.columns)),
        shift,
        changes,
        identities,
        columns,
        placed,
        (*old.notes, *new.notes, *identities.notes, *columns.notes, *hidden),
        tuple(_doubts(shift, settings)),
    )


def shift_as_dict(shift: Shift) -> dict[str, Any]:
    """Return a shift for programs: metres and degrees, rounded to millimetres."""
    residual = round(shift.residual_m, 3) if shift.pairs else None
    return {
        "estimated": shift.is_estimated,
        "reason": shift.reason,
        "east_m": round(shift.east_m, 3) + 0.0,  # no -0.0
        "north_m": round(shift.north_m, 3) + 0.0,
        "turn_deg": round(shift.turn_deg, 4) + 0.0,
        "pairs": shift.pairs,
        "residual_m": residual,
        "sentence": describe_shift(shift),
    }


def describe_shift(shift: Shift) -> str:
    """Say the shift and how well it fits, in one line."""
    residual = f"{counted(shift.pairs, 'grave')} in both"
    if shift.pairs:
        residual += f", median distance after it {shift.residual_m:.2f} m"
    if not shift.is_estimated:
        return f"no shift could be estimated, none is removed ({shift.reason}): {residual}"
    east, north = (
        f"{abs(value):.2f} m {names[round(value, 2) < 0]}"
        for value, names in ((shift.east_m, ("east", "west")), (shift.north_m, ("north", "south")))
    )
    return f"shift {east}, {north}, rotation {shift.turn_deg:+z.3f}°: {residual}"


def _doubts(shift: Shift, settings: Settings) -> list[str]:
    doubts = []
    if shift.is_unlikely:
        doubts.append(
            f"{shift.reason}, so that graves may have got wrong ids: check the result, or raise "
            f"compare.max_shift_m ({settings.compare.max_shift_m:g}) if the flights lie farther "
            "apart"
        )
    if shift.rival_m is not None:
        east, north = shift.rival_m
        doubts.append(
            f"the shift is uncertain: {east:+z.2f} m east and {north:+z.2f} m north fits nearly as "
            "well; lower compare.max_shift_m if the flights lie closer to each other"
        )
    if shift.pairs and shift.residual_m > settings.compare.moved_m / 2:
        doubts.append(
            f"the surveys differ by {shift.residual_m:.2f} m after the shift: many graves may "
            f"count as moved (compare.moved_m is {settings.compare.moved_m:g})"
        )
    return doubts


def _outside(
    changes: Changes, moved: Polygons, frame: MetricFrame, new: Survey
) -> NDArray[np.bool_]:
    """Find graves that are gone only because the new survey does not show their place."""
    gone = changes.of_old == "gone"
    if new.coverage is None:
        return np.zeros_like(gone)
    (seen,) = frame.bring(np.array([new.coverage], dtype=object), new.crs)
    shapely.prepare(seen)
    return np.asarray(gone & ~shapely.contains(seen, shapely.centroid(moved)))


def _refuse_apart(old: Survey, new: Survey, before: Polygons, after: Polygons) -> None:
    if not (len(before) and len(after)):
        return
    boxes = [shapely.box(*shapely.total_bounds(one)) for one in (before, after)]
    distance = float(shapely.distance(*boxes))
    if not distance <= _APART_M:
        far = f"{distance / 1000:,.1f} km apart" if np.isfinite(distance) else "nowhere near"
        raise _nothing_in_common(old, new, far, None)


def _nothing_in_common(
    old: Survey, new: Survey, found: str, settings: Settings | None
) -> DatasetError:
    remedy = "check that the files belong together and that both have the right CRS"
    if settings is not None:
        remedy += f", or raise compare.max_shift_m ({settings.compare.max_shift_m:g})"
    return DatasetError(
        "surveys have no grave in common",
        where=f"{old.name}, {new.name}",
        found=found,
        expected="two surveys of one cemetery",
        remedy=remedy,
    )
