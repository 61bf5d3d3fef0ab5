"""Words of the report, in English and German."""

from collections.abc import Mapping

from grave_cli.settings.output import Language

_TEXTS: Mapping[str, tuple[str, str]] = {
    "grave": ("grave", "Grab"),
    "graves": ("graves", "Gräber"),
    "to_review": ("to review", "zu prüfen"),
    "field": ("field", "Feld"),
    "fields": ("fields", "Felder"),
    "row": ("row", "Reihe"),
    "rows": ("rows", "Reihen"),
    "area": ("area of all graves", "Fläche aller Gräber"),
    "mean_area": ("mean area", "mittlere Fläche"),
    "map": ("Map", "Karte"),
    "imagery": ("orthophoto", "Orthofoto"),
    "sound": ("graves", "Gräber"),
    "doubtful": ("graves to review", "zu prüfende Gräber"),
    "candidate": ("candidate", "Kandidat"),
    "candidates": ("candidates", "Kandidaten"),
    "hint": (
        "Scroll to zoom, drag to pan, double-click to reset; on a touch screen, zoom with two "
        "fingers. With the map selected: arrow keys go from grave to grave, + and − zoom, 0 "
        "resets, Enter goes to the row of the grave. North is up.",
        "Mausrad vergrößert, Ziehen verschiebt, Doppelklick setzt zurück; auf einem Touchscreen "
        "vergrößern zwei Finger. Ist die Karte ausgewählt: Pfeiltasten gehen von Grab zu Grab, + "
        "und − vergrößern und verkleinern, 0 setzt zurück, die Eingabetaste geht zur Zeile des "
        "Grabes. Norden ist oben.",
    ),
    "none": ("No graves were found.", "Es wurden keine Gräber gefunden."),
    "queue": ("In the order of the review", "In der Reihenfolge der Prüfung"),
    "queue_empty": ("No grave needs a review.", "Kein Grab muss geprüft werden."),
    "promise": (
        "With 90 % confidence, a look at the first {looked_at} by rank leaves at most {unseen} "
        "unseen, in a cemetery like those of the validation.",
        "Mit 90 % Sicherheit übersieht, wer die ersten {looked_at} nach Rang ansieht, höchstens "
        "{unseen}, wenn der Friedhof denen der Validierung gleicht.",
    ),
    "wrong_grave": ("wrong grave", "falsches Grab"),
    "wrong_graves": ("wrong graves", "falsche Gräber"),
    "rank": ("rank", "Rang"),
    "probability": ("probability", "Wahrscheinlichkeit"),
    "queue_cut": (
        "Pictures are shown of the first {shown} of {all}; the table lists all.",
        "Bilder zeigen die ersten {shown} von {all}; die Tabelle enthält alle.",
    ),
    "confidence": ("confidence", "Sicherheit"),
    "table": ("Graves", "Gräber"),
    "search": ("Search", "Suchen"),
    "only_review": ("only graves to review", "nur zu prüfende Gräber"),
    "only_doubtful": (
        "only graves to review and candidates",
        "nur zu prüfende Gräber und Kandidaten",
    ),
    "of": ("of", "von"),
    "review_mark": ("review", "prüfen"),
    "distributions": ("Distributions", "Verteilungen"),
    "histogram_area": ("area, m²", "Fläche, m²"),
    "histogram_confidence": ("confidence", "Sicherheit"),
    "origin": ("Where this map comes from", "Herkunft der Karte"),
    "caution": (
        "This map was drawn by a program. Check it before you act on it.",
        "Diese Karte hat ein Programm gezeichnet. Bitte prüfen, bevor danach gehandelt wird.",
    ),
}


def texts(language: Language) -> dict[str, str]:
    """Return the words of the report in a language."""
    return {name: both[language == "de"] for name, both in _TEXTS.items()}
