"""Names of metrics, and names of cemeteries → parts of image keys that MLflow accepts."""

import hashlib
import re
import unicodedata

_GERMAN = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "ß": "ss"}
)
_REFUSED = re.compile(r"[^A-Za-z0-9_.-]+")


def best_score(name: str) -> str:
    """Return the metric of a run for a score of its kept epoch, `val/dice` -> `best_dice`.

    MLflow's pages make a section of all names before a `/`, in alphabetical order: a section `best`
    would push the pictures out of sight.

    Args:
        name: Name of the score without `val/`.
    """
    return f"best_{name}"


def image_slug(name: str) -> str:
    """Turn a name into a part of an image key; different names give different parts.

    An acceptable name stays as it is. Any other becomes its acceptable characters and a short hash
    of the whole name: "Köln (alt)" -> "Koeln-alt-cb7e66a1".

    Source: MLflow 3.17 accepts letters, digits, `_ - . /` and spaces, and reserves `/` and `~`.
    """
    composed = unicodedata.normalize("NFC", name)
    plain = unicodedata.normalize("NFKD", composed.translate(_GERMAN))
    plain = _REFUSED.sub("-", plain.encode("ascii", "ignore").decode()).strip("-.")
    if plain == name:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{plain}-{digest}" if plain else digest
