"""Draw a map of gravecli as QGIS shows it, with a legend; run by the Python that has QGIS.

usage: /usr/bin/python3 benchmarks/tools/qgis_picture.py MAP.gpkg ORTHOPHOTO.tif PICTURE.png SCALE
"""

import os
import sys

os.environ["QT_QPA_PLATFORM"] = "offscreen"

from qgis.core import (
    QgsApplication,
    QgsLayout,
    QgsLayoutExporter,
    QgsLayoutItemLegend,
    QgsLayoutItemMap,
    QgsLayoutItemScaleBar,
    QgsLayoutMeasurement,
    QgsLayoutPoint,
    QgsLayoutSize,
    QgsLegendStyle,
    QgsProject,
    QgsRasterLayer,
    QgsUnitTypes,
    QgsVectorLayer,
)
from qgis.PyQt.QtGui import QColor, QFont

WIDTH_MM, HEIGHT_MM, DPI = 250, 150, 130


def main(file: str, orthophoto: str, picture: str, scale: float) -> None:
    application = QgsApplication([], False)
    application.initQgis()
    project = QgsProject.instance()
    layers = [QgsVectorLayer(f"{file}|layername={name}", name, "ogr") for name in LAYERS]
    layers[0].setName("Graves")
    ground = QgsRasterLayer(orthophoto, "orthophoto")
    project.setCrs(layers[0].crs())
    project.addMapLayers([*layers, ground])
    layout = QgsLayout(project)
    layout.initializeDefaults()
    layout.pageCollection().page(0).setPageSize(QgsLayoutSize(WIDTH_MM, HEIGHT_MM))
    shown = add_map(layout, [*layers, ground], scale)
    add_legend(layout, shown, layers[0])
    add_scale_bar(layout, shown)
    settings = QgsLayoutExporter.ImageExportSettings()
    settings.dpi = DPI
    done = QgsLayoutExporter(layout).exportToImage(picture, settings)
    assert done == QgsLayoutExporter.Success, done
    sys.stdout.flush()
    os._exit(0)  # QGIS crashes when Python takes it down


LAYERS = ("graves", "graves_raw", "coverage")


def add_map(layout: QgsLayout, layers: list, scale: float) -> QgsLayoutItemMap:
    item = QgsLayoutItemMap(layout)
    item.attemptMove(QgsLayoutPoint(0, 0))
    item.attemptResize(QgsLayoutSize(WIDTH_MM, HEIGHT_MM))
    item.setLayers(layers)
    item.setBackgroundColor(QColor(248, 248, 246))
    extent = layers[0].extent()
    item.zoomToExtent(extent)
    item.setScale(scale)
    layout.addLayoutItem(item)
    return item


def add_legend(layout: QgsLayout, shown: QgsLayoutItemMap, graves: QgsVectorLayer) -> None:
    item = QgsLayoutItemLegend(layout)
    item.setLinkedMap(shown)
    item.setAutoUpdateModel(False)
    root = item.model().rootGroup()
    for layer in root.findLayers():
        if layer.layerId() != graves.id():
            root.removeChildNode(layer)
    for part, size in ((QgsLegendStyle.Subgroup, 9), (QgsLegendStyle.SymbolLabel, 8)):
        style = item.style(part)
        style.setFont(QFont("DejaVu Sans", size))
        style.setMargin(QgsLegendStyle.Top, 1.5)
        item.setStyle(part, style)
    item.setBackgroundColor(QColor(255, 255, 255, 225))
    item.setBackgroundEnabled(True)
    item.setFrameEnabled(True)
    item.setFrameStrokeColor(QColor(120, 120, 120))
    item.setFrameStrokeWidth(QgsLayoutMeasurement(0.2))
    layout.addLayoutItem(item)
    item.setReferencePoint(QgsLayoutItemLegend.UpperRight)
    item.attemptMove(QgsLayoutPoint(WIDTH_MM - 3, 3))
    item.adjustBoxSize()


def add_scale_bar(layout: QgsLayout, shown: QgsLayoutItemMap) -> None:
    item = QgsLayoutItemScaleBar(layout)
    item.setLinkedMap(shown)
    item.setStyle("Single Box")
    item.setUnits(QgsUnitTypes.DistanceMeters)
    item.setUnitLabel("m")
    item.setFont(QFont("DejaVu Sans", 8))
    item.setHeight(1.5)
    item.setUnitsPerSegment(5)
    item.setNumberOfSegments(2)
    item.setNumberOfSegmentsLeft(0)
    item.setBackgroundColor(QColor(255, 255, 255, 225))
    item.setBackgroundEnabled(True)
    item.update()
    layout.addLayoutItem(item)
    item.setReferencePoint(QgsLayoutItemScaleBar.LowerRight)
    item.attemptMove(QgsLayoutPoint(WIDTH_MM - 3, HEIGHT_MM - 3))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4]))
