"""A trained model in; the starter model that ships with gravecli out, at 16-bit precision."""

import hashlib
import tempfile
from pathlib import Path

import numpy as np
import onnx
import safetensors.torch
from onnx import TensorProto, helper, numpy_helper

from grave_cli.dataset.annotations import read_grave_file
from grave_cli.evaluation.judgement import judge_on_ground
from grave_cli.evaluation.scorecard import fill_scorecard
from grave_cli.mapping.engine import open_engine
from grave_cli.mapping.predict_cemetery import predict_cemetery
from grave_cli.model.bundle import Bundle, read_bundle, write_card
from grave_cli.model.export import load_network
from grave_cli.model.onnx_form import write_onnx
from grave_cli.model.shipped import STARTER
from grave_cli.sample_data.write import write_sample_data
from grave_cli.settings.load import load_settings

# A test maps the same scene again, and expects the same scores.
PROBE_PRESET, PROBE_SEED, PROBE_SIZE_M = "central-europe", 90210, 30.0


def ship(bundle: Bundle, folder: Path, about: dict[str, str]) -> Bundle:
    """Write the starter model.

    Args:
        bundle: The trained model.
        folder: Folder in the package.
        about: Facts for the user, by heading.
    """
    folder.mkdir(parents=True, exist_ok=True)
    network = load_network(bundle)
    # Only weights of layers: variances of a normalisation may exceed the range of 16 bits.
    halved = {
        name: tensor.half() if tensor.ndim > 1 else tensor
        for name, tensor in network.state_dict().items()
    }
    network.load_state_dict(halved)
    shipped = Bundle(folder=folder, card=bundle.card)
    safetensors.torch.save_file(halved, shipped.weights)
    write_onnx(shipped, network)
    halve_onnx(shipped.onnx)
    files = {file.name: _sha256(file) for file in (shipped.weights, shipped.onnx)}
    facts = about | {f"sha256 of {name}": value for name, value in files.items()}
    review = bundle.card.review
    if review is not None:  # a proof from generated cemeteries promises nothing for real ones
        review = review.model_copy(update={"proof": ()})
    update = {"name": STARTER, "about": facts, "review": review}
    card = bundle.card.model_copy(update=update)
    write_card(folder, card)
    metrics = card.metrics | probe_scores(read_bundle(folder))
    write_card(folder, card.model_copy(update={"metrics": metrics}))
    return read_bundle(folder)


def halve_onnx(path: Path) -> None:
    """Store the weights of an ONNX file at 16 bits; ONNX Runtime widens them when it loads them."""
    model = onnx.load(path)
    graph, casts = model.graph, []
    for tensor in graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or len(tensor.dims) < 2:
            continue
        name, stored = tensor.name, f"{tensor.name}_half"
        values = numpy_helper.to_array(tensor).astype(np.float16)
        tensor.CopyFrom(numpy_helper.from_array(values, stored))
        casts.append(helper.make_node("Cast", [stored], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def probe_scores(bundle: Bundle) -> dict[str, float]:
    """Score a model on one generated scene that no training uses, with and without its DEM."""
    settings = load_settings(environ={}).settings
    scores: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        (scene,) = write_sample_data(
            Path(folder), cemeteries=1, size_m=PROBE_SIZE_M, seed=PROBE_SEED, variety=PROBE_PRESET
        )
        assert scene.annotations is not None
        engine = open_engine(bundle, settings.prediction)
        for key, dem in (("probe", scene.dem), ("probe_without_dem", None)):
            result = predict_cemetery(scene.orthophoto, dem, bundle, engine, settings)
            truth = read_grave_file(scene.annotations, result.grid, settings.data).polygons
            judgement = judge_on_ground(truth, result.polygons, result.crs)
            scores[f"{key}/object_f1"] = fill_scorecard(judgement).metrics()["object_f1"]
    return scores


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
