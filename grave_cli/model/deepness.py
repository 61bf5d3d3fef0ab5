"""A model in, an ONNX file for the QGIS plugin Deepness out.

The plugin cuts an image into square tiles, feeds each as RGB in [0, 1] and draws every pixel whose
value reaches a threshold. So the file does the rest itself: it normalises the colours, leaves out
places without an image, runs the network and joins its three outputs into one certainty.

Source: https://qgis-plugin-deepness.readthedocs.io, "Adding metadata to ONNX model". The plugin's
code reads `tile_size`, its documentation says `tiles_size`; the file holds both.
"""

import json
import math
import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from grave_cli import __version__
from grave_cli.atomic_writes import whole_file
from grave_cli.errors import ModelError, SettingsError
from grave_cli.graves.instances import seed_certainty
from grave_cli.model.bundle import WEIGHTS_KEY, Bundle
from grave_cli.model.deepness_graph import EMPTY_PX, with_plugin_ends
from grave_cli.model.onnx_runtime import load_onnxruntime
from grave_cli.outputs import FOREIGN, Output, seal
from grave_cli.settings.mapping import PredictionSettings

if TYPE_CHECKING:
    from onnx import ModelProto

TOLERANCE = 1e-3
"""Largest difference between the certainty of the file and that of the model."""

DEFAULT_TILE_PX = 512
THRESHOLD = 0.45
"""Certainty from which the plugin draws a pixel. A sure pixel of the border rates 0.5 and is drawn,
one of a contact rates 0, so that touching graves stay apart."""

_LEAST_CORE_PX = 32  # of a tile, as for `prediction.tile_px`
_NO_SMOOTHING = 1  # pixels; a median over more would close the gaps between touching graves
_SEAL_KEY = "gravecli.seal"


@dataclass(frozen=True)
class DeepnessFile:
    """A written file, in the words of the plugin.

    Args:
        path: The file.
        tile_px: Edge of a tile.
        overlap_percent: Overlap of neighbouring tiles.
        resolution_cm: Edge of a pixel on the ground, in centimetres.
        threshold: Certainty from which a pixel belongs to a grave.
        notes: Limits of the file for the user, one line each.
    """

    path: Path
    tile_px: int
    overlap_percent: int
    resolution_cm: float
    threshold: float
    notes: tuple[str, ...]


def deepness_output(path: Path, bundle: Bundle) -> Output:
    """Describe the file to `check_outputs`.

    Args:
        path: The file.
        bundle: The model it is made from.
    """
    why_keep = partial(_why_keep, weights=bundle.sha256)
    return Output("--deepness", path, "an ONNX model", (".onnx",), why_keep)


def check_exportable(bundle: Bundle) -> None:
    """Refuse a model that needs heights, which the plugin cannot compute.

    Raises:
        ModelError: It does.
    """
    card = bundle.card
    if not card.works_without_dem:
        raise ModelError(
            "model needs heights above ground, and Deepness feeds the bands of an image alone",
            where=card.name,
            found=card.recipe.channels,
            expected="a model for rgb",
            remedy="train one with `gravecli train --channels rgb`",
        )


def write_deepness(bundle: Bundle, path: Path, settings: PredictionSettings) -> DeepnessFile:
    """Write the file, if it computes the same certainty as the model.

    Args:
        bundle: A model for rgb, or one for rgb+dem that works without a DEM: its heights are blank.
        path: The ONNX file; an existing one is replaced.
        settings: `tile_px` (0: 512) and `halo_px`, from which the overlap follows.

    Raises:
        ExportError: The file cannot be written.
        ModelError: The model needs heights, or its files are damaged or do not fit.
        SettingsError: Tiles would overlap as a whole.
    """
    import onnx

    check_exportable(bundle)
    tile_px = _tile_px(settings)
    written = DeepnessFile(
        path,
        tile_px,
        math.ceil(200 * settings.halo_px / tile_px),
        round(100 * bundle.card.recipe.gsd_m, 3),
        THRESHOLD,
        tuple(_notes(bundle)),
    )
    network = _load_network(bundle)
    model = with_plugin_ends(network, bundle.card.recipe, tile_px)
    _describe(model, written, bundle)
    onnx.checker.check_model(model, full_check=True)
    content = model.SerializeToString()
    _compare(content, network.SerializeToString(), bundle, tile_px)
    with whole_file(path) as new:
        new.write_bytes(content)
    return written


def _tile_px(settings: PredictionSettings) -> int:
    """Return the edge of a tile; tiles that overlap as a whole would keep the plugin in place."""
    tile_px = settings.tile_px or DEFAULT_TILE_PX
    most = (tile_px - _LEAST_CORE_PX) // 2
    if settings.halo_px > most:
        raise SettingsError(
            "prediction.halo_px is too large for the tiles of Deepness",
            found=settings.halo_px,
            expected=f"at most {most} for tiles of {tile_px} pixels",
            remedy="set a larger prediction.tile_px, or a smaller halo",
        )
    return tile_px


