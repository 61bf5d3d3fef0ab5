"""Looks at GeoPackages with the QGIS of the system; run by its Python: `qgis_process.py` starts it.

Prints one JSON object: for each map and layer what QGIS shows of it and how many features
`native:checkvalidity` finds invalid; QGIS's warnings; the pictures drawn of the first map.
"""

import argparse
import gc
import json
import os
import sys

os.environ["QT_QPA_PLATFORM"] = "offscreen"

import qgis
from qgis.core import (
    QgsApplication,
    QgsExpressionContext,
    QgsExpressionContextUtils,
    QgsFeatureRequest,
    QgsMapRendererSequentialJob,
    QgsMapSettings,
    QgsProject,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QSize
from qgis.PyQt.QtGui import QColor


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("maps", nargs="+")
    parser.add_argument("--pictures", nargs="*", default=[], help="name, scale denominator, …")
    parser.add_argument("--size", type=int, nargs=2, default=(800, 600))
    parser.add_argument("--check", action="store_true", help="look for invalid features")
    parser.add_argument("--edit", action="store_true", help="save a flag, and go on editing")
    parser.add_argument("--hold", action="store_true", help="keep them open until stdin closes")
    how = parser.parse_args()
    application = QgsApplication([], False)
    application.initQgis()
    warnings: list[str] = []
    log = application.messageLog().messageReceived
    log.connect(lambda text, tag, level: warnings.append(f"{tag}: {text}") if level else None)
    opened = {path: load_layers(path) for path in how.maps}
    found: dict = {"warnings": warnings}
    found["maps"] = {
        path: {name: look(layer, how.check) for name, layer in layers.items()}
        for path, layers in opened.items()
    }
    first = opened[how.maps[0]]
    if how.edit:
        edit(first["graves"])
    pairs = zip(how.pictures[::2], how.pictures[1::2], strict=True)
    found["pictures"] = [draw(first, picture, float(scale), how.size) for picture, scale in pairs]
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()
    if how.hold:
        sys.stdin.read()
    del first, opened
    gc.collect()  # closes the files
    os._exit(0)  # QGIS crashes when Python takes it down


def load_layers(path: str) -> dict[str, QgsVectorLayer]:
    """Open all layers that QGIS offers, each with its default style."""
    whole = QgsVectorLayer(path, "all", "ogr")
    names = [line.split("!!::!!")[1] for line in whole.dataProvider().subLayers()]
    return {name: QgsVectorLayer(f"{path}|layername={name}", name, "ogr") for name in names}


def look(layer: QgsVectorLayer, check: bool) -> dict:
    found = {
        "valid": layer.isValid(),
        "features": layer.featureCount(),
        "spatial_index": int(layer.hasSpatialIndex()) if layer.isSpatial() else None,
        "extent": layer.extent().toString(3),
        "crs": layer.crs().authid(),
        "aliases": {field.name(): field.displayName() for field in layer.fields()},
        "widgets": {
            field.name(): layer.editorWidgetSetup(index).type()
            for index, field in enumerate(layer.fields())
        },
        "fields": [field.name() for field in layer.fields()],
        "scale_range": [layer.hasScaleBasedVisibility(), layer.minimumScale()],
        "display": layer.displayExpression(),
        "tip": layer.mapTipTemplate(),
    }
    if check and layer.isSpatial():
        found["invalid"] = count_invalid(layer)
    renderer = layer.renderer()
    if renderer is not None:
        found["renderer"] = renderer.type()
        if renderer.type() == "RuleRenderer":
            rules = renderer.rootRule().children()
            found["rules"] = {rule.label(): count_drawn(layer, rule, rules) for rule in rules}
    if layer.labelsEnabled():
        settings = layer.labeling().settings()
        found["label"] = [settings.fieldName, settings.scaleVisibility, settings.minimumScale]
    return found


def count_drawn(layer, rule, rules) -> int:
    """Count the features that a rule draws."""
    if rule.isElse():
        return layer.featureCount() - sum(
            count_drawn(layer, other, rules) for other in rules if not other.isElse()
        )
    if rule.filter() is None:
        return layer.featureCount()
    context = QgsExpressionContext(QgsExpressionContextUtils.globalProjectLayerScopes(layer))
    request = QgsFeatureRequest(rule.filter(), context)
    return sum(1 for _ in layer.getFeatures(request))


def count_invalid(layer: QgsVectorLayer) -> int:
    """Count the features that QGIS finds invalid, by the rules of GEOS and its own."""
    if not hasattr(qgis, "processing_is_ready"):
        sys.path.append("/usr/share/qgis/python/plugins")
        import processing.core.Processing as core

        core.Processing.initialize()
        qgis.processing_is_ready = True
    import processing

    known = {one.id() for one in QgsApplication.processingRegistry().algorithms()}
    name = next(one for one in ("native:checkvalidity", "qgis:checkvalidity") if one in known)
    counts = []
    for method in (1, 2):  # QGIS, GEOS
        outputs = {key: "TEMPORARY_OUTPUT" for key in ("VALID_OUTPUT", "INVALID_OUTPUT")}
        outputs["ERROR_OUTPUT"] = "TEMPORARY_OUTPUT"
        given = {"INPUT_LAYER": layer, "METHOD": method, **outputs}
        result = processing.run(name, given)
        counts.append(result["INVALID_COUNT"] + result["ERROR_COUNT"])
        assert result["VALID_COUNT"] == layer.featureCount() or counts[-1], result
    return max(counts)


def edit(layer: QgsVectorLayer) -> None:
    layer.startEditing()
    feature = next(layer.getFeatures())
    layer.changeAttributeValue(feature.id(), layer.fields().indexOf("flags"), "seen")
    assert layer.commitChanges(False), layer.commitErrors()


def draw(layers: dict[str, QgsVectorLayer], picture: str, scale: float, size: list[int]) -> dict:
    """Draw the middle of a map at a scale."""
    spatial = [layer for layer in layers.values() if layer.isSpatial()]
    QgsProject.instance().addMapLayers(spatial, False)
    settings = QgsMapSettings()
    settings.setLayers(spatial)
    settings.setDestinationCrs(spatial[0].crs())
    settings.setEllipsoid("EPSG:7030")
    settings.setOutputSize(QSize(*size))
    settings.setOutputDpi(96)
    settings.setBackgroundColor(QColor("white"))
    settings.setExtent(spatial[0].extent())
    for _ in range(3):  # in degrees, the scale is not quite proportional
        extent = settings.extent()
        extent.scale(scale / settings.scale())
        settings.setExtent(extent)
    job = QgsMapRendererSequentialJob(settings)
    job.start()
    job.waitForFinished()
    job.renderedImage().save(picture)
    labels = job.takeLabelingResults().allLabels()
    return {
        "scale": settings.scale(),
        "labels": sorted(label.labelText for label in labels),
        "errors": [error.message for error in job.errors()],
    }


if __name__ == "__main__":
    main()
