"""Imported annotations in, the annotation file of a cemetery out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import shapely

from grave_cli import __version__
from grave_cli.delivery.geopackage import About, write_layers
from grave_cli.delivery.geopackage_seal import Origin, geopackage_output
from grave_cli.delivery.grave_columns import words
from grave_cli.delivery.grave_styles import cased
from grave_cli.delivery.layer import Column, Layer
from grave_cli.delivery.style import Rule, Style
from grave_cli.outlines.polygons import Polygons
from grave_cli.outputs import Output
from grave_cli.settings.output import Language
from grave_cli.vectors.vector_io import GRAVE_LAYER
from grave_cli.wording import counted

_SOURCE_KEY = "annotations_fingerprint"
_YELLOW = "#ffd23f"

COLUMNS = {
    "category": Column(
        "str",
        words("Category", "Klasse"),
        words("Class in the annotation tool", "Klasse im Annotationsprogramm"),
    ),
    "image": Column(
        "str",
        words("Image", "Bild"),
        words("Image on which it was drawn", "Bild, auf dem es gezeichnet wurde"),
    ),
    "from_box": Column(
        "bool",
        words("Drawn as a box", "Als Rahmen gezeichnet"),
        words(
            "The outline is a box around the grave, not the grave itself",
            "Der Umriss ist ein Rahmen um das Grab, nicht das Grab selbst",
        ),
    ),
}

_STYLE = Style(
    rules=(
        Rule(words("box", "Rahmen"), '"from_box"', cased("#ff7a1c"), "#ff7a1c", 0.2),
        Rule(words("outline", "Umriss"), 'NOT "from_box"', cased(_YELLOW), _YELLOW, 0.1),
    ),
    display='"category"',
)


@dataclass(frozen=True)
class Annotations:
    """The annotations of a cemetery.

    Args:
        cemetery: Its name.
        crs: CRS of the outlines, as WKT.
        outlines: Valid polygons, one for each grave.
        categories: Their categories.
        images: Images on which they were drawn.
        boxes: Which were drawn as boxes.
    """

    cemetery: str
    crs: str
    outlines: Polygons
    categories: Sequence[str]
    images: Sequence[str]
    boxes: Sequence[bool]


def annotation_output(path: Path, source: str) -> Output:
    """Describe the file to `check_outputs`.

    Args:
        path: The GeoPackage.
        source: Fingerprint of the annotations that it is made of.
    """
    return geopackage_output(
        path, Origin(_SOURCE_KEY, source, "made of other annotations", ("annotations",))
    )


def write_annotations(
    found: Annotations, path: Path, name: str, source: str, language: Language
) -> None:
    """Write the annotations of a cemetery to a GeoPackage.

    Args:
        found: The annotations.
        path: The GeoPackage; an existing one is replaced.
        name: Name of the file that they come from.
        source: Its fingerprint.
        language: Language of titles and descriptions.

    Raises:
        ExportError: It cannot be written, or another program has it open.
    """
    rows = [
        {"category": category, "image": image, "from_box": bool(box)}
        for category, image, box in zip(found.categories, found.images, found.boxes, strict=True)
    ]
    layer = Layer(
        GRAVE_LAYER,
        COLUMNS,
        rows,
        np.asarray(shapely.force_2d(found.outlines)),
        found.crs,
        title=words("Graves", "Gräber"),
        description=words(f"Annotations from {name}", f"Annotationen aus {name}"),
        style=_STYLE,
    )
    count = len(rows)
    about = About(
        words(f"Graves of {found.cemetery}", f"Gräber von {found.cemetery}"),
        words(f"{counted(count, 'grave')} from {name}.", f"{count} Gräber aus {name}."),
        {
            "gravecli_version": __version__,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "annotations": name,
            _SOURCE_KEY: source,
        },
    )
    write_layers(path, [layer], about, language)
