"""Matches and mistakes in, the verdict on each grave and prediction out: one count for all outputs.

Terminal, JSON, report page, preview and pictures of a training count and draw these verdicts; none
of them has a rule of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from grave_cli.evaluation.matching import choose_pairs, count_pixels, overlaps_of_labels
from grave_cli.evaluation.mistakes import Mistakes, find_mistakes
from grave_cli.wording import counted

FOUND, MERGED, SPLIT, WRONG, MISSED = KINDS = ("found", "merged", "split", "wrong", "missed")


@dataclass(frozen=True)
class VerdictCounts:
    """Numbers of graves and predictions of each kind.

    Args:
        truths: True graves.
        found: True graves that are matched with a prediction, one to one.
        found_with_mistake: Those of them whose prediction is also a merge or a piece.
        merges: Predictions that cover two or more true graves.
        merged_truths: True graves covered by merges.
        splits: True graves that cover two or more predictions.
        split_pieces: Predictions that are pieces of split graves.
        wrong: Predictions that are neither matched nor merges nor pieces.
        missed: True graves that are neither matched nor merged nor split.
    """

    truths: int
    found: int
    found_with_mistake: int
    merges: int
    merged_truths: int
    splits: int
    split_pieces: int
    wrong: int
    missed: int

    @classmethod
    def from_dict(cls, numbers: Mapping[str, Any]) -> Self:
        """Pick the counts from numbers by name, such as `Scorecard.as_dict`."""
        return cls(**{field.name: numbers[field.name] for field in fields(cls)})

    def in_words(self) -> dict[str, str]:
        """Describe the count of each of `KINDS`, such as "1 polygon over 2 graves"."""
        found = f"{self.found} of {counted(self.truths, 'grave')}"
        if self.found_with_mistake:
            found += f", {self.found_with_mistake} of them also merged or split"
        merged, split = counted(self.merges, "polygon"), counted(self.splits, "grave")
        if self.merges:
            merged += f" over {counted(self.merged_truths, 'grave')}"
        if self.splits:
            split += f" into {counted(self.split_pieces, 'piece')}"
        return {
            FOUND: found,
            MERGED: merged,
            SPLIT: split,
            WRONG: counted(self.wrong, "polygon"),
            MISSED: counted(self.missed, "grave"),
        }


@dataclass(frozen=True)
class Verdicts:
    """The kinds of each prediction and true grave.

    A prediction is *found* if it is matched with a true grave, *merged* or *split* if it is a merge
    or a piece (`Mistakes`), and *wrong* if it is none of these. A match may be a merge or a piece
    as well: an outline over a large and a small grave overlaps the large one by half. A true grave
    is *missed* if it is neither matched nor covered by a merge nor split.

    Args:
        found: Whether each prediction is matched.
        merged: Whether it covers two or more true graves.
        split: Whether it is a piece of a split grave.
        wrong: Whether it is none of these.
        missed: Whether each true grave is missed.
        counts: The numbers of all kinds.
    """

    found: NDArray[np.bool_]
    merged: NDArray[np.bool_]
    split: NDArray[np.bool_]
    wrong: NDArray[np.bool_]
    missed: NDArray[np.bool_]
    counts: VerdictCounts

    @property
    def needs_correction(self) -> NDArray[np.bool_]:
        """Whether each prediction is wrong, a merge or a piece."""
        return np.asarray(self.wrong | self.merged | self.split)


def give_verdicts(
    is_found: NDArray[np.bool_], is_right: NDArray[np.bool_], mistakes: Mistakes
) -> Verdicts:
    """Give each prediction and true grave its verdict.

    Args:
        is_found: Whether each true grave is matched.
        is_right: Whether each prediction is matched.
        mistakes: Merges and splits of the same graves.
    """
    in_mistake = mistakes.is_merge | mistakes.is_piece
    wrong = ~(is_right | in_mistake)
    missed = ~(is_found | mistakes.is_merged | mistakes.is_split)
    counts = VerdictCounts(
        truths=len(is_found),
        found=int(is_found.sum()),
        found_with_mistake=int((is_right & in_mistake).sum()),
        merges=int(mistakes.is_merge.sum()),
        merged_truths=int(mistakes.is_merged.sum()),
        splits=int(mistakes.is_split.sum()),
        split_pieces=int(mistakes.is_piece.sum()),
        wrong=int(wrong.sum()),
        missed=int(missed.sum()),
    )
    return Verdicts(is_right, mistakes.is_merge, mistakes.is_piece, wrong, missed, counts)


def judge_labels(truth: NDArray[np.int32], predicted: NDArray[np.int32]) -> Verdicts:
    """Give each instance of two rasters its verdict; index 0 is id 1.

    An id without pixels counts as a missed grave or a wrong prediction.

    Args:
        truth: Ids of the true graves, from 1.
        predicted: Ids of the predicted graves, from 1.

    Shapes:
        truth: (H, W); predicted: (H, W)
    """
    overlaps = overlaps_of_labels(truth, predicted)
    areas = count_pixels(truth).astype(np.float64), count_pixels(predicted).astype(np.float64)
    pairs = choose_pairs(overlaps, 0.5)
    is_found, is_right = (np.zeros(len(area), np.bool_) for area in areas)
    is_found[pairs.truth] = True
    is_right[pairs.predicted] = True
    return give_verdicts(is_found, is_right, find_mistakes(overlaps, *areas))
