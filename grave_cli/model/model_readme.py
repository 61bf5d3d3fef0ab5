"""The description of a model in, its README.md out: a model card for people and for model hubs.

The front matter is that of Hugging Face. It is written as JSON values within YAML, which needs no
library: every JSON value is one of YAML.

Source:
    https://huggingface.co/docs/hub/model-cards
    https://huggingface.co/docs/hub/model-cards#evaluation-results
"""

import json
import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from grave_cli.wording import counted, rounded

if TYPE_CHECKING:
    from grave_cli.model.bundle import ModelCard

README_FILE = "README.md"
LICENCE_HEADING = "licence"
"""Heading of the licence in `ModelCard.about`."""

_TASK = "image-segmentation"
_TAGS = ("gravecli", "cemetery", "graves", "orthophoto", "drone", "instance-segmentation", "onnx")
_LICENCES = {"MIT": "mit", "Apache-2.0": "apache-2.0", "BSD-3-Clause": "bsd-3-clause"}
_UNKNOWN = "unknown"
_SHOWN_NAMES = 20
# Scores in the front matter, in the words of people.
_RESULTS = {
    "object_f1": "object F1 at IoU 0.5",
    "object_precision": "precision at IoU 0.5",
    "object_recall": "recall at IoU 0.5",
    "dice": "Dice of the pixels",
}
_HASH_HEADING = "sha256 of "


def readme(card: "ModelCard") -> str:
    """Write the README of a model.

    Args:
        card: Its description.
    """
    parts = (
        _front_matter(card),
        f"# {_line(card.name)}\n\n{_summary(card)}",
        _use(),
        _table("Input and output", ("", ""), _facts(card)),
        _table("Scores", ("score", "value"), _scores(card)),
        _training(card),
        _table("About", ("", ""), _about(card)),
        _table("Thresholds", ("threshold", "value"), _thresholds(card)),
        _FILES,
    )
    return "\n\n".join(part for part in parts if part) + "\n"


def licence_of(card: "ModelCard") -> str:
    """Return the SPDX id of the licence that a model states; empty if it states none that is known.

    Args:
        card: Its description.
    """
    stated = card.about.get(LICENCE_HEADING, "")
    return next((spdx for spdx in _LICENCES if stated.startswith(spdx)), "")


def _front_matter(card: "ModelCard") -> str:
    results = [
        {
            "task": {"type": _TASK, "name": "Outlines of graves"},
            "dataset": {
                "type": "gravecli",
                "name": f"gravecli data set {card.dataset_id or _UNKNOWN}",
                "split": split,
                "revision": card.dataset_id or _UNKNOWN,
            },
            "metrics": metrics,
        }
        for split in ("val", "test")
        if (split == "val" or not _tests_on_validation(card))
        and (metrics := list(_results(card, split)))
    ]
    values: dict[str, Any] = {
        "license": _LICENCES.get(licence_of(card), _UNKNOWN),
        "library_name": "gravecli",
        "pipeline_tag": _TASK,
        "tags": [*_TAGS, card.recipe.channels],
        "model_name": card.name,
        "dataset_id": card.dataset_id,
    }
    if results:
        values["model-index"] = [{"name": card.name, "results": results}]
    lines = [f"{key}: {json.dumps(one, ensure_ascii=False)}" for key, one in values.items()]
    return "\n".join(["---", *lines, "---"])


def _tests_on_validation(card: "ModelCard") -> bool:
    """Tell whether the scores `test/…` are those of the validation cemeteries."""
    return bool(card.parts) and not card.parts.get("test")


def _results(card: "ModelCard", split: str) -> Iterator[dict[str, Any]]:
    for key, words in _RESULTS.items():
        value = card.metrics.get(f"{split}/{key}", math.nan)
        if math.isfinite(value):
            yield {"type": key, "value": round(value, 4), "name": words}


