"""Two surveys whose outlines are hard to compare."""

from pathlib import Path

import fiona
import numpy as np
import pytest
import shapely
from shapely import affinity
from spiked import SPIKED, UTM

from grave_cli.resurvey.compare import compare_surveys
from grave_cli.resurvey.comparison_file import write_comparison
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


@pytest.mark.parametrize(
    ("called", "found"),
    [("number", "number"), ("Number", "Number"), ("GRAVE_ID", "GRAVE_ID"), ("fid", "fid_old")],
)
def test_the_column_of_ids_may_be_called_like_one_of_ours(
    tmp_path: Path, called: str, found: str
) -> None:
    graves = [shapely.box(x, 5300000, x + 1, 5300002) for x in np.arange(500000, 500012, 1.5)]
    outlines = np.array(graves, dtype=object)
    ids = [f"A {index}" for index in range(8)]
    place = {"grave_id": "str", "field": "int", "row": "int", "number": "int"}
    new_rows = ({"grave_id": f"x{i}", "field": 1, "row": 1, "number": i} for i in range(1, 8))
    old = Survey("old", UTM, outlines, {called: "str"}, tuple({called: one} for one in ids))
    new = Survey("new", UTM, outlines[:7], place, tuple(new_rows))
    settings = Settings.model_validate({"compare": {"id_column": called}})
    out = tmp_path / "changes.gpkg"
    write_comparison(compare_surveys(old, new, settings, "anna"), out, settings, "en")
    for layer, expected in (("graves", ids[:7]), ("changes", ids), ("graves_before", ids)):
        with fiona.open(out, layer=layer) as file:
            assert [row.properties[found] for row in file] == expected
