"""Texts in English and German, by the language of QGIS."""

from __future__ import annotations

from qgis.core import QgsApplication


def language() -> str:
    """Return en or de."""
    return "de" if QgsApplication.locale().lower().startswith("de") else "en"


def say(en: str, de: str) -> str:
    """Return a text in the language of QGIS."""
    return de if language() == "de" else en
