"""The summary of many cemeteries: a table as CSV and JSON."""

import csv
import io
import json
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any, Literal

from grave_cli.atomic_writes import whole_file
from grave_cli.batch.jobs import Shard
from grave_cli.errors import ExportError
from grave_cli.outputs import FOREIGN, Output, check_outputs, seal

State = Literal["mapped", "already mapped", "failed"]

_STEM = "summary"
_SEAL_KEY, _OLD_SEAL_KEY = "csv_sha256", "csv_sha256_before"


@dataclass(frozen=True)
class Outcome:
    """What became of one cemetery.

    Args:
        cemetery: Cemetery id.
        state: Mapped now, or before, or neither.
        graves: Graves on its map; None without one.
        to_review: How many of them need a review.
        candidates: Places that may be graves but were not drawn.
        seconds: Duration.
        orthophoto: The mapped image.
        dem: Its heights; empty without them.
        map: The GeoPackage.
        error: Why it failed, in one line.
        dtm: Heights of the ground below `dem`; empty without them.
        node: Computer of a cluster that mapped it; empty without a cluster.
    """

    cemetery: str
    state: State
    graves: int | None
    to_review: int | None
    candidates: int | None
    seconds: float
    orthophoto: str
    dem: str
    map: str
    error: str = ""
    dtm: str = ""
    node: str = ""


@dataclass(frozen=True)
class Summary:
    """The files of the summary.

    Args:
        csv: The table.
        json: The same with totals, and the seal of both.
    """

    csv: Path
    json: Path

    @classmethod
    def in_folder(cls, folder: Path, shard: Shard | None) -> "Summary":
        """Name the files of a folder of maps; each shard has its own."""
        stem = f"{_STEM}-{shard.index + 1}-of-{shard.count}" if shard else _STEM
        return cls(folder / f"{stem}.csv", folder / f"{stem}.json")

    def check(self, inputs: Sequence[Path], *, overwrite: bool) -> None:
        """Check that the files can be written and that nobody's work is lost by it.

        Args:
            inputs: Files that the command reads.
            overwrite: Replace them in any case.

        Raises:
            ExportError: One of them cannot be written, or holds something else.
        """
        why_keep = partial(_why_keep, self)
        outputs = (
            Output("the summary", self.csv, "a CSV table", (".csv",), why_keep),
            Output("the summary as JSON", self.json, "JSON", (".json",), why_keep),
        )
        named = {f"input {number}": path for number, path in enumerate(inputs, start=1)}
        check_outputs(outputs, named, overwrite=overwrite)

    def write(self, outcomes: Sequence[Outcome]) -> None:
        """Write both files.

        The JSON comes first and also knows the table that is replaced: a process that is killed
        between the two leaves a pair that counts as unchanged.

        Raises:
            ExportError: One of them cannot be written.
        """
        table = _as_bytes(_as_csv(outcomes))
        content = as_record(outcomes) | {_SEAL_KEY: seal(table)}
        try:
            content[_OLD_SEAL_KEY] = seal(self.csv.read_bytes()) if self.csv.exists() else ""
            for path, written in ((self.json, _as_bytes(_as_json(content))), (self.csv, table)):
                with whole_file(path) as new:
                    new.write_bytes(written)
        except OSError as error:
            raise ExportError(
                "summary cannot be written", where=self.csv, found=error.strerror
            ) from None


def as_record(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return the outcomes and their totals for JSON."""
    states = [outcome.state for outcome in outcomes]
    return {
        "mapped": states.count("mapped"),
        "already_mapped": states.count("already mapped"),
        "failed": states.count("failed"),
        "graves": sum(outcome.graves or 0 for outcome in outcomes),
        "to_review": sum(outcome.to_review or 0 for outcome in outcomes),
        "candidates": sum(outcome.candidates or 0 for outcome in outcomes),
        "nodes": [asdict(node) for node in by_node(outcomes)],
        "cemeteries": [asdict(outcome) for outcome in outcomes],
    }


@dataclass(frozen=True)
class NodeCounts:
    """How many cemeteries a computer of a cluster mapped, and how many failed there."""

    node: str
    mapped: int
    already_mapped: int
    failed: int


def by_node(outcomes: Sequence[Outcome]) -> tuple[NodeCounts, ...]:
    """Count the outcomes of each computer of a cluster, sorted by name."""
    counts = Counter((outcome.node, outcome.state) for outcome in outcomes if outcome.node)
    return tuple(
        NodeCounts(
            node, counts[node, "mapped"], counts[node, "already mapped"], counts[node, "failed"]
        )
        for node in sorted({node for node, _ in counts})
    )


def _as_csv(outcomes: Sequence[Outcome]) -> str:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, [field.name for field in fields(Outcome)])
    writer.writeheader()
    for outcome in outcomes:
        writer.writerow(asdict(outcome))
    return buffer.getvalue()


def _as_json(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _as_bytes(text: str) -> bytes:
    r"""Encode a text; a letter of a file name in another encoding becomes \udce9, as on screen."""
    return text.encode("utf-8", "backslashreplace")


def _why_keep(summary: Summary, path: Path) -> str | None:
    """Return why an existing summary must not be replaced; None if gravecli wrote it so."""
    with suppress(OSError, ValueError, TypeError, KeyError):
        record = json.loads(summary.json.read_text(encoding="utf-8"))
        known = record[_SEAL_KEY], record.get(_OLD_SEAL_KEY)
        if not summary.csv.exists() or seal(summary.csv.read_bytes()) in known:
            return None
        return "was changed since gravecli wrote it" if path == summary.csv else None
    return FOREIGN
