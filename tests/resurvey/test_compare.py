"""Two surveys whose outlines are hard to compare."""

from pathlib import Path

import fiona
import numpy as np
import pytest
import shapely
from shapely import affinity
from some_map import some_map
from spiked import SPIKED, UTM

from grave_cli.delivery.grave_columns import GRAVE_COLUMNS
from grave_cli.delivery.simple_files import write_shapefile
from grave_cli.mapping.geopackage import graves_layer, write_geopackage
from grave_cli.resurvey.columns import CHANGE_COLUMNS, HISTORY
from grave_cli.resurvey.compare import compare_surveys, shift_as_dict
from grave_cli.resurvey.comparison_file import write_comparison
from grave_cli.resurvey.layers import graves_layer as graves_layer_of_changes
from grave_cli.resurvey.shift import Shift
from grave_cli.resurvey.survey import Survey, read_survey
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


def test_a_map_that_was_kept_as_a_shapefile_leaves_no_old_measures(tmp_path: Path) -> None:
    """Their names are too long there: last year's `rev_rank` beside `review_rank` misleads."""
    result = some_map(tmp_path / "anna.tif")
    write_geopackage(result, tmp_path / "new.gpkg")
    write_shapefile(graves_layer(result, UTM), tmp_path / "old.shp")
    new = read_survey(tmp_path / "new.gpkg", "", "")
    old = read_survey(tmp_path / "old.shp", "", "", new.crs)
    compared = compare_surveys(old, new, Settings(), "anna")
    assert compared.counts["unchanged"] == 6
    write_shapefile(graves_layer_of_changes(compared), tmp_path / "kept.shp")
    third = read_survey(tmp_path / "kept.shp", "", "", new.crs)
    again = compare_surveys(third, new, Settings(), "anna")
    assert set(again.columns.columns) == set(compared.columns.columns)
    known = {*GRAVE_COLUMNS, *HISTORY, *CHANGE_COLUMNS}
    assert set(compared.columns.columns) == known


def test_a_shift_of_nothing_has_no_sign() -> None:
    told = shift_as_dict(Shift(-1e-6, -1e-6, -1e-6, (0.0, 0.0), 9, 0.01))
    assert str(told["sentence"]).startswith("shift 0.00 m east, 0.00 m north, rotation +0.000°")
    assert "-0.0" not in str(told)
