"""Ablation study: the accuracy of the method on unseen cemeteries, and without each ingredient.

    python benchmarks/accuracy.py                  # sample cemeteries, 10 minutes a training
    python benchmarks/accuracy.py --data data --train a b --test c --only full "body channel only"

Each row of the table leaves one ingredient out. Some rows need their own training, of the same
duration; the others map with the network of the full training. "body channel only" is the usual
method: one channel, connected components, default thresholds. Trainings run one after the other;
run nothing else meanwhile.
"""

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from tools.errors import KINDS, error_kinds

from grave_cli.dataset.training_data import TrainingPlan, plan_training
from grave_cli.evaluation.judgement import Judgement, join_judgements
from grave_cli.evaluation.review_curve import ReviewCurve, review_curve
from grave_cli.evaluation.scorecard import Scorecard, fill_scorecard
from grave_cli.graves.targets import BORDER, CONTACT
from grave_cli.mapping.engine import Engine, open_engine
from grave_cli.mapping.predict_cemetery import predict_cemetery
from grave_cli.model.bundle import Bundle
from grave_cli.sample_data.write import write_sample_data
from grave_cli.settings.load import load_settings, with_values
from grave_cli.settings.mapping import DecodingSettings
from grave_cli.settings.tree import Settings
from grave_cli.tracking.models import resolve_model
from grave_cli.training.judged_part import judge_part
from grave_cli.training.trainer import run_training

HEADINGS = ("F1@0.5", "F1@0.75", "touching", "isolated", "merges", "splits", "outline", "corner")
CONNECTED = DecodingSettings(seed_threshold=1e-6, min_seed_area_m2=0)


@dataclass(frozen=True)
class Variant:
    """One row of the table.

    Args:
        training: Training settings that differ from the full method.
        mapping: Mapping settings that differ from the full method.
        silent: Output channels to ignore.
        decoding: Thresholds that replace the model's own.
    """

    training: dict[str, Any] = field(default_factory=dict)
    mapping: dict[str, Any] = field(default_factory=dict)
    silent: tuple[int, ...] = ()
    decoding: DecodingSettings | None = None


VARIANTS = {
    "body channel only": Variant(
        {"training.border_weight": 0.0, "training.contact_weight": 0.0},
        silent=(BORDER, CONTACT),
        decoding=CONNECTED,
    ),
    "full": Variant(),
    "from ImageNet weights": Variant({"model.start": "imagenet"}),
    "full with tta 8": Variant(mapping={"prediction.tta": 8}),
    "default thresholds": Variant(decoding=DecodingSettings()),
    "without contact channel": Variant(silent=(CONTACT,)),
    "without border channel": Variant(silent=(BORDER,)),
    "outlines not regularised": Variant(
        mapping={"outlines.rectangle_iou": 1.0, "outlines.simplify_m": 0.0}
    ),
    "no hard examples": Variant({"chips.revisit_share": 0.0}),
    "no pasted graves": Variant({"chips.paste_share": 0.0}),
    "scaled by 0.8 to 1.25": Variant({"chips.scale_range": (0.8, 1.25)}),
    "batch-norm statistics trained": Variant({"model.freeze_encoder_norm": False}),
    "no weight averaging": Variant({"training.ema_decay": 0.0}),
    "no colour augmentation": Variant(
        {"chips.color_jitter": 0.0, "chips.hue_jitter": 0.0, "chips.blur_share": 0.0}
    ),
    "best epoch without ties": Variant({"training.monitor_tolerance": 0.0}),
    "ranked by val/object_f1": Variant({"training.monitor": "val/object_f1"}),
}


class Partly:
    """An engine that returns 0 in some output channels."""

    def __init__(self, engine: Engine, silent: tuple[int, ...]) -> None:
        self._engine = engine
        self._silent = list(silent)
        self.name = engine.name
        self.batch_mpx = engine.batch_mpx

    def probabilities(self, batch: np.ndarray) -> np.ndarray:
        result = self._engine.probabilities(batch).copy()
        result[:, self._silent] = 0
        return result


