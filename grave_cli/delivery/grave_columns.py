"""Columns of the layers of a map: types, titles and descriptions, in English and German."""

from collections.abc import Mapping

from grave_cli.delivery.layer import Column, ColumnKind, Words


def words(en: str, de: str) -> Words:
    """Return a text in both languages."""
    return {"en": en, "de": de}


def _column(kind: ColumnKind, title: Words, description: Words, decimals: int = 3) -> Column:
    return Column(kind, title, description, decimals)


SHAPES: Mapping[str, Words] = {
    "rectangle": words("rectangle", "Rechteck"),
    "orthogonal": words("right angles", "rechtwinklig"),
    "outline": words("free outline", "freier Umriss"),
}
"""Values of the column `shape`."""

FLAG_WORDS: Mapping[str, Words] = {
    "edge": words("at the edge of the image", "am Bildrand"),
    "nodata": words("beside missing imagery", "neben fehlendem Bild"),
    "occluded": words("partly hidden", "teilweise verdeckt"),
    "size_outlier": words("unusual size", "ungewöhnliche Größe"),
    "shape_outlier": words("unusual shape", "ungewöhnliche Form"),
    "possible_merge": words("possibly two graves", "vielleicht zwei Gräber"),
    "possible_split": words("possibly half of a grave", "vielleicht nur ein halbes Grab"),
    "low_confidence": words("low confidence", "geringe Sicherheit"),
}
"""Values in the column `flags`."""

GRAVE_ID = _column(
    "str",
    words("Grave id", "Grab-Kennung"),
    words(
        "Unique id that names the place: cemetery, field (F), row (R) and number",
        "Eindeutige Kennung, die den Platz nennt: Friedhof, Feld (F), Reihe (R) und Nummer",
    ),
)
CEMETERY_ID = _column(
    "str",
    words("Cemetery", "Friedhof"),
    words("Name of the cemetery", "Name des Friedhofs"),
)

GRAVE_COLUMNS: Mapping[str, Column] = {
    "grave_id": GRAVE_ID,
    "cemetery_id": CEMETERY_ID,
    "field": _column(
        "int",
        words("Field", "Feld"),
        words("Number of the field in the cemetery", "Nummer des Feldes auf dem Friedhof"),
    ),
    "row": _column(
        "int",
        words("Row", "Reihe"),
        words("Number of the row in its field", "Nummer der Reihe in ihrem Feld"),
    ),
    "number": _column(
        "int",
        words("Grave number", "Grabnummer"),
        words("Number of the grave in its row", "Nummer des Grabes in seiner Reihe"),
    ),
    "confidence": _column(
        "float",
        words("Confidence", "Sicherheit"),
        words(
            "Estimated probability that this is a grave and its outline is right, 0 to 1",
            "Geschätzte Wahrscheinlichkeit, dass hier ein Grab liegt und sein Umriss stimmt, "
            "0 bis 1",
        ),
    ),
    "area_m2": _column(
        "float",
        words("Area (m²)", "Fläche (m²)"),
        words(
            "Area on the ground, in square metres, in any CRS",
            "Fläche am Boden in Quadratmetern, unabhängig vom Koordinatensystem",
        ),
    ),
    "length_m": _column(
        "float",
        words("Length (m)", "Länge (m)"),
        words(
            "Longer side of the smallest rectangle around the grave, in metres",
            "Längere Seite des kleinsten Rechtecks um das Grab, in Metern",
        ),
    ),
    "width_m": _column(
        "float",
        words("Width (m)", "Breite (m)"),
        words(
            "Shorter side of the smallest rectangle around the grave, in metres",
            "Kürzere Seite des kleinsten Rechtecks um das Grab, in Metern",
        ),
    ),
    "azimuth_deg": _column(
        "float",
        words("Direction (°)", "Richtung (°)"),
        words(
            "Direction of the longer side, 0 to 180 degrees, clockwise from grid north",
            "Richtung der längeren Seite, 0 bis 180 Grad, im Uhrzeigersinn ab Gitternord",
        ),
        decimals=1,
    ),
    "height_m": _column(
        "float",
        words("Height (m)", "Höhe (m)"),
        words(
            "Height above the ground around it, in metres; empty without a DEM",
            "Höhe über dem Boden ringsum in Metern; leer ohne Höhenmodell",
        ),
    ),
    "shape": Column(
        "str",
        words("Shape", "Form"),
        words("Kind of outline", "Art des Umrisses"),
        values=SHAPES,
    ),
    "flags": _column(
        "str",
        words("Flags", "Hinweise"),
        words(
            "Reasons to look at the grave: "
            + ", ".join(f"{flag} ({text['en']})" for flag, text in FLAG_WORDS.items()),
            "Gründe, das Grab anzusehen: "
            + ", ".join(f"{flag} ({text['de']})" for flag, text in FLAG_WORDS.items()),
        ),
    ),
    "needs_review": _column(
        "bool",
        words("Needs review", "Bitte prüfen"),
        words("Somebody should look at this grave", "Jemand sollte dieses Grab ansehen"),
    ),
    "review_rank": _column(
        "int",
        words("Review rank", "Prüf-Rang"),
        words(
            "Place in the order of the review, over graves and candidates together; 1: look here "
            "first",
            "Platz in der Reihenfolge der Prüfung, über Gräber und Kandidaten zusammen; 1: hier "
            "zuerst hinsehen",
        ),
    ),
    "review_reason": _column(
        "str",
        words("Review reason", "Prüf-Grund"),
        words("Why this may be wrong, in words", "Warum hier etwas falsch sein kann, in Worten"),
    ),
}
"""Columns of the layer `graves`."""

PROVENANCE_COLUMNS: Mapping[str, Column] = {
    "key": _column(
        "str",
        words("Key", "Schlüssel"),
        words("What the value says of the origin of the map", "Was der Wert zur Herkunft sagt"),
    ),
    "value": _column(
        "str",
        words("Value", "Wert"),
        words("The value as text", "Der Wert als Text"),
    ),
}
"""Columns of the table `gravecli_provenance`."""
