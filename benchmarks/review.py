"""How much of a review the candidates and the order save: recall, curve and guarantee.

    python benchmarks/review.py                                   # generated cemeteries, starter
    python benchmarks/review.py --data DATA/field --curve review.png
    python benchmarks/review.py --data DATA/field --model field_a=runs/a field_b=runs/b
    python benchmarks/review.py --data varied --fit           # odds for models without their own
    python benchmarks/review.py --data varied --into FOLDER   # odds and proof into a model card

Each cemetery is mapped whole and judged against its graves. An error is a place: a wrong outline,
an outline over several graves, a grave in pieces, a missed grave. A look shows the errors of the
outline looked at, and missed graves under it. "before" is the order without candidates: flagged
graves, then the others, the least confident first. "best" is the most that so many looks can show.
"""

import argparse
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tools.table import print_table

from grave_cli.dataset.manifest import read_manifest
from grave_cli.dataset.plans import PartPlan, plan_parts
from grave_cli.dataset.splits import Part
from grave_cli.evaluation.judgement import Judgement
from grave_cli.evaluation.review_looks import FIRST, REVIEWED, Looks, caught_together, look_through
from grave_cli.mapping.engine import open_engine
from grave_cli.mapping.predict_cemetery import predict_cemetery
from grave_cli.mapping.result import PredictionResult
from grave_cli.model.bundle import read_bundle, write_card
from grave_cli.review.guarantee import usual_promise
from grave_cli.sample_data.write import write_sample_data
from grave_cli.settings.load import load_settings
from grave_cli.settings.tree import Settings
from grave_cli.tracking.models import resolve_model
from grave_cli.training.judged_part import judge_part
from grave_cli.training.review_fitting import Lesson, fit_lessons, learn_from
from grave_cli.training.reviewed_part import ReviewedPart, review_part

COLUMNS = [
    "cemetery",
    "model",
    "true",
    "drawn",
    "found by graves",
    "and candidates",
    "pointed to",
    "candidates",
    "right",
    "errors",
    "first 15 %",
    "before",
    "best",
    "promise",
    "held",
]


@dataclass(frozen=True)
class Mapped:
    """A cemetery, its map, and the review of it."""

    name: str
    model: str
    drawn: int
    found_alone: float
    part: ReviewedPart
    before: Looks
    promise: str
    held: str
    lesson: Lesson


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, nargs="*", default=[], help="data folders")
    parser.add_argument(
        "--model", nargs="+", default=["starter"], help="one for all, or CEMETERY=MODEL for some"
    )
    parser.add_argument("--curve", type=Path, help="picture of the curves to write (PNG)")
    parser.add_argument("--fit", action="store_true", help="print odds fitted to this data")
    parser.add_argument("--into", type=Path, help="model whose card gets what this data teaches")
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE")
    parser.add_argument("--work-dir", type=Path, default=Path("runs"), help="tracking store")
    given = parser.parse_args()
    settings = load_settings(None, given.set, {"work_dir": given.work_dir}, environ={}).settings
    with tempfile.TemporaryDirectory(prefix="gravecli-review-") as scratch:
        roots = given.data or [generate(Path(scratch) / "data")]
        mapped = [one for root in roots for one in map_all(root, given.model, settings)]
    report(mapped)
    if given.curve is not None:
        draw(mapped, given.curve)
    if given.fit:
        odds = fit_lessons([one.lesson for one in mapped], caution=0.05)
        print(json.dumps(odds.model_dump(exclude={"proof"}), indent=2))
    if given.into is not None:
        card = read_bundle(given.into).card
        fitted = fit_lessons([one.lesson for one in mapped])
        write_card(given.into, card.model_copy(update={"review": fitted}))


def generate(root: Path) -> Path:
    write_sample_data(root, cemeteries=8, size_m=45, seed=71, variety="all")
    return root


def map_all(root: Path, models: list[str], settings: Settings) -> Iterator[Mapped]:
    chosen = dict(name.split("=", 1) for name in models if "=" in name)
    common = next((name for name in models if "=" not in name), None)
    for cemetery in read_manifest(root).cemeteries:
        name = chosen.get(cemetery.name, common)
        if name is None:
            continue
        bundle = resolve_model(name, settings).bundle
        engine = open_engine(bundle, settings.prediction)
        dem = cemetery.dem if bundle.card.recipe.elevation is not None else None
        result = predict_cemetery(cemetery.orthophoto, dem, bundle, engine, settings)
        (plan,) = plan_parts([Part(cemetery, "test")], settings)
        yield judge(plan, result, Path(name).name)


