"""The description of a model in, a STAC item of the Machine Learning Model extension out.

Catalogues of geodata find and describe the model by it. It is plain JSON; nobody's library writes
it. A model has no place on Earth: its geometry is null.

Source:
    https://github.com/stac-extensions/mlm (v1.6.0)
    https://github.com/radiantearth/stac-spec/blob/v1.1.0/item-spec/item-spec.md
    https://github.com/stac-extensions/file (v2.1.0; checksums are multihashes)
"""

import hashlib
import json
import math
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grave_cli.model.model_readme import README_FILE, licence_of

if TYPE_CHECKING:
    from grave_cli.model.bundle import ModelCard

STAC_FILE = "model.stac.json"

_EXTENSIONS = (
    "https://stac-extensions.github.io/mlm/v1.6.0/schema.json",
    "https://stac-extensions.github.io/file/v2.1.0/schema.json",
)
_SHA256_PREFIX = "1220"  # multihash: SHA-256, 32 bytes
_BYTES = "application/octet-stream"
_CLASSES = {
    "body": "inside of a grave, with its curb",
    "border": "inner edge of a grave",
    "contact": "narrow band where two graves meet",
}
_NO_PARAMETERS = ("running_mean", "running_var", "num_batches_tracked")


def stac_item(card: "ModelCard", folder: Path) -> str:
    """Write a model as a STAC item.

    Args:
        card: Its description.
        folder: Its folder; files that are not there yet are left out.
    """
    assets = dict(_assets(card, folder))
    item = {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": list(_EXTENSIONS),
        "id": card.name or "model",
        "geometry": None,
        "properties": _properties(card, folder),
        "links": [],
        "assets": assets,
    }
    return json.dumps(item, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _properties(card: "ModelCard", folder: Path) -> dict[str, Any]:
    network, recipe = card.architecture, card.recipe
    parameters = _count_parameters(folder / "model.safetensors")
    return {
        "datetime": _time(card.created),
        "title": f"gravecli model {card.name}",
        "description": f"Finds graves in drone orthophotos ({recipe.channels}); data set "
        f"{card.dataset_id or 'unknown'}, gravecli {card.gravecli_version}.",
        "license": licence_of(card) or "other",
        "gsd": recipe.gsd_m,
        **_named_bands(card),
        "mlm:name": _mlm_name(card.name),
        "mlm:architecture": f"{network.name} with encoder {network.encoder}",
        "mlm:tasks": ["instance-segmentation", "semantic-segmentation"],
        "mlm:framework": "PyTorch",
        "mlm:accelerator": None,
        "mlm:accelerator_constrained": False,
        **({"mlm:total_parameters": parameters} if parameters else {}),
        **_start(card),
        "mlm:input": [_input(card)],
        "mlm:output": [_output()],
        "mlm:hyperparameters": {"gsd_m": recipe.gsd_m, **card.decoding.model_dump()},
        "gravecli:dataset_id": card.dataset_id,
        "gravecli:run_id": card.run_id,
        "gravecli:metrics": {
            key: value for key, value in sorted(card.metrics.items()) if math.isfinite(value)
        },
    }


def _named_bands(card: "ModelCard") -> dict[str, Any]:
    """Define the bands to which the input refers; STAC wants them in the item and in an asset."""
    return {"bands": [{"name": name} for name in _bands(card)]}


def _bands(card: "ModelCard") -> tuple[str, ...]:
    return ("red", "green", "blue", *card.recipe.features)


def _start(card: "ModelCard") -> dict[str, Any]:
    """Tell what the training started from; null for random weights."""
    start = str(card.settings.get("model", {}).get("start", ""))
    if start == "none":
        return {"mlm:pretrained": False, "mlm:pretrained_source": None}
    return {"mlm:pretrained": True, **({"mlm:pretrained_source": start} if start else {})}


def _input(card: "ModelCard") -> dict[str, Any]:
    recipe = card.recipe
    colours = [
        {"type": "z-score", "mean": 255 * mean, "stddev": 255 * std}
        for mean, std in zip(recipe.mean, recipe.std, strict=True)
    ]
    features = [_scaling(name, *recipe.feature_scale(name)) for name in recipe.features]
    return {
        "name": "orthophoto" if recipe.elevation is None else "orthophoto and heights",
        "bands": list(_bands(card)),
        "input": {
            "shape": [-1, recipe.channel_count, -1, -1],
            "dim_order": ["batch", "bands", "height", "width"],
            "data_type": "float32",
        },
        "value_scaling": [*colours, *features],
        "pre_processing_function": _function("grave_cli.rasters.recipe:InputRecipe.network_input"),
    }


def _scaling(name: str, low: float, high: float, zero: float, reach: float) -> dict[str, Any]:
    scaled = f"(numpy.clip({name}, {low:g}, {high:g}) - {zero:g}) / {reach:g}"
    return {
        "type": "processing",
        "format": "python",
        "expression": f"numpy.nan_to_num({scaled}, nan=0)",
    }


def _output() -> dict[str, Any]:
    return {
        "name": "probabilities",
        "tasks": ["semantic-segmentation"],
        "bands": [],
        "result": {
            "shape": [-1, len(_CLASSES), -1, -1],
            "dim_order": ["batch", "class", "height", "width"],
            "data_type": "float32",
        },
        "classification:classes": [
            {"value": value, "name": name, "description": words}
            for value, (name, words) in enumerate(_CLASSES.items())
        ],
        "post_processing_function": _function("grave_cli.mapping.extract_graves:extract_graves"),
    }


def _function(name: str) -> dict[str, str]:
    return {"format": "python", "expression": name}


def _assets(card: "ModelCard", folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    kinds = (
        ("weights", "model.safetensors", "Weights", "safetensors.torch.save_file"),
        ("onnx", "model.onnx", "Network for ONNX Runtime", "torch.onnx.export"),
    )
    for key, name, title, artifact in kinds:
        if (path := folder / name).is_file():
            yield (
                key,
                {
                    **_file(path, title, _BYTES, ["mlm:model", "mlm:weights", "data"]),
                    "mlm:artifact_type": artifact,
                    **_named_bands(card),
                },
            )
    if (path := folder / README_FILE).is_file():
        yield "readme", _file(path, "Model card", "text/markdown", ["metadata"])


def _file(path: Path, title: str, media: str, roles: list[str]) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "href": f"./{path.name}",
        "title": title,
        "type": media,
        "roles": roles,
        "file:size": path.stat().st_size,
        "file:checksum": f"{_SHA256_PREFIX}{digest}",
    }


def _count_parameters(weights: Path) -> int:
    """Count the trained numbers by the head of a safetensors file; 0 if there is none yet."""
    if not weights.is_file():
        return 0
    with weights.open("rb") as file:
        head = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    return sum(
        math.prod(tensor["shape"])
        for name, tensor in head.items()
        if name != "__metadata__" and not name.endswith(_NO_PARAMETERS)
    )


def _time(created: str) -> str:
    """Return the time of the training as STAC wants it; now if it is unknown."""
    try:
        time = datetime.fromisoformat(created).astimezone(UTC)
    except ValueError:
        time = datetime.now(UTC)
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def _mlm_name(name: str) -> str:
    """Spell a name as the extension wants it: letters without accents, digits, . _ - and blanks."""
    plain = re.sub(r"[^A-Za-z0-9_.\- ]", "-", name).rstrip("_.- ")
    return plain if re.match(r"[A-Za-z].+", plain) and len(plain) > 2 else f"model {plain}m"
