"""Names of people and places in, keys that MLflow takes for images out."""

import hashlib
import re
import unicodedata

_GERMAN = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "ß": "ss"}
)
_REFUSED = re.compile(r"[^A-Za-z0-9_.-]+")


def image_slug(name: str) -> str:
    """Turn a name into a part of an image key; different names give different ones.

    A name that can stay as it is does. Another gets what is left of it and a short hash of the
    whole: "Köln (alt)" -> "Koeln-alt-cb7e66a1".

    Source: MLflow 3.17 takes letters, digits, `_ - . /` and spaces; `/` and `~` it uses itself.
    """
    composed = unicodedata.normalize("NFC", name)
    plain = unicodedata.normalize("NFKD", composed.translate(_GERMAN))
    plain = _REFUSED.sub("-", plain.encode("ascii", "ignore").decode()).strip("-.")
    if plain == name:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{plain}-{digest}" if plain else digest
