"""What is to be changed in a map, for people and programs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from grave_cli.tidying.draft import Draft
from grave_cli.tidying.edited_map import EditedMap
from grave_cli.tidying.naming import Names
from grave_cli.tidying.overlaps import Overlap
from grave_cli.tidying.vanished import Vanished
from grave_cli.wording import counted

_MEASURED = ("area_m2", "length_m", "width_m", "azimuth_deg", "height_m")
_SHOWN = 5


@dataclass(frozen=True)
class Report:
    """What is to be changed in a map: ids of graves, and numbers of candidates.

    Args:
        numbered: Graves drawn by hand that get a number.
        accepted: Candidates that become graves, by their new ids.
        refused: Candidates that are no graves.
        covered: Candidates on which a grave lies.
        removed: Graves that were deleted.
        returned: Deleted graves that are in the map again.
        redrawn: Graves drawn where one was deleted, whose id they get.
        parts: Parts of a cut grave, which get a letter.
        given_back: Graves that get back an id which had been emptied.
        repaired: Graves whose invalid outline is repaired.
        trimmed: Graves that are trimmed where they overlap another one.
        measured: Graves whose sizes, direction or height get new values.
        problems: What only a person can decide, one sentence each.
        notes: Other things to know, one sentence each.
    """

    numbered: tuple[str, ...]
    accepted: tuple[str, ...]
    refused: tuple[int, ...]
    covered: tuple[int, ...]
    removed: tuple[str, ...]
    returned: tuple[str, ...]
    redrawn: tuple[str, ...]
    parts: tuple[str, ...]
    given_back: tuple[str, ...]
    repaired: tuple[str, ...]
    trimmed: tuple[str, ...]
    measured: tuple[str, ...]
    problems: tuple[str, ...]
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the report for programs."""
        return asdict(self)

    def lines(self) -> Iterator[tuple[str, str, str]]:
        """Yield, for each kind of change, its words, its number and the first of its graves."""
        for name, words in _WORDS.items():
            those = getattr(self, name)
            if those:
                shown = ", ".join(map(str, those[:_SHOWN]))
                yield words, str(len(those)), shown + (", …" if len(those) > _SHOWN else "")


_WORDS = {
    "accepted": "candidates accepted",
    "refused": "candidates refused",
    "covered": "candidates with a grave on them",
    "numbered": "new graves numbered",
    "redrawn": "drawn anew, with their old id",
    "parts": "parts of a cut grave, with a letter",
    "given_back": "lost ids given back",
    "removed": "deleted graves recorded",
    "returned": "deleted graves that are back",
    "repaired": "invalid outlines repaired",
    "trimmed": "small overlaps trimmed",
    "measured": "graves measured anew",
}


def write_report(
    edited: EditedMap,
    draft: Draft,
    names: Names,
    vanished: Vanished,
    values: Sequence[Mapping[str, Any]],
    notes: Sequence[str],
) -> Report:
    """Describe the changes of a map.

    Args:
        edited: The map.
        draft: Its graves.
        names: Their ids.
        vanished: What leaves its layers.
        values: The new values of each grave.
        notes: Notes about heights.
    """

    def named(positions: Sequence[int]) -> tuple[str, ...]:
        return tuple(_name(draft, names, index) for index in positions)

    new = [index for index, fid in enumerate(draft.fids) if fid is None]
    numbered = [index for index in names.numbered if draft.fids[index] is not None]
    measured = [i for i, one in enumerate(values) if not one.keys().isdisjoint(_MEASURED)]
    return Report(
        numbered=named(numbered),
        accepted=named(new),
        refused=tuple(one.name for one in draft.decisions.refused),
        covered=tuple(one.name for one in draft.decisions.covered),
        removed=vanished.graves,
        returned=vanished.returned,
        redrawn=named(names.redrawn),
        parts=named(sorted(names.parts)),
        given_back=named(names.given_back),
        repaired=named(draft.repaired.nonzero()[0].tolist()),
        trimmed=named(draft.trimmed.nonzero()[0].tolist()),
        measured=named(measured),
        problems=tuple(_problems(draft, names)),
        notes=(*_notes(edited, draft, names, vanished), *notes),
    )


def _name(draft: Draft, names: Names, index: int) -> str:
    fid = draft.fids[index]
    if names.ids[index] or fid is not None:
        return names.ids[index] or f"fid {fid}"
    accepted = draft.decisions.accepted
    return f"candidate {accepted[index - len(draft.fids)].name}"


def _problems(draft: Draft, names: Names) -> Iterator[str]:
    for index, fault in sorted(draft.faults.items()):
        yield f"grave {_name(draft, names, index)} {fault}"
    for pair in draft.deep:
        yield _conflict(pair, draft, names)
    yield from draft.decisions.faults


def _conflict(pair: Overlap, draft: Draft, names: Names) -> str:
    one, other = (_name(draft, names, index) for index in (pair.first, pair.second))
    return (
        f"graves {one} and {other} share {pair.area_m2:.2f} m², {pair.share:.0%} of the smaller "
        "one: delete or reshape one of them"
    )


def _notes(edited: EditedMap, draft: Draft, names: Names, vanished: Vanished) -> Iterator[str]:
    if edited.trace is None:
        yield "the map does not tell its rows as written: reshaped outlines are not recognised"
    for index, one in sorted(names.copies.items()):
        yield (
            f"{_name(draft, names, index)} is a copy of {one}, and so are the office's columns of "
            "its row: check them"
        )
    for one, other in sorted(vanished.merged.items()):
        yield f"{one} is now part of {other}"
    written = edited.trace.ids if edited.trace else {}
    for fid, row in zip(edited.graves.fids, edited.graves.rows, strict=True):
        old, new = written.get(fid), str(row.get("grave_id") or "").strip()
        if old and new and old != new:
            yield f"{old} was renamed {new}, which is kept"
    if draft.decisions.open:
        yield f"{counted(draft.decisions.open, 'candidate')} without a decision"
