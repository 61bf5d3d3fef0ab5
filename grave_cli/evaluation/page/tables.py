"""The tables of the page."""

from collections.abc import Iterable, Sequence
from html import escape

from grave_cli.evaluation.breakdown import ConfidenceGroup, Group
from grave_cli.evaluation.evaluate import Evaluation
from grave_cli.evaluation.scorecard import Scorecard


def matches_table(card: Scorecard) -> str:
    """Write how many graves match, by how much they have to overlap."""
    rows = [
        (
            name,
            f"{score.matches} of {score.truths}",
            percent(score.recall),
            percent(score.precision),
            f"{score.f1:.3f}",
            f"{score.mean_iou:.3f}",
        )
        for name, score in (("0.5", card.at_50), ("0.75", card.at_75))
    ]
    means = (percent(card.mean_recall), percent(card.mean_precision), f"{card.mean_f1:.3f}")
    rows.append(("mean of 0.5 to 0.95", "", *means, ""))
    return table(("overlap (IoU) from", "found", "recall", "precision", "F1", "mean IoU"), rows)


def kinds_table(evaluation: Evaluation) -> str:
    """Write the score of each kind of grave."""
    card = evaluation.scorecard
    families: list[tuple[str, Sequence[Group]]] = [
        ("By true area", card.by_size),
        ("By neighbours", card.by_neighbours),
        (f"By {evaluation.attribute}", evaluation.by_attribute),
    ]
    body = "".join(
        f'<tr class="family"><td colspan="5">{escape(title)}</td></tr>' + _rows(map(_cells, family))
        for title, family in families
        if family
    )
    return _table(("graves", "there are", "found", "recall", "precision"), body)


def confidence_table(groups: Sequence[ConfidenceGroup]) -> str:
    """Write how many graves of each confidence are right."""
    rows = [
        (
            f"{group.lowest:.2f} – {group.highest:.2f}",
            str(group.predictions),
            str(group.right),
            percent(group.precision),
        )
        for group in groups
    ]
    return table(("confidence", "drawn", "right", "share"), rows)


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table; the texts are escaped."""
    return _table(headings, _rows(rows))


def percent(share: float | None) -> str:
    """Write a share; a dash for none."""
    return number(share, ".1%").replace("%", "\N{NO-BREAK SPACE}%")


def number(value: float | None, form: str, unit: str = "") -> str:
    """Write a number; a dash for none."""
    return "–" if value is None else f"{value:{form}}{unit}".replace("-", "−")


def _cells(group: Group) -> Sequence[str]:
    rates = (percent(group.recall), percent(group.precision))
    return (group.name, str(group.truths), str(group.found), *rates)


def _rows(rows: Iterable[Sequence[str]]) -> str:
    lines = ("".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows)
    return "".join(f"<tr>{line}</tr>" for line in lines)


def _table(headings: Sequence[str], body: str) -> str:
    head = "".join(f"<th>{escape(heading)}</th>" for heading in headings)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
