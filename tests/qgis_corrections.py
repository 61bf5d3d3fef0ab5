"""Corrects the graves of a map with the QGIS of the system, as an office does; run by its Python.

The corrections are a JSON file: `delete` and `review` list grave ids, `move` has a shift for each
of some ids and `reshape` an outline (WKT), `draw` lists outlines of new graves, `decide` has a
decision for each of some candidates. What is drawn has no attributes.
"""

import argparse
import gc
import json
import os
import signal
import sys
from pathlib import Path

os.environ["QT_QPA_PLATFORM"] = "offscreen"

from qgis.core import (
    QgsApplication,
    QgsFeature,
    QgsField,
    QgsGeometry,
    QgsVectorLayer,
    QgsVectorLayerUtils,
)
from qgis.PyQt.QtCore import QVariant


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("map")
    parser.add_argument("corrections")
    parser.add_argument("--hold", action="store_true", help="keep it open until stdin closes")
    parser.add_argument("--crash", action="store_true", help="be killed while it is open")
    how = parser.parse_args()
    application = QgsApplication([], False)
    application.initQgis()
    layer, other = (
        QgsVectorLayer(f"{how.map}|layername={name}", name, "ogr")
        for name in ("graves", "graves_raw")
    )
    assert layer.isValid(), how.map
    assert layer.startEditing()
    reader = other.getFeatures()
    if how.hold or how.crash:
        next(reader)  # as long as somebody reads, SQLite leaves all edits in its log
    corrections = json.loads(Path(how.corrections).read_text("utf-8"))
    correct(layer, corrections)
    assert layer.commitChanges(not (how.hold or how.crash)), layer.commitErrors()
    decide(how.map, corrections.get("decide", {}))
    sys.stdout.write("saved\n")
    sys.stdout.flush()
    if how.crash:
        os.kill(os.getpid(), signal.SIGKILL)
    if how.hold:
        sys.stdin.read()
        layer.rollBack()
    del reader, layer, other
    gc.collect()  # closes the file
    os._exit(0)  # QGIS crashes when Python takes it down


def correct(layer: QgsVectorLayer, corrections: dict) -> None:
    numbers = {feature["grave_id"]: feature.id() for feature in layer.getFeatures()}
    if "reviewed" not in layer.fields().names():
        assert layer.addAttribute(QgsField("reviewed", QVariant.Bool))
    reviewed = layer.fields().indexOf("reviewed")
    for name in corrections.get("delete", ()):
        assert layer.deleteFeature(numbers[name])
    for name, (east, north) in corrections.get("move", {}).items():
        shape = layer.getFeature(numbers[name]).geometry()
        shape.translate(east, north)
        assert layer.changeGeometry(numbers[name], shape)
    for name, text in corrections.get("reshape", {}).items():
        assert layer.changeGeometry(numbers[name], QgsGeometry.fromWkt(text))
    for name in corrections.get("review", ()):
        assert layer.changeAttributeValue(numbers[name], reviewed, True)
    for text in corrections.get("draw", ()):
        drawn = QgsFeature(layer.fields())
        drawn.setGeometry(QgsGeometry.fromWkt(text))
        for part in QgsVectorLayerUtils.makeFeatureCompatible(drawn, layer):  # as pasting does
            assert layer.addFeature(part)


def decide(path: str, decisions: dict) -> None:
    if not decisions:
        return
    layer = QgsVectorLayer(f"{path}|layername=candidates", "candidates", "ogr")
    assert layer.isValid(), path
    assert layer.startEditing()
    column = layer.fields().indexOf("decision")
    numbers = {str(feature["candidate_id"]): feature.id() for feature in layer.getFeatures()}
    for name, decision in decisions.items():
        assert layer.changeAttributeValue(numbers[name], column, decision)
    assert layer.commitChanges(), layer.commitErrors()


if __name__ == "__main__":
    main()
