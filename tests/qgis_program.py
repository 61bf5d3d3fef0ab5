"""Looks at a GeoPackage with the QGIS of the system; run by its Python: `qgis.py` starts it.

Prints one JSON object: for each layer what QGIS shows of it, warnings, the findings of
`native:checkvalidity`; draws a picture if a file is named.
"""

import argparse
import json
import os
import sys

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from qgis.core import (
    QgsApplication,
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransformContext,
    QgsMapRendererParallelJob,
    QgsMapSettings,
    QgsProject,
    QgsRasterLayer,
    QgsRectangle,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QSize
from qgis.PyQt.QtGui import QColor, QGuiApplication


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("map")
    parser.add_argument("--picture")
    parser.add_argument("--under", help="orthophoto below the map")
    parser.add_argument("--scale", type=float, default=200, help="denominator")
    parser.add_argument("--size", type=int, nargs=2, default=(800, 600))
    parser.add_argument("--dpi", type=int, default=96)
    parser.add_argument("--centre", type=float, nargs=2, help="x and y; default: the middle")
    parser.add_argument("--crs", help="CRS of the picture; default: the map's")
    parser.add_argument("--hold", action="store_true", help="keep it open until stdin closes")
    how = parser.parse_args()
    application = QgsApplication([], False)
    application.initQgis()
    warnings: list[str] = []
    log = application.messageLog().messageReceived
    log.connect(lambda text, tag, level: warnings.append(f"{tag}: {text}") if level else None)
    layers = load_layers(how.map)
    found = {"layers": {name: look(layer) for name, layer in layers.items()}}
    found["invalid"] = {
        name: check_validity(layer) for name, layer in layers.items() if layer.isSpatial()
    }
    if how.picture:
        found["drawn"] = draw(layers, how)
    found["warnings"] = warnings
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()
    if how.hold:
        sys.stdin.read()
    os._exit(0)  # QGIS crashes when Python takes it down


def load_layers(path: str) -> dict[str, QgsVectorLayer]:
    """Open all layers that QGIS offers, each with its default style."""
    whole = QgsVectorLayer(path, "all", "ogr")
    names = [line.split("!!::!!")[1] for line in whole.dataProvider().subLayers()]
    return {name: QgsVectorLayer(f"{path}|layername={name}", name, "ogr") for name in names}


def look(layer: QgsVectorLayer) -> dict:
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
    from qgis.core import QgsExpressionContext, QgsExpressionContextUtils, QgsFeatureRequest

    if rule.isElse():
        return layer.featureCount() - sum(
            count_drawn(layer, other, rules) for other in rules if not other.isElse()
        )
    if rule.filter() is None:
        return layer.featureCount()
    context = QgsExpressionContext(QgsExpressionContextUtils.globalProjectLayerScopes(layer))
    request = QgsFeatureRequest(rule.filter(), context)
    return sum(1 for _ in layer.getFeatures(request))


def check_validity(layer: QgsVectorLayer) -> int:
    """Count the features that QGIS finds invalid, by the rules of GEOS and its own."""
    import qgis

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


def draw(layers: dict[str, QgsVectorLayer], how: argparse.Namespace) -> dict:
    graves = next(layer for layer in layers.values() if layer.isSpatial())
    spatial = [layer for layer in layers.values() if layer.isSpatial()]
    if how.under:
        spatial.append(QgsRasterLayer(how.under, "orthophoto"))
    QgsProject.instance().addMapLayers(spatial)
    settings = QgsMapSettings()
    settings.setLayers(spatial)
    crs = QgsCoordinateReferenceSystem(how.crs) if how.crs else graves.crs()
    settings.setDestinationCrs(crs)
    settings.setEllipsoid("EPSG:7030")
    settings.setTransformContext(QgsCoordinateTransformContext())
    settings.setOutputSize(QSize(*how.size))
    settings.setOutputDpi(how.dpi)
    settings.setBackgroundColor(QColor(255, 255, 255))
    settings.setFlag(QgsMapSettings.Antialiasing, True)
    box = settings.layerExtentToOutputExtent(graves, graves.extent())
    middle = how.centre or (box.center().x(), box.center().y())
    settings.setExtent(QgsRectangle(middle[0] - 5, middle[1] - 5, middle[0] + 5, middle[1] + 5))
    for _ in range(3):  # the scale is not linear in degrees
        share = how.scale / settings.scale()
        extent = settings.extent()
        extent.scale(share)
        settings.setExtent(extent)
    job = QgsMapRendererParallelJob(settings)
    job.start()
    job.waitForFinished()
    image = job.renderedImage()
    image.save(how.picture)
    errors = [f"{error.layerID}: {error.message}" for error in job.errors()]
    results = job.takeLabelingResults()
    labels = sorted(label.labelText for label in results.allLabels()) if results else []
    return {"scale": settings.scale(), "labels": labels, "errors": errors}


if __name__ == "__main__":
    assert QGuiApplication is not None
    main()