def judge(plan: PartPlan, result: PredictionResult, model: str) -> Mapped:
    judged = judge_part(plan, result.polygons, result.column("confidence"))
    part = review_part(plan, result, judged)
    assert result.review is not None
    promise = usual_promise(result.review.promises, part.looks.items)
    words, held = "", ""
    if promise is not None:
        ranks = result.column("review_rank")[plan.owns(result.polygons)].astype(int)
        unseen = int(
            np.count_nonzero(judged.verdicts.needs_correction & (ranks > promise.looked_at))
        )
        words = f"{promise.looked_at}: at most {promise.unseen}"
        held = f"{unseen}"
    return Mapped(
        plan.part.cemetery.name,
        model,
        len(judged.predicted_area),
        float(judged.is_found.mean()),
        part,
        before(plan, result, judged),
        words,
        held,
        learn_from(plan, result),
    )


def before(plan: PartPlan, result: PredictionResult, judged: Judgement) -> Looks:
    mine = plan.owns(result.polygons)
    confidence = result.column("confidence")[mine].astype(float)
    flagged = result.column("needs_review")[mine].astype(bool)
    ranks = np.empty(len(flagged), np.intp)
    ranks[np.lexsort((confidence, ~flagged))] = np.arange(1, len(flagged) + 1)
    none = np.zeros(0, object), np.zeros(0, np.intp)
    return look_through(judged, plan.graves, result.polygons[mine], ranks, *none)


def report(mapped: list[Mapped]) -> None:
    rows = [cells(one.name, one.model, [one]) for one in mapped]
    if len(mapped) > 1:
        rows.append(cells("all", "", mapped))
    print_table("Candidates and the order of the review", COLUMNS, rows)
    shares = [f"{share:.0%}" for share in REVIEWED[1:]]
    curves = [
        [one.name, *(percent(value) for value in one.part.looks.curve()[1:])] for one in mapped
    ]
    looks = [one.part.looks for one in mapped]
    old = [one.before for one in mapped]
    for name, which in (("all", looks), ("before", old)):
        curves.append([name, *(percent(caught_together(which, s)) for s in REVIEWED[1:])])
    print_table("Share of the errors that a look at the first … shows", ["", *shares], curves)


def cells(name: str, model: str, group: list[Mapped]) -> list[object]:
    parts = [one.part for one in group]
    truths = sum(part.truths for part in parts)
    shown = sum(part.candidates for part in parts)
    errors = sum(len(part.looks.shown) for part in parts)
    best = sum(min(len(p.looks.shown), round(FIRST * p.looks.items)) for p in parts)
    single = group[0]
    return [
        name,
        model,
        truths,
        sum(one.drawn for one in group),
        percent(sum(one.found_alone * one.part.truths for one in group) / truths, 1),
        percent(sum(part.found for part in parts) / truths, 1),
        percent(1 - sum(part.missed for part in parts) / truths, 1),
        shown,
        sum(part.right for part in parts),
        errors,
        percent(caught_together([part.looks for part in parts], FIRST)),
        percent(caught_together([one.before for one in group], FIRST)),
        percent(best / errors if errors else None),
        single.promise if len(group) == 1 else "",
        single.held if len(group) == 1 else "",
    ]


def percent(value: float | None, digits: int = 0) -> str:
    return "–" if value is None else f"{100 * value:.{digits}f} %"


def draw(mapped: list[Mapped], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.4), dpi=110, layout="constrained")
    axes = figure.subplots()
    grid = np.linspace(0, 1, 101)
    for one in mapped:
        if len(one.part.looks.shown):
            curve = [one.part.looks.caught(share) for share in grid]
            axes.plot(100 * grid, 100 * np.array(curve, float), lw=1, alpha=0.6, label=one.name)
    for name, style, looks in (
        ("all", {"color": "black", "lw": 2.4}, [one.part.looks for one in mapped]),
        ("before", {"color": "grey", "lw": 2, "ls": "--"}, [one.before for one in mapped]),
    ):
        curve = [caught_together(looks, share) for share in grid]
        axes.plot(100 * grid, 100 * np.array(curve, float), label=name, **style)
    axes.axvline(100 * FIRST, color="grey", lw=0.8, ls=":")
    axes.set(
        xlabel="looked at, % of graves and candidates",
        ylabel="errors shown, %",
        xlim=(0, 100),
        ylim=(0, 100),
    )
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc="lower right")
    figure.savefig(path)


if __name__ == "__main__":
    main()
