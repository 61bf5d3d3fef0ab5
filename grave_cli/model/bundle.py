"""A trained model on disk: `model.safetensors` (weights) and `model.json` (everything else).

Beside them lie `model.onnx`, the same network for ONNX Runtime, which the oldest models lack, and
the description once more for people (`README.md`) and catalogues (`model.stac.json`). Reading a
model needs no torch and never unpickles anything.
"""

import hashlib
import json
import os
import stat
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from grave_cli.atomic_writes import whole_file
from grave_cli.errors import ModelError
from grave_cli.graves.confidence import Calibration
from grave_cli.graves.review_model import ReviewModel
from grave_cli.model.architecture import Architecture
from grave_cli.rasters.recipe import InputRecipe
from grave_cli.settings.mapping import DecodingSettings
from grave_cli.settings.record import masked_value

WEIGHTS_FILE = "model.safetensors"
CARD_FILE = "model.json"
ONNX_FILE = "model.onnx"
WEIGHTS_KEY = "gravecli.weights_sha256"
"""Metadata key of the ONNX file: hash of the weights it was exported from."""

FORMAT = 1

BLANKED_ENOUGH = 0.4
"""Share of training chips without elevation (`chips.dem_dropout`) from which on a model for rgb+dem
also maps an orthophoto without a DEM."""


class ModelCard(BaseModel):
    """The description of a model: input, network, origin and scores.

    Args:
        format: Version of the file format.
        gravecli_version: Version of gravecli that trained the model.
        name: Name of the run that trained it.
        run_id: MLflow run that trained it.
        dataset_id: Fingerprint of the training data.
        created: Time of the training, UTC, ISO 8601.
        recipe: Preprocessing of its input.
        architecture: Structure of the network.
        decoding: Thresholds that turn probabilities into graves.
        calibration: Confidence of its graves, fitted on validation cemeteries; None means the mean
            probability of body.
        review: Odds of candidates and mistakes, fitted on validation cemeteries; None, as in the
            models of earlier versions, means the defaults.
        metrics: Scores on validation and test data, by name.
        settings: Resolved settings of the training.
        about: Further facts for the user, by heading.
        parts: Names of the cemeteries, or strips of them, in each split of the training.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        ser_json_inf_nan="strings",  # a score can be NaN, which JSON lacks
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
    review: ReviewModel | None = None
    metrics: dict[str, float]
    settings: dict[str, Any]
    about: dict[str, str] = {}
    parts: dict[str, tuple[str, ...]] = {}

    @model_validator(mode="after")
    def _check_channels(self) -> Self:
        found, expected = self.architecture.in_channels, self.recipe.channel_count
        if found != expected:
            raise ValueError(f"the network has {found} input channels, the recipe {expected}")
        return self

    @property
    def works_without_dem(self) -> bool:
        """Whether the network has learnt to do without elevation."""
        if self.recipe.elevation is None:
            return True
        blanked: float = self.settings.get("chips", {}).get("dem_dropout", 0.0)
        return blanked >= BLANKED_ENOUGH

    @property
    def generated_share(self) -> float:
        """Share of the training chips that came from generated cemeteries."""
        share: float = self.settings.get("chips", {}).get("generated_share", 0.0)
        return share


class Bundle(BaseModel):
    """A model folder and its description.

    Args:
        folder: The folder.
        card: Content of its `model.json`.
    """

    model_config = ConfigDict(frozen=True)

    folder: Path
    card: ModelCard

    @property
    def weights(self) -> Path:
        """File of the weights."""
        return self.folder / WEIGHTS_FILE

    @property
    def onnx(self) -> Path:
        """File of the network for ONNX Runtime; the oldest models have none."""
        return self.folder / ONNX_FILE

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the weights in hexadecimal digits, computed once."""
        with self.weights.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


def read_bundle(path: Path) -> Bundle:
    """Read the description of a model.

    Args:
        path: The model folder, or a file in it.

    Raises:
        ModelError: The folder holds no gravecli model, or one of another format version, or it
            cannot be read.
    """
    folder = path.parent if os.path.isfile(path) else path
    card_file = folder / CARD_FILE
    _check_readable(folder, path)
    try:
        content = json.loads(card_file.read_text(encoding="utf-8"))
        # Before validation, because the fields depend on the format.
        if content.get("format") != FORMAT:
            raise ModelError(
                "model was written by another version of gravecli",
                where=card_file,
                found=f"format {content.get('format')}",
                expected=f"format {FORMAT}",
            )
        card = ModelCard.model_validate(content)
    except (ValueError, AttributeError, RecursionError) as error:
        reason = _first_fault(error) if isinstance(error, ValidationError) else error
        raise ModelError(f"damaged model description: {reason}", where=card_file) from None
    # Models of earlier versions may hold secrets, which would go on into every map.
    shown = card.model_copy(update={"settings": masked_value("", card.settings)})
    return Bundle(folder=folder, card=shown)


def _check_readable(folder: Path, path: Path) -> None:
    """Open each file of a model once, so that later readers need not expect another's files.

    Raises:
        ModelError: A file is missing or cannot be read.
    """
    for name in (CARD_FILE, WEIGHTS_FILE, ONNX_FILE):
        try:
            _open_once(folder / name)
        except PermissionError as error:
            raise ModelError(
                f"model cannot be read: {error.strerror}",
                where=folder / name,
                remedy="ask the owner of the model for permission to read it",
            ) from None
        except OSError:
            if name == ONNX_FILE:  # the oldest models have none
                return
            raise ModelError(
                "not a gravecli model",
                where=path,
                expected=f"a folder with {CARD_FILE} and {WEIGHTS_FILE}",
            ) from None


def _open_once(file: Path) -> None:
    """Open and close a regular file; opening a named pipe would wait for ever.

    Raises:
        OSError: It is none, or cannot be opened.
    """
    if not stat.S_ISREG(file.stat().st_mode):
        raise FileNotFoundError(file)
    file.open("rb").close()


def _first_fault(error: ValidationError) -> str:
    fault = error.errors(include_url=False)[0]
    return f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}"


def write_card(folder: Path, card: ModelCard) -> None:
    """Write the description of a model into its folder: for gravecli, for people, for catalogues.

    Args:
        folder: The folder, with the weights.
        card: The description.
    """
    from grave_cli.model.model_readme import README_FILE, readme
    from grave_cli.model.stac_item import STAC_FILE, stac_item

    with whole_file(folder / README_FILE) as new:
        new.write_text(readme(card), encoding="utf-8")
    with whole_file(folder / STAC_FILE) as new:
        new.write_text(stac_item(card, folder), encoding="utf-8")
    with whole_file(folder / CARD_FILE) as new:
        new.write_text(card.model_dump_json(indent=2) + "\n", encoding="utf-8")