def _summary(card: "ModelCard") -> str:
    heights = "an orthophoto and a DEM" if card.recipe.elevation else "an orthophoto"
    return (
        f"A model of gravecli: it finds the graves of a cemetery in {heights} from a drone, at "
        f"{card.recipe.gsd_m * 100:g} cm per pixel. gravecli turns its probabilities into one "
        "clean polygon per grave."
    )


def _use() -> str:
    return (
        "## Use\n\n```console\ngravecli predict-cemetery orthophoto.tif --model FOLDER\n```\n\n"
        "`FOLDER` is the folder of this file. The map says how sure the model is of each grave, "
        "and which ones a person should look at: please do."
    )


def _facts(card: "ModelCard") -> Iterator[tuple[str, str]]:
    recipe, network = card.recipe, card.architecture
    bands = ", ".join(("red", "green", "blue", *recipe.features))
    yield "channels", f"{recipe.channels}: {bands}"
    depth = "8 bits" if recipe.value_range is None else "8 or 16 bits"
    yield "orthophoto", f"{depth}, brought to {recipe.gsd_m:g} m per pixel"
    if recipe.elevation is not None:
        yield "without a DEM", "works" if card.works_without_dem else "does not work"
    yield "output", "probabilities of body, border and contact (where two graves meet)"
    yield "network", f"{network.name}, encoder {network.encoder}"


def _scores(card: "ModelCard") -> Iterator[tuple[str, str]]:
    for key, value in sorted(card.metrics.items()):
        yield f"`{key}`", rounded(value)


def _training(card: "ModelCard") -> str:
    rows = [
        ("data set id", f"`{card.dataset_id}`" if card.dataset_id else _UNKNOWN),
        ("time", card.created or _UNKNOWN),
        ("gravecli", card.gravecli_version),
        ("MLflow run", f"`{card.run_id}`" if card.run_id else _UNKNOWN),
        *((split, _listing(names)) for split, names in card.parts.items()),
    ]
    if card.generated_share:
        rows.append(("generated cemeteries", f"{card.generated_share:.0%} of the training chips"))
    caveat = ""
    if _tests_on_validation(card):
        caveat = (
            " There is no test cemetery: the scores `test/…` are those of the validation "
            "cemeteries, for which epoch and thresholds were chosen, and so too good."
        )
    return (
        _table("Training", ("", ""), iter(rows))
        + f"\n\nThe scores are those of the cemeteries named here.{caveat} Elsewhere stone, "
        "planting, light and ground differ, and so do scores: `gravecli evaluate` measures them."
    )


def _listing(names: tuple[str, ...]) -> str:
    if not names:
        return "–"
    more = f" and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else ""
    return f"{counted(len(names), 'cemetery')}: {', '.join(names[:_SHOWN_NAMES])}{more}"


def _about(card: "ModelCard") -> Iterator[tuple[str, str]]:
    for heading, text in card.about.items():
        if not heading.startswith(_HASH_HEADING):
            yield heading, text
    if not licence_of(card):
        yield LICENCE_HEADING, "none is stated; ask the owner of the training data"


def _thresholds(card: "ModelCard") -> Iterator[tuple[str, str]]:
    thresholds: Mapping[str, float] = card.decoding.model_dump()
    for key, value in thresholds.items():
        yield f"`{key}`", f"{value:g}"


def _table(title: str, head: tuple[str, str], rows: Iterator[tuple[str, str]]) -> str:
    lines = [f"| {_line(one)} | {_line(other)} |" for one, other in rows]
    if not lines:
        return ""
    return "\n".join([f"## {title}", "", f"| {head[0]} | {head[1]} |", "|---|---|", *lines])


def _line(text: str) -> str:
    """Put a text of others on one line, without signs that end a cell."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


_FILES = """\
## Files

| file | content |
|---|---|
| `model.json` | everything but the weights, for gravecli: input, thresholds, settings |
| `model.safetensors` | weights |
| `model.onnx` | the network for ONNX Runtime |
| `model.stac.json` | this description as a STAC item (Machine Learning Model extension) |"""
