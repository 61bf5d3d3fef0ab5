"""The errors of a map by kind."""

from grave_cli.evaluation.judgement import NOWHERE, Judgement

KINDS = ("away from graves", "merged", "pieces", "badly outlined", "not drawn")


def error_kinds(judgement: Judgement) -> list[int]:
    """Count the errors of each of `KINDS`, by the verdicts of `grave_cli.evaluation.verdicts`.

    Wrong predictions either touch no true grave or outline one badly. The last count is that of the
    missed graves.
    """
    verdicts = judgement.verdicts
    away = verdicts.wrong & (judgement.nearest == NOWHERE)
    badly = verdicts.wrong & ~away
    kinds = (away, verdicts.merged, verdicts.split, badly, verdicts.missed)
    return [int(kind.sum()) for kind in kinds]
