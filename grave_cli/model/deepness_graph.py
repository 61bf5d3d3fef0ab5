"""The ends that turn a network's ONNX graph into one for the plugin Deepness.

    image (1, 3, T, T) in [0, 1] -> normalised, empty places 0 -> network -> certainty (1, 1, T, T)

The plugin knows no mask: outside of the orthophoto, and where it is transparent, its pixels are
black. A black square as wide as a grave counts as empty, and so do black pixels near it, which are
notches in the ragged edge of a mosaic. Other black pixels are shadows, a part of the image:

    . . x x x x x      x  black; a square of 3 x 3 fits into the right half
    x . . x x x x      the lone x is too far off and stays
    . . x x x x x      the notches beside the square are empty
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from grave_cli.rasters.recipe import InputRecipe

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

EMPTY_PX = 15
"""Edge of the smallest black square that counts as empty, in pixels; odd."""

_GROWN_PX = 3 * EMPTY_PX  # edge of the square around its centre where black pixels count as empty

_IMAGE, _CERTAINTY = "image", "certainty"


class _Nodes:
    """Collects nodes and constants; each node yields one tensor, named after it."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: list[Any] = []

    def add(self, kind: str, *inputs: str, name: str, **attributes: Any) -> str:
        from onnx import helper

        output = f"deepness/{name}"
        self.nodes.append(helper.make_node(kind, inputs, [output], output, **attributes))
        return output

    def constant(self, name: str, value: Any) -> str:
        from onnx import numpy_helper

        self.constants.append(numpy_helper.from_array(np.asarray(value), f"deepness/{name}"))
        return f"deepness/{name}"


def with_plugin_ends(network: "ModelProto", recipe: InputRecipe, tile_px: int) -> "ModelProto":
    """Return a model that takes a tile as the plugin feeds it and returns the certainty.

    Args:
        network: ONNX form of a network, from `pixels` to `probabilities`, with free sizes.
        recipe: Its preprocessing; elevation features become 0.
        tile_px: Edge of a tile, a multiple of 32.

    """
    import onnx
    from onnx import helper

    graph, start, end = network.graph, _Nodes(), _Nodes()
    valid = _valid(start)
    pixels = _pixels(start, valid, recipe, tile_px)
    end.nodes.append(_certainty(end, valid))
    renamed = [_reading(node, "pixels", pixels) for node in graph.node]
    kind = onnx.TensorProto.FLOAT
    whole = helper.make_graph(
        [*start.nodes, *renamed, *end.nodes],
        "gravecli for Deepness",
        [helper.make_tensor_value_info(_IMAGE, kind, (1, 3, tile_px, tile_px))],
        [helper.make_tensor_value_info(_CERTAINTY, kind, (1, 1, tile_px, tile_px))],
        [*start.constants, *graph.initializer, *end.constants],
    )
    return helper.make_model(
        whole,
        opset_imports=network.opset_import,
        ir_version=network.ir_version,
        producer_name="gravecli",
    )


def _valid(nodes: _Nodes) -> str:
    """Mark the pixels that show something with 1, empty ones with 0."""
    zero = nodes.constant("zero", np.float32(0))
    light = nodes.add("ReduceMax", _IMAGE, name="light", axes=[1], keepdims=1)
    lit = nodes.add("Greater", light, zero, name="lit")
    nearby = _largest_around(nodes, light, EMPTY_PX, "nearby")
    dark = nodes.add("Not", nodes.add("Greater", nearby, zero, name="lit_nearby"), name="dark")
    core = nodes.add("Cast", dark, name="core", to=1)
    grown = _largest_around(nodes, core, _GROWN_PX, "grown")
    away = nodes.add("Not", nodes.add("Greater", grown, zero, name="close"), name="away")
    shown = nodes.add("Or", away, lit, name="shown")
    return nodes.add("Cast", shown, name="valid", to=1)


def _largest_around(nodes: _Nodes, values: str, edge: int, name: str) -> str:
    """Take the largest value in a square around each pixel, by rows and then by columns."""
    half = edge // 2
    across = {"kernel_shape": [1, edge], "pads": [0, half, 0, half], "strides": [1, 1]}
    down = {"kernel_shape": [edge, 1], "pads": [half, 0, half, 0], "strides": [1, 1]}
    row = nodes.add("MaxPool", values, name=f"{name}_in_row", **across)
    return nodes.add("MaxPool", row, name=name, **down)


def _pixels(nodes: _Nodes, valid: str, recipe: InputRecipe, tile_px: int) -> str:
    """Normalise the colours like `InputRecipe.network_input`, and add blank elevation."""
    mean = np.array(recipe.mean, np.float32).reshape(1, 3, 1, 1)
    scale = (1 / np.array(recipe.std, np.float32)).reshape(1, 3, 1, 1)
    centred = nodes.add("Sub", _IMAGE, nodes.constant("mean", mean), name="centred")
    scaled = nodes.add("Mul", centred, nodes.constant("scale", scale), name="scaled")
    colours = nodes.add("Mul", scaled, valid, name="colours")
    if not recipe.features:
        return colours
    shape = np.array([1, len(recipe.features), tile_px, tile_px], np.int64)
    flat = nodes.add("ConstantOfShape", nodes.constant("shape", shape), name="flat")
    return nodes.add("Concat", colours, flat, name="pixels", axis=1)


def _certainty(nodes: _Nodes, valid: str) -> "NodeProto":
    """Compute `instances.seed_certainty`: body x (1 - contact) x (1 - border / 2)."""
    from onnx import helper

    parts = ["deepness/body", "deepness/border", "deepness/contact"]
    sizes = nodes.constant("sizes", np.ones(3, np.int64))
    nodes.nodes.append(helper.make_node("Split", ["probabilities", sizes], parts, axis=1))
    body, border, contact = parts
    one, half = nodes.constant("one", np.float32(1)), nodes.constant("half", np.float32(0.5))
    apart = nodes.add("Sub", one, contact, name="apart")
    rim = nodes.add("Mul", border, half, name="rim")
    inner = nodes.add("Sub", one, rim, name="inner")
    shared = nodes.add("Mul", nodes.add("Mul", body, apart, name="alone"), inner, name="sure")
    return helper.make_node("Mul", [shared, valid], [_CERTAINTY], "deepness/certainty")


def _reading(node: "NodeProto", name: str, replacement: str) -> "NodeProto":
    """Return a copy of a node that reads a tensor by another name."""
    import onnx

    copied = onnx.NodeProto()
    copied.CopyFrom(node)
    copied.input[:] = [replacement if one == name else one for one in node.input]
    return copied
