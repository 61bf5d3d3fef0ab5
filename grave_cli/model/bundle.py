"""A trained model on disk: `model.safetensors` (weights) and `model.json` (everything else).

Beside them lies `model.onnx`, the same network for ONNX Runtime; models of before it do without.
Reading one needs no torch, and nothing in it is ever unpickled.
"""

import hashlib
import json
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from grave_cli.atomic_writes import whole_file
from grave_cli.errors import ModelError
from grave_cli.graves.confidence import Calibration
from grave_cli.model.architecture import Architecture
from grave_cli.rasters.recipe import InputRecipe
from grave_cli.settings.mapping import DecodingSettings

WEIGHTS_FILE = "model.safetensors"
CARD_FILE = "model.json"
ONNX_FILE = "model.onnx"
WEIGHTS_KEY = "gravecli.weights_sha256"
"""Names, in the metadata of the ONNX file, the weights it was made from."""

FORMAT = 1


class ModelCard(BaseModel):
    """What a model expects, how it is built and how good it was.

    Args:
        format: Version of this file.
        gravecli_version: The program that trained it.
        name: Name of the run that trained it.
        run_id: MLflow run that trained it.
        dataset_id: Fingerprint of the data it was trained on.
        created: UTC, ISO 8601.
        recipe: How its input is made.
        architecture: How the network is built.
        decoding: Thresholds that turn its probabilities into graves.
        calibration: How sure its graves are, from validation cemeteries; None: the mean probability
            of body says it.
        metrics: Scores on validation and test data, by name.
        settings: The resolved settings of the training.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        ser_json_inf_nan="strings",  # a score can be NaN, JSON has none
    )

    format: int = FORMAT
    gravecli_version: str
    name: str
    run_id: str
    dataset_id: str
    created: str
    recipe: InputRecipe
    architecture: Architecture
    decoding: DecodingSettings
    calibration: Calibration | None = None
    metrics: dict[str, float]
    settings: dict[str, Any]


class Bundle(BaseModel):
    """A model folder that has been looked into.

    Args:
        folder: Where it lies.
        card: Its description.
    """

    model_config = ConfigDict(frozen=True)

    folder: Path
    card: ModelCard

    @property
    def weights(self) -> Path:
        """The file with the weights."""
        return self.folder / WEIGHTS_FILE

    @property
    def onnx(self) -> Path:
        """The file with the network for ONNX Runtime; models of before it have none."""
        return self.folder / ONNX_FILE

    @cached_property
    def sha256(self) -> str:
        """Hash of the weights, in hexadecimal digits; computed once."""
        with self.weights.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


def read_bundle(path: Path) -> Bundle:
    """Look into a model folder (or take the folder of a file in it).

    Args:
        path: The folder, its model.json or its model.safetensors.

    Raises:
        ModelError: It is no model of gravecli, or one of a newer version.
    """
    folder = path.parent if path.is_file() else path
    card_file = folder / CARD_FILE
    for file in (card_file, folder / WEIGHTS_FILE):
        if not file.is_file():
            raise ModelError(
                "not a gravecli model",
                where=path,
                expected=f"a folder with {CARD_FILE} and {WEIGHTS_FILE}",
            )
    try:
        content = json.loads(card_file.read_text(encoding="utf-8"))
        if content.get("format") != FORMAT:
            raise ModelError(
                "model was written by another version of gravecli",
                where=card_file,
                found=f"format {content.get('format')}",
                expected=f"format {FORMAT}",
            )
        return Bundle(folder=folder, card=ModelCard.model_validate(content))
    except (ValueError, AttributeError) as error:
        reason = _first_fault(error) if isinstance(error, ValidationError) else error
        raise ModelError(f"damaged model description: {reason}", where=card_file) from None


def _first_fault(error: ValidationError) -> str:
    fault = error.errors(include_url=False)[0]
    return f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}"


def write_card(folder: Path, card: ModelCard) -> None:
    """Write the description of a model into its folder."""
    with whole_file(folder / CARD_FILE) as new:
        new.write_text(card.model_dump_json(indent=2) + "\n", encoding="utf-8")
