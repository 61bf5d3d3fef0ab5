"""Two surveys whose outlines are hard to compare."""

import numpy as np
import shapely
from shapely import affinity
from spiked import SPIKED, UTM

from grave_cli.resurvey.compare import compare_surveys
from grave_cli.resurvey.survey import Survey
from grave_cli.settings.tree import Settings


def survey(name: str, *graves: shapely.Polygon) -> Survey:
    rows = tuple({"grave_id": f"anna-F01-R01-{index:03d}"} for index in range(len(graves)))
    return Survey(name, UTM, np.array(graves, dtype=object), {"grave_id": "str"}, rows)


def test_a_spiked_grave_is_compared_like_others() -> None:
    graves = [SPIKED, shapely.box(500004, 5300001, 500005, 5300003)]
    moved = [affinity.translate(grave, 0.02, 0.01) for grave in graves]
    compared = compare_surveys(survey("old", *graves), survey("new", *moved), Settings(), "anna")
    assert compared.counts["unchanged"] == 2
