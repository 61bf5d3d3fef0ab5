"""A mapped cemetery in lines on the terminal, or as JSON."""

from collections.abc import Mapping
from typing import Any

from grave_cli.cli.change_lines import print_changes
from grave_cli.cli.console import print_json, print_line
from grave_cli.cli.scorecard import verdict_sentence
from grave_cli.evaluation.verdicts import VerdictCounts
from grave_cli.progress import Progress
from grave_cli.wording import counted, duration


def print_summary(summary: Mapping[str, Any], json: bool, progress: Progress) -> None:
    """Print what `MapFiles.summary` says of a map.

    Args:
        summary: Numbers and files by name.
        json: Print JSON.
        progress: Receives the notes, unless they are part of the JSON.
    """
    if json:
        print_json(summary)
        return
    for note in summary["notes"]:
        progress.warn(note)
    if comparison := summary.get("comparison"):
        print_changes(comparison)
    if "preview" in summary:
        print_line(f"overview in {summary['preview']}")
    if "report" in summary:
        print_line(f"report in {summary['report']}")
    if score := summary.get("score"):
        rates = score["at_50"]
        print_line(
            f"object F1 {rates['f1']:.3f}, precision {rates['precision']:.3f}, "
            f"recall {rates['recall']:.3f}, mean IoU {rates['mean_iou']:.3f}"
        )
        print_line(verdict_sentence(VerdictCounts.from_dict(score)))
    candidates = ""
    if summary["candidates"]:
        candidates = f" and {counted(summary['candidates'], 'candidate')}"
    if promise := summary["guarantee"]:
        print_line(
            f"after a look at the first {promise['looked_at']} by review_rank, with "
            f"{promise['confidence']:.0%} confidence at most "
            f"{counted(promise['unseen'], 'wrong grave')} of the others "
            f"{'is' if promise['unseen'] == 1 else 'are'} left unseen"
        )
    print_line(
        f"{counted(summary['graves'], 'grave')}{candidates} in "
        f"{', '.join(summary['files'].values())}, "
        f"{summary['to_review']} to review (model {summary['model']}, "
        f"{duration(summary['seconds'])})"
    )
