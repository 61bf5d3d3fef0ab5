"""Two forms of a settings tree, nested tables and dotted keys, and one tree laid over another."""

from collections.abc import Iterator, Mapping
from typing import Any

Tree = dict[str, Any]

_RANGE_KEYS = frozenset({"low", "high", "log", "step"})


def merge(lower: Tree, upper: Mapping[str, Any]) -> Tree:
    """Lay one tree over another, key by key; values other than tables are replaced as a whole.

    Choices replace a range, and a range replaces choices: a search domain is one or the other.
    """
    result = dict(lower)
    for key, value in upper.items():
        below = result.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping) and not _swaps(below, value):
            result[key] = merge(dict(below), value)
        else:
            result[key] = value
    return result


def flatten(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield (dotted key, value) of every leaf; an empty table is a leaf."""
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def nest(values: Mapping[str, Any]) -> Tree:
    """Turn dotted keys into tables; search spaces of studies keep their dotted keys."""
    tree: Tree = {}
    for key, value in values.items():
        *sections, leaf = key.split(".")
        for section in reversed(sections):
            leaf, value = section, {leaf: value}
        tree = merge(tree, {leaf: value})
    return flat_studies(tree)


def flat_studies(tree: Tree) -> Tree:
    """Turn nested search spaces and variants of studies into dotted keys.

    TOML reads an unquoted `training.learning_rate` as two nested keys.
    """
    studies = tree.get("hpo", {}).get("studies", {}) if isinstance(tree.get("hpo"), dict) else {}
    if not isinstance(studies, dict):
        return tree
    flat = {name: _flat_study(study) for name, study in studies.items() if isinstance(study, dict)}
    if not flat:
        return tree
    return {**tree, "hpo": {**tree["hpo"], "studies": {**studies, **flat}}}


def _flat_study(study: Tree) -> Tree:
    flat = dict(study)
    if isinstance(study.get("search_space"), dict):
        flat["search_space"] = _flat_space(study["search_space"])
    if isinstance(study.get("variants"), dict):
        flat["variants"] = {
            name: dict(flatten(variant)) if isinstance(variant, Mapping) else variant
            for name, variant in study["variants"].items()
        }
    return flat


def _flat_space(space: Mapping[str, Any], prefix: str = "") -> Tree:
    flat: Tree = {}
    for key, value in space.items():
        is_domain = not isinstance(value, Mapping) or not value or _is_domain(value)
        flat |= {f"{prefix}{key}": value} if is_domain else _flat_space(value, f"{prefix}{key}.")
    return flat


def _is_domain(value: Mapping[str, Any]) -> bool:
    return bool({*_RANGE_KEYS, "choices"} & set(value))


def _swaps(below: Mapping[str, Any], value: Mapping[str, Any]) -> bool:
    """Report whether a domain changes from a range to choices or back."""
    return ("choices" in below and bool(_RANGE_KEYS & set(value))) or (
        "choices" in value and bool(_RANGE_KEYS & set(below))
    )
