"""The errors of a map by kind."""

import numpy as np

from grave_cli.evaluation.judgement import NOWHERE, Judgement

KINDS = ("away from graves", "merged", "pieces", "badly outlined", "not drawn")


def error_kinds(judgement: Judgement) -> list[int]:
    """Count the errors of each of `KINDS`; each wrong prediction counts once.

    Wrong predictions touch no true grave, cover several, are a piece of one, or outline one badly.
    The last count is that of true graves which no prediction touches.
    """
    wrong, mistakes = ~judgement.is_right, judgement.mistakes
    away = wrong & (judgement.nearest == NOWHERE)
    merged = wrong & ~away & mistakes.is_merge
    pieces = wrong & ~away & ~merged & mistakes.is_piece
    badly = wrong & ~away & ~merged & ~pieces
    drawn = np.zeros(len(judgement.truth_area), np.bool_)
    drawn[judgement.nearest[judgement.nearest != NOWHERE]] = True
    not_drawn = ~drawn & ~judgement.is_found & ~mistakes.is_merged
    return [int(kind.sum()) for kind in (away, merged, pieces, badly, not_drawn)]