def main() -> None:
    parser = option_parser(__doc__, minutes=10.0)
    parser.add_argument("--only", nargs="*", choices=VARIANTS, help="rows to compute; default: all")
    parser.add_argument(
        "--errors", action="store_true", help="count the errors of each row by kind"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gravecli-accuracy-") as scratch:
        settings = full_settings(options, Path(scratch))
        plan = plan_training(settings)
        print(f"data set {plan.dataset_id}: {describe(plan)}; {options.minutes:g} minutes each")
        headings = (*HEADINGS, *(KINDS if options.errors else ()))
        print(f"{'':30}" + "".join(f"{heading:>{width(heading)}}" for heading in headings))
        bundles: dict[str, Bundle] = {}
        reviews: list[ReviewCurve] = []
        for name in options.only or VARIANTS:
            variant = VARIANTS[name]
            key = repr(variant.training)
            if key not in bundles:
                bundles[key] = train(with_values(settings, variant.training))
            judgement, review = score(bundles[key], plan, settings, variant)
            row = list(cells(fill_scorecard(judgement)))
            row += map(str, error_kinds(judgement) if options.errors else [])
            padded = (f"{cell:>{width(h)}}" for h, cell in zip(headings, row, strict=True))
            print(f"{name:30}" + "".join(padded), flush=True)
            if name == "full":
                reviews.append(review)
        for review in reviews:
            report_review(review)


def option_parser(doc: str, minutes: float) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--data", type=Path, help="data folder; default: sample cemeteries")
    parser.add_argument("--train", nargs="*", default=[], help="cemeteries to train on")
    parser.add_argument("--test", nargs="*", default=[], help="cemeteries to test on")
    parser.add_argument("--channels", default="rgb+dem", help="rgb or rgb+dem")
    parser.add_argument("--minutes", type=float, default=minutes, help="duration of each training")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="SECTION.KEY=VALUE",
        help="change a setting",
    )
    return parser


def full_settings(options: argparse.Namespace, scratch: Path) -> Settings:
    data = options.data
    if data is None:
        data = scratch / "data"
        write_sample_data(data, cemeteries=5, size_m=40, seed=7)
    chosen = {
        "data.root": data,
        "data.channels": options.channels,
        "data.train": tuple(options.train),
        "data.test": tuple(options.test),
        "work_dir": scratch / "runs",
        "training.max_time_s": options.minutes * 60,
        "training.epochs": 10_000,
        "training.patience": 0,
        "tracking.samples": 0,
    }
    return load_settings(None, options.set, chosen, environ={}).settings


def describe(plan: TrainingPlan) -> str:
    return "; ".join(
        f"{split} on {', '.join(f'{p.part.name} ({len(p.graves)})' for p in plan.split(split))}"
        for split in ("train", "val", "test")
        if plan.split(split)
    )


def train(settings: Settings) -> Bundle:
    return resolve_model(run_training(settings).run_id, settings).bundle


def score(
    bundle: Bundle, plan: TrainingPlan, settings: Settings, variant: Variant
) -> tuple[Judgement, ReviewCurve]:
    settings = with_values(settings, variant.mapping)
    engine = Partly(open_engine(bundle, settings.prediction), variant.silent)
    judgements, asked = [], []
    for part in plan.final:
        cemetery = part.part.cemetery
        dem = cemetery.dem if bundle.card.recipe.elevation is not None else None
        result = predict_cemetery(
            cemetery.orthophoto, dem, bundle, engine, settings, variant.decoding
        )
        judgements.append(judge_part(part, result.polygons, result.column("confidence")))
        asked.append(result.column("needs_review")[part.owns(result.polygons)])
    whole = join_judgements(judgements)
    return whole, review_curve(whole, np.concatenate(asked).astype(bool))


def width(heading: str) -> int:
    return max(9, len(heading) + 2)


def report_review(review: ReviewCurve) -> None:
    if review.flagged_caught is None:
        print("full: every predicted grave is correct")
        return
    print(
        f"full: {review.to_correct} polygons to correct; {review.flagged:.0%} of all are flagged "
        f"and hold {review.flagged_caught:.0%} of those to correct"
    )
    for looked_at, caught in zip(review.reviewed, review.caught, strict=True):
        if 0 < looked_at <= 0.5:
            print(f"    a review of {looked_at:4.0%} finds {caught:4.0%} of those to correct")


def cells(card: Scorecard) -> Iterator[str]:
    groups = {group.name: group.recall for group in card.by_neighbours}
    yield from (f"{value:.3f}" for value in (card.at_50.f1, card.at_75.f1))
    yield from ("" if value is None else f"{value:.3f}" for value in groups.values())
    yield from (str(count) for count in (card.merges, card.splits))
    for distance in (card.boundary_mean_cm, card.corner_rmse_cm):
        yield "" if distance is None else f"{distance:.1f} cm"


if __name__ == "__main__":
    main()