def _load_network(bundle: Bundle) -> "ModelProto":
    """Load the ONNX form of a model; one of the oldest models, which lack it, is exported first."""
    import onnx

    if not bundle.onnx.is_file():
        return _export(bundle)
    try:
        model = onnx.load(bundle.onnx, load_external_data=False)
    except Exception as error:  # protobuf's own
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ModelError(f"network cannot be loaded: {reason}", where=bundle.onnx) from None
    about = {prop.key: prop.value for prop in model.metadata_props}
    if about.get(WEIGHTS_KEY) != bundle.sha256:
        raise ModelError(
            "the ONNX file was not made from the weights beside it",
            where=bundle.onnx,
            found=f"weights {about.get(WEIGHTS_KEY)}",
            expected=bundle.sha256,
            remedy=f"delete {bundle.onnx.name}: it is then made again from the weights",
        )
    return model


def _export(bundle: Bundle) -> "ModelProto":
    import onnx

    from grave_cli.model.export import load_network
    from grave_cli.model.onnx_form import write_onnx

    with TemporaryDirectory() as folder:
        copied = Bundle(folder=Path(folder), card=bundle.card)
        shutil.copyfile(bundle.weights, copied.weights)
        write_onnx(copied, load_network(bundle))
        return onnx.load(copied.onnx)


def _notes(bundle: Bundle) -> list[str]:
    recipe = bundle.card.recipe
    notes = []
    if recipe.elevation is not None:
        notes.append("The heights of this rgb+dem model are blank, as for a map without a DEM")
    if recipe.value_range is not None:
        notes.append("The file takes orthophotos of 8 bits alone; gravecli also maps those of 16")
    return notes


def _describe(model: "ModelProto", written: DeepnessFile, bundle: Bundle) -> None:
    """Write the metadata: JSON values that the plugin reads, and the origin of the file."""
    import onnx

    plugin: dict[str, Any] = {
        "model_type": "Segmentor",
        "class_names": {"0": "background", "1": "grave"},
        "resolution": written.resolution_cm,
        "tile_size": written.tile_px,
        "tiles_size": written.tile_px,
        "tiles_overlap": written.overlap_percent,
        "seg_thresh": written.threshold,
        "seg_small_segment": _NO_SMOOTHING,
        "standardization_mean": [0.0, 0.0, 0.0],  # the file does it
        "standardization_std": [1.0, 1.0, 1.0],
    }
    origin = {
        WEIGHTS_KEY: bundle.sha256,
        "gravecli.version": __version__,
        "gravecli.model": bundle.card.name,
        "gravecli.dataset_id": bundle.card.dataset_id,
    }
    about = {name: json.dumps(value) for name, value in plugin.items()} | origin
    onnx.helper.set_model_props(model, about)
    onnx.helper.set_model_props(model, about | {_SEAL_KEY: _seal(model)})


def _seal(model: "ModelProto") -> str:
    return seal(model.SerializeToString())[:16]


def _why_keep(path: Path, weights: str) -> str | None:
    import onnx

    try:
        model = onnx.load(path, load_external_data=False)
    except Exception:  # protobuf's own; such a file is no ONNX model
        return FOREIGN
    about = {prop.key: prop.value for prop in model.metadata_props}
    sealed = about.pop(_SEAL_KEY, None)
    if sealed is None:
        return FOREIGN
    onnx.helper.set_model_props(model, about)
    if _seal(model) != sealed:
        return "was changed since gravecli wrote it"
    return None if about.get(WEIGHTS_KEY) == weights else "holds another model"


def _compare(content: bytes, network: bytes, bundle: Bundle, tile_px: int) -> None:
    """Compare the certainty of the file with that of the model, on noise with an empty corner."""
    rgb = np.random.default_rng(0).integers(1, 256, (3, tile_px, tile_px), dtype=np.uint8)
    valid = np.ones((tile_px, tile_px), np.bool_)
    valid[: 2 * EMPTY_PX, : 2 * EMPTY_PX] = False
    rgb[:, ~valid] = 0
    (found,) = _run(content, "image", (rgb / 255).astype(np.float32)[None], bundle)
    pixels = bundle.card.recipe.network_input(rgb, None, valid)
    expected = seed_certainty(_run(network, "pixels", pixels[None], bundle)[0]) * valid
    difference = float(np.abs(found[0] - expected).max())
    if not difference <= TOLERANCE:  # NaN is refused as well
        raise ModelError(
            "the file for Deepness computes another certainty than the model",
            where=bundle.card.name,
            found=f"a difference of {difference:.2g}",
            expected=f"at most {TOLERANCE:g}",
        )


def _run(
    content: bytes, name: str, batch: NDArray[np.float32], bundle: Bundle
) -> NDArray[np.float32]:
    onnxruntime = load_onnxruntime()
    try:
        session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
        result: NDArray[np.float32] = session.run(None, {name: batch})[0]
    except Exception as error:  # onnxruntime has no common base of its own
        reason = str(error).splitlines()[0]
        raise ModelError(f"network cannot be computed: {reason}", where=bundle.onnx) from None
    return result
