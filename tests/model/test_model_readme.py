"""Each model has a README that people and model hubs read, and the starter's is up to date."""

import math
import shutil
from pathlib import Path

import pytest
import yaml
from huggingface_hub import ModelCard as HubCard

from grave_cli.model.bundle import Bundle, read_bundle, write_card
from grave_cli.model.model_readme import README_FILE, readme
from grave_cli.model.shipped import starter_model
from grave_cli.model.stac_item import STAC_FILE, stac_item


def changed(bundle: Bundle, **changes: object) -> str:
    return readme(bundle.card.model_copy(update=changes))


def front_matter(text: str) -> dict[str, object]:
    start, head, _ = text.split("---\n", 2)
    assert start == ""
    values: dict[str, object] = yaml.safe_load(head)
    return values


def test_the_front_matter_is_understood_by_the_hub() -> None:
    bundle = starter_model()
    data = HubCard.load(bundle.folder / README_FILE).data
    assert (data.license, data.pipeline_tag, data.model_name) == (
        "mit",
        "image-segmentation",
        "starter",
    )
    assert data.to_dict()["dataset_id"] == bundle.card.dataset_id
    assert data.eval_results is not None
    found = {(one.dataset_split, one.metric_type): one.metric_value for one in data.eval_results}
    for (split, metric), value in found.items():
        assert value == pytest.approx(bundle.card.metrics[f"{split}/{metric}"], abs=1e-4)
    assert {split for split, _ in found} == {"val"}  # the starter has no test scenes
    assert {one.dataset_revision for one in data.eval_results} == {bundle.card.dataset_id}


def test_the_starter_describes_itself_as_its_card_does() -> None:
    bundle = starter_model()
    written = (bundle.folder / README_FILE).read_text("utf-8")
    assert written == readme(bundle.card), (
        "write it anew: write_card(folder, read_bundle(folder).card)"
    )
    item = (bundle.folder / STAC_FILE).read_text("utf-8")
    assert item == stac_item(bundle.card, bundle.folder)
    for words in ("no real cemetery has been measured", "any real grave", "Apache-2.0"):
        assert words in written


def test_a_model_of_ones_own_states_no_licence_and_scores_that_are_undefined_are_left_out(
    untrained: Bundle,
) -> None:
    text = changed(untrained, metrics={"test/object_f1": math.nan, "val/dice": 0.5})
    head = front_matter(text)
    assert head["license"] == "unknown"
    assert "ask the owner of the training data" in text
    (result,) = head["model-index"][0]["results"]  # type: ignore[index]
    assert [one["type"] for one in result["metrics"]] == ["dice"]
    assert "model-index" not in front_matter(changed(untrained, metrics={}))


def test_counts_of_thousands_of_graves_are_written_out(untrained: Bundle) -> None:
    text = changed(untrained, metrics={"test/merges": 12345.0, "test/object_f1": 0.86664})
    assert "| `test/merges` | 12345 |" in text
    assert "| `test/object_f1` | 0.8666 |" in text


def test_scores_of_a_training_without_test_cemeteries_are_no_test_results(
    untrained: Bundle,
) -> None:
    scores = {"val/object_f1": 0.8, "test/object_f1": 0.9}

    def splits(*test: str) -> tuple[list[str], bool]:
        text = changed(untrained, metrics=scores, parts={"train": ("a",), "test": test})
        (model,) = front_matter(text)["model-index"]  # type: ignore[misc, attr-defined]
        named = [one["dataset"]["split"] for one in model["results"]]
        return named, "There is no test cemetery: the scores `test/…` are those of" in text

    assert splits("b") == (["val", "test"], False)
    assert splits() == (["val"], True)


def test_generated_cemeteries_in_the_training_are_stated(untrained: Bundle) -> None:
    row = "| generated cemeteries | 30% of the training chips |"
    assert row in changed(untrained, settings={"chips": {"generated_share": 0.3}})
    assert "generated" not in changed(untrained)


def test_names_of_others_break_neither_the_front_matter_nor_a_table(untrained: Bundle) -> None:
    name = 'a "b": |\n---\n<script>ä'
    text = changed(untrained, name=name, parts={"train": ("x|y", "z\nw")})
    assert front_matter(text)["model_name"] == name
    assert "<script>" not in text.split("---\n", 2)[2]
    (row,) = (line for line in text.splitlines() if line.startswith("| train"))
    assert row == "| train | 2 cemeteries: x\\|y, z w |"


def test_describing_a_model_again_changes_nothing_that_gravecli_reads(
    untrained: Bundle, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(untrained.folder, tmp_path / "copy"))
    for name in (README_FILE, STAC_FILE):  # as models of earlier versions
        (folder / name).unlink()
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    write_card(folder, read_bundle(folder).card)
    after = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert after.keys() - before.keys() == {README_FILE, STAC_FILE}
    assert {name: after[name] for name in before} == before
