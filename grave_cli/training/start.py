"""The start of a training: a model, weights of the encoder alone, or random weights.

Finding it takes no torch, so that a wrong start is reported before anything is read.
"""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from grave_cli.dataset.splits import Part
from grave_cli.errors import ModelError, SettingsError
from grave_cli.model.architecture import Architecture, architecture_for
from grave_cli.model.bundle import CARD_FILE, Bundle, ModelCard
from grave_cli.model.shipped import STARTER, starter_model
from grave_cli.progress import SILENT, Progress
from grave_cli.rasters.bit_depth import ValueRange
from grave_cli.rasters.recipe import InputRecipe
from grave_cli.settings.inputs import DataSettings
from grave_cli.settings.load import with_values
from grave_cli.settings.mapping import DecodingSettings
from grave_cli.settings.tree import Settings
from grave_cli.tracking.models import resolve_model
from grave_cli.wording import counted

if TYPE_CHECKING:
    from torch import nn

AUTO, IMAGENET, NONE = "auto", "imagenet", "none"

_NOTHING = 1e-9  # share of graves within which two cuts of a cemetery are the same
_WEIGHTS = (".safetensors", ".pt", ".pth")


def settle_start(
    settings: Settings, progress: Progress = SILENT, *, resumed: bool = False
) -> tuple[Settings, Bundle | None]:
    """Find the model that a training starts from.

    Args:
        settings: All settings.
        progress: Receives a note if `model.start` is "auto".
        resumed: The settings are those of a training that has begun, and stay as they are: its
            start may be a name, such as `models:/graves@champion`, that means another model today.
            A file with weights of the encoder is no longer needed.

    Returns:
        The settings with "auto" replaced and with the model's thresholds where none are set; and
        the model; None without one.

    Raises:
        ModelError: There is no such model, or it has another network.
        TrackingError: The store does not answer.
    """
    start = settings.model.start
    if start == AUTO:
        misfit = find_misfit(starter_model(), settings)
        start = IMAGENET if misfit else STARTER
        reason = f": the starter model has {misfit}" if misfit else ""
        progress.note(f"Start: {start}{reason}")
        settings = with_values(settings, {"model.start": start})
    if resumed and _is_weights_file(Path(start)):
        return settings, None
    bundle = named_start(settings)
    if bundle is None:
        return settings, None
    if misfit := find_misfit(bundle, settings):
        raise ModelError(
            "the model to start from has another network",
            where=start,
            found=misfit,
            remedy=f"add --set {misfit.replace(' ', '=', 1)}",
        )
    return settings if resumed else with_thresholds(settings, bundle), bundle


def with_thresholds(settings: Settings, bundle: Bundle) -> Settings:
    """Take the thresholds of a model where the settings change none."""
    usual = DecodingSettings().model_dump()
    own = settings.prediction.decoding.model_dump()
    chosen = {key: value for key, value in own.items() if value != usual[key]}
    thresholds = bundle.card.decoding.model_dump() | chosen
    return with_values(settings, {"prediction.decoding": thresholds})


def named_start(settings: Settings) -> Bundle | None:
    """Return the model that `model.start` names; None if it names no model.

    Raises:
        ModelError: There is no such model, or no such file of encoder weights.
        TrackingError: The store does not answer.
    """
    start = settings.model.start
    if start in (AUTO, IMAGENET, NONE):
        return None
    if not _is_weights_file(Path(start)):
        return resolve_model(start, settings).bundle
    if not os.path.isfile(os.path.expanduser(start)):
        raise ModelError(
            "no such file of encoder weights",
            where=start,
            remedy='set model.start to a path, a model, "imagenet" or "none"',
        )
    return None


def parts_known_to(start: Bundle, parts: Iterable[Part]) -> list[str]:
    """List the validation and test parts on which a model was trained already, by name."""
    stops = _trained_stops(start.card)
    return [
        part.name
        for part in parts
        if part.split != "train"
        and (0.0 if part.strip is None else part.strip.start) + _NOTHING
        < stops.get(part.cemetery.name, 0.0)
    ]


def _trained_stops(card: ModelCard) -> dict[str, float]:
    """Return up to which share of its graves a model was trained on each cemetery; 1 for all."""
    usual = DataSettings()
    shares = {"val": usual.val_share, "test": usual.test_share}
    known = card.settings.get("data", {})
    stops: dict[str, float] = {}
    for name in card.parts.get("train", ()):
        cemetery, stop = name.removesuffix(":train"), 1.0
        for split, share in shares.items():
            if cemetery != name and f"{cemetery}:{split}" in card.parts.get(split, ()):
                stop -= float(known.get(f"{split}_share", share))
        stops[cemetery] = stop
    return stops


def find_misfit(bundle: Bundle, settings: Settings) -> str | None:
    """Name a setting that keeps a model from starting a training, with the model's own value.

    The number of input channels is no obstacle.
    """
    own = bundle.card.architecture
    wanted = architecture_for(settings, own.in_channels)
    for key in Architecture.model_fields:
        if getattr(own, key) != getattr(wanted, key):
            setting = "architecture" if key == "name" else key
            return f"model.{setting} {json.dumps(getattr(own, key))}"
    return None


def build_start(
    settings: Settings,
    start: Bundle | None,
    value_range: ValueRange | None = None,
    *,
    resumed: bool = False,
) -> tuple[InputRecipe, "nn.Module"]:
    """Build the recipe and the network of a training.

    Args:
        settings: Settings with a settled start.
        start: The model to start from; None without one.
        value_range: Range of the 16-bit training orthophotos; None if there are none.
        resumed: Leave the weights random, because a checkpoint replaces them.

    Raises:
        ModelError: The weights are unavailable, damaged or do not fit.
        SettingsError: The network does not learn from batches of one chip.
    """
    _check_batch(settings)
    from grave_cli.model.export import continue_from
    from grave_cli.model.network import build_network, build_pretrained, encoder_normalisation

    model = settings.model
    if start is None:
        mean, std = encoder_normalisation(model.encoder, model.start)
    else:
        mean, std = start.card.recipe.mean, start.card.recipe.std
    recipe = InputRecipe.from_settings(settings, mean, std, value_range)
    architecture = architecture_for(settings, recipe.channel_count)
    if resumed:
        return recipe, build_network(architecture)
    if start is None:
        return recipe, build_pretrained(architecture, model.start)
    return recipe, continue_from(start, architecture, recipe)


def _check_batch(settings: Settings) -> None:
    """Refuse single chips for deeplabv3plus: it normalises one value a chip, over the batch."""
    chips, training = settings.chips, settings.training
    whole = min(chips.batch_size, chips.per_epoch or chips.batch_size)
    count = training.devices * training.nodes
    if settings.model.architecture == "deeplabv3plus" and whole // count < 2:
        raise SettingsError(
            "deeplabv3plus does not learn from a single chip at a time",
            found=f"chips.batch_size {whole} on {counted(count, 'device')}",
            expected="two chips or more for each device",
            remedy="set a larger chips.batch_size, or another model.architecture",
        )


def _is_weights_file(path: Path) -> bool:
    """Tell weights of an encoder from those of a model, which lie beside its description."""
    return path.suffix in _WEIGHTS and not (path.parent / CARD_FILE).exists()
