"""Each model has a STAC item that catalogues understand."""

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from grave_cli.model.bundle import Bundle
from grave_cli.model.shipped import starter_model
from grave_cli.model.stac_item import STAC_FILE, stac_item
from grave_cli.settings.inputs import ElevationSettings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    pystac = pytest.importorskip("pystac", reason="needs the extra dev")
    stac_schema = pytest.importorskip("stac_model.schema", reason="needs the extra dev")


def item_of(bundle: Bundle, **changes: object) -> dict[str, Any]:
    card = bundle.card.model_copy(update=changes)
    made: dict[str, Any] = json.loads(stac_item(card, bundle.folder))
    return made


@pytest.fixture(params=["starter", "own"])
def item(request: pytest.FixtureRequest, untrained: Bundle) -> dict[str, Any]:
    bundle = starter_model() if request.param == "starter" else untrained
    found: dict[str, Any] = json.loads((bundle.folder / STAC_FILE).read_text("utf-8"))
    return found


def test_it_is_an_item_of_stac_and_of_the_extension(item: dict[str, Any]) -> None:
    core = {**item, "stac_extensions": []}  # schemas of extensions lie on the net
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pystac.validation.validate_dict(core, stac_version="1.1.0")
        known = stac_schema.MLModelExtension.ext(pystac.Item.from_dict(item))
    assert stac_schema.SCHEMA_URI in item["stac_extensions"]
    properties = stac_schema.MLModelProperties.model_validate(item["properties"])
    assert properties.name == known.item.properties["mlm:name"]
    assert properties.total_parameters > 10_000
    (given,), (made,) = properties.input, properties.output
    assert len(given.bands) == len(given.value_scaling) == given.input.shape[1]
    assert {one["name"] for one in item["properties"]["bands"]} == set(given.bands)
    assert [one.to_dict()["name"] for one in made.classes] == ["body", "border", "contact"]


def test_its_files_are_there_with_their_sizes_and_checksums(untrained: Bundle) -> None:
    import hashlib

    assets = item_of(untrained)["assets"]
    assert {one["href"] for one in assets.values()} == {
        "./model.safetensors",
        "./model.onnx",
        "./README.md",
    }
    for one in assets.values():
        content = (untrained.folder / one["href"]).read_bytes()
        assert one["file:size"] == len(content)
        assert one["file:checksum"] == "1220" + hashlib.sha256(content).hexdigest()
        assert ("mlm:artifact_type" in one) == ("mlm:model" in one["roles"])


def test_its_scaling_is_that_of_the_recipe(untrained: Bundle) -> None:
    features = ("height", "slope", "percentile")
    elevation = ElevationSettings(features=features)
    recipe = untrained.card.recipe.model_copy(update={"elevation": elevation})
    (given,) = item_of(untrained, recipe=recipe)["properties"]["mlm:input"]
    rgb = np.random.default_rng(0).integers(0, 256, (3, 4, 5), np.uint8)
    heights = np.random.default_rng(1).normal(0, 3, (3, 4, 5)).astype(np.float32)
    heights[:, 0, 0] = np.nan
    expected = recipe.network_input(rgb, heights, np.ones((4, 5), np.bool_))
    values: dict[str, Any] = dict(zip(features, heights, strict=True))
    for channel, scaling in enumerate(given["value_scaling"]):
        if scaling["type"] == "z-score":
            made = (rgb[channel] - scaling["mean"]) / scaling["stddev"]
        else:
            made = eval(scaling["expression"], {"numpy": np}, values)
        np.testing.assert_allclose(made, expected[channel], atol=1e-5)


@pytest.mark.parametrize("name", ["Größe 1/2", "7", "ä", "", "a", "x" * 200, "run_"])
def test_any_name_becomes_one_that_the_extension_allows(untrained: Bundle, name: str) -> None:
    import re

    spelled = item_of(untrained, name=name)["properties"]["mlm:name"]
    assert re.fullmatch(r"[a-zA-Z][a-zA-Z0-9_.\-\s]+[a-zA-Z0-9]", spelled)


def test_random_weights_are_told_and_a_folder_without_weights_has_no_assets(
    untrained: Bundle, tmp_path: Path
) -> None:
    properties = item_of(untrained, settings={"model": {"start": "none"}})["properties"]
    assert (properties["mlm:pretrained"], properties["mlm:pretrained_source"]) == (False, None)
    assert json.loads(stac_item(untrained.card, tmp_path))["assets"] == {}
