"""The choice of a layer of a vector file: by its name, or the one that holds the outlines."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from grave_cli.errors import DatasetError
from grave_cli.vectors.layers import LayerSchema, layers_of
from grave_cli.vectors.vector_files import VectorFile

_POLYGONAL = ("Polygon", "MultiPolygon", "CurvePolygon", "MultiSurface", "Surface")
_MIXED = ("Unknown", "GeometryCollection")
_LINEAR = (
    "LineString",
    "MultiLineString",
    "CompoundCurve",
    "MultiCurve",
    "Curve",
    "CircularString",
)


@dataclass(frozen=True)
class LayerChoice:
    """The choice of a layer and its features in a vector file.

    Without a name, the preferred layer is chosen, or else the only polygon layer. In a file without
    polygons it is the only layer of mixed or unknown geometry, or else the only line layer
    (outlines from CAD).

    Args:
        name: Name of the layer; empty: chosen as described above.
        condition: SQL condition on the columns, as after WHERE; empty: all features.
        preferred: Name of the layer that is chosen if it is there; empty: none.
        besides: Name of a layer that does not qualify; empty: none.
        named_with: Option by which a user names the layer, for error messages; empty: none.
    """

    name: str = ""
    condition: str = ""
    preferred: str = ""
    besides: str = ""
    named_with: str = "--set data.annotation_layer"


def find_layer(path: Path, file: VectorFile, choice: LayerChoice) -> LayerSchema:
    """Find a layer in a vector file.

    Args:
        path: The file, named in errors.
        file: The file, identified.
        choice: The wanted layer.

    Raises:
        DatasetError: It is missing, or there are several.
    """
    layers = layers_of(file)
    if choice.name:
        return _named_layer(path, choice.name, layers)
    besides = choice.besides.lower()
    families = [
        {n: layer for n, layer in layers.items() if layer.kind in kinds and n.lower() != besides}
        for kinds in (_POLYGONAL, _MIXED, _LINEAR)
    ]
    # A boundary of the cemetery may be the only polygon layer beside graves of mixed geometry.
    for fitting in families:
        if (known := _spelt(choice.preferred, fitting)) is not None:
            return fitting[known]
    for fitting in families:
        if len(fitting) == 1:
            return next(iter(fitting.values()))
        if fitting:
            raise DatasetError(
                "layer is ambiguous",
                where=path,
                found=f"{len(fitting)} layers: {', '.join(fitting)}",
                expected="one layer, or its name",
                remedy=f"{_way(choice)}, or merge them into one layer",
            )
    raise DatasetError(
        "no polygon layer",
        where=path,
        found=_listing(layers) or "no layers",
        expected="polygons, or closed lines",
    )


def _way(choice: LayerChoice) -> str:
    if choice.named_with:
        return f"name it with {choice.named_with}=NAME"
    return f"call it {choice.preferred}"


def _spelt(name: str, layers: Mapping[str, LayerSchema]) -> str | None:
    """Find a layer by its name, or the only one whose name differs in capital letters alone."""
    if name in layers:
        return name
    like = [other for other in layers if other.lower() == name.lower()]
    return like[0] if len(like) == 1 else None


def _named_layer(path: Path, name: str, layers: Mapping[str, LayerSchema]) -> LayerSchema:
    if (known := _spelt(name, layers)) is not None:
        return layers[known]
    raise DatasetError(
        "layer is missing", where=path, found=_listing(layers) or "no layers", expected=name
    )


def _listing(layers: Mapping[str, LayerSchema]) -> str:
    return ", ".join(f"{layer.name} ({layer.kind})" for layer in layers.values())
