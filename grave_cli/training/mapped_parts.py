"""Parts of cemeteries under a finished network: probabilities beside the ground truth.

Everything that is settled after a fit (thresholds, calibration, scores, pictures, the champion)
reads these maps, so that the network runs over each cemetery once.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grave_cli.dataset.cemetery_arrays import draw_truth
from grave_cli.dataset.plans import PartPlan
from grave_cli.evaluation.score import ObjectScore, add_scores, score_labels
from grave_cli.graves.instances import Labels, decode, owned_labels
from grave_cli.mapping.engine import Engine
from grave_cli.mapping.model_fit import check_fit
from grave_cli.mapping.predict_cemetery import mapped_scene
from grave_cli.mapping.probability_map import Levels, ProbabilityMap, is_valid, to_probabilities
from grave_cli.mapping.scene import Scene, planned_scene
from grave_cli.model.bundle import Bundle
from grave_cli.progress import SILENT, Progress
from grave_cli.settings.mapping import DecodingSettings
from grave_cli.settings.tree import Settings


@dataclass(frozen=True)
class MappedPart:
    """A part of a cemetery and the probabilities over the whole cemetery.

    Args:
        plan: The part, at the model's GSD.
        scene: The whole cemetery.
        probabilities: Over the whole cemetery; usable while `map_parts` is open.
    """

    plan: PartPlan
    scene: Scene
    probabilities: ProbabilityMap


@dataclass(frozen=True)
class TruthMap:
    """Probabilities over a part beside its ground truth, in memory.

    Args:
        levels: Probabilities of body, border and contact, times 255.
        truth: Grave ids from 1.
        scored: Where the ground truth is known.
        gsd_m: Edge of a pixel in metres.

    Shapes:
        levels: (3, H, W) uint8; the others: (H, W)
    """

    levels: Levels
    truth: NDArray[np.int32]
    scored: NDArray[np.bool_]
    gsd_m: float

    def probabilities(self) -> NDArray[np.float32]:
        """Return the probabilities as numbers in [0, 1], (3, H, W)."""
        return to_probabilities(self.levels)


@contextmanager
def map_parts(
    plans: Sequence[PartPlan],
    bundle: Bundle,
    engine: Engine,
    settings: Settings,
    progress: Progress = SILENT,
) -> Iterator[list[MappedPart]]:
    """Run a model over the cemeteries of some parts, once over each.

    Args:
        plans: Parts at the model's GSD; several may belong to one cemetery.
        bundle: The model.
        engine: Runs the model.
        settings: Tiles, memory, cache.
        progress: Receives progress and notes.

    Yields:
        One entry per part. Probabilities of large cemeteries are files that go with the block.

    Raises:
        ModelError: A cemetery does not fit the model.
        RasterReadError: A raster cannot be used.
    """
    maps: dict[str, tuple[Scene, ProbabilityMap]] = {}
    with ExitStack() as stack:
        for whole in (plan.whole for plan in plans):
            if whole.files.name in maps:
                continue
            scene = planned_scene(whole, bundle.card.recipe)
            for note in check_fit(scene, bundle.card):
                progress.warn(note)
            held = sum(scene.grid.megapixels for scene, _ in maps.values())
            mapped = mapped_scene(scene, bundle, engine, settings, progress, held_mpx=held)
            maps[whole.files.name] = scene, stack.enter_context(mapped)
        yield [MappedPart(plan, *maps[plan.part.cemetery.name]) for plan in plans]


def beside_truth(mapped: MappedPart) -> TruthMap:
    """Cut a part out of its cemetery's map and draw its ground truth beside it."""
    levels = mapped.probabilities.read(mapped.plan.window)
    instances, labelled = draw_truth(mapped.plan)
    valid = is_valid(levels)
    scored = valid if labelled is None else valid & labelled
    return TruthMap(levels, instances, scored, mapped.plan.grid.gsd_m)


def score_decoding(maps: Sequence[TruthMap], decoding: DecodingSettings) -> ObjectScore:
    """Decode the maps and match the graves whose centroid lies where the ground truth is known.

    Args:
        maps: Probabilities and ground truth.
        decoding: Thresholds.
    """
    return add_scores(
        [score_labelled(one, decode(one.probabilities(), one.gsd_m, decoding)) for one in maps]
    )


def score_labelled(one: TruthMap, labels: Labels) -> ObjectScore:
    """Match the graves of a decoded map, (H, W), whose centroid lies on known ground truth."""
    owned = owned_labels(one.truth, one.scored), owned_labels(labels, one.scored)
    return score_labels(one.truth, labels, owned)
