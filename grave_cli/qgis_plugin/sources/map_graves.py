"""The algorithm "Map graves": an orthophoto in, a styled map out."""

from __future__ import annotations

from pathlib import Path

from gravecli.algorithm import GravecliAlgorithm
from gravecli.program import run
from gravecli.words import say
from qgis.core import (
    QgsProcessing,
    QgsProcessingOutputNumber,
    QgsProcessingOutputVectorLayer,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
)

INPUT, DEM, MODEL, AREA, OUTPUT, REPORT = "INPUT", "DEM", "MODEL", "AREA", "OUTPUT", "REPORT"
GRAVES, COUNT, TO_REVIEW = "GRAVES", "COUNT", "TO_REVIEW"


class MapGraves(GravecliAlgorithm):
    """Runs `gravecli predict-cemetery`."""

    def name(self) -> str:
        """Return the id."""
        return "mapgraves"

    def displayName(self) -> str:
        """Return the title."""
        return say("Map graves", "Gräber kartieren")

    def shortHelpString(self) -> str:
        """Return the help beside the dialog."""
        return say(
            "Maps every grave of an orthophoto: one clean polygon per grave, with field, row, "
            "number, size, confidence and review flags, in a GeoPackage that opens styled.\n\n"
            "Model: starter, a folder, the name of a run, or models:/graves@champion. Without "
            "one, the newest run in the folder of gravecli that fits, or else the starter model.",
            "Kartiert jedes Grab eines Orthofotos: eine saubere Fläche je Grab, mit Feld, Reihe, "
            "Nummer, Größe, Sicherheit und Hinweisen zur Prüfung, in einem GeoPackage mit "
            "Darstellung.\n\n"
            "Modell: starter, ein Ordner, der Name eines Trainings oder "
            "models:/graves@champion. Ohne Angabe das neueste passende Training im Ordner von "
            "gravecli, sonst das Startmodell.",
        )

    def initAlgorithm(self, configuration=None) -> None:
        """Add the parameters."""
        self.addParameter(QgsProcessingParameterRasterLayer(INPUT, say("Orthophoto", "Orthofoto")))
        self.addParameter(
            QgsProcessingParameterRasterLayer(
                DEM, say("DEM (heights)", "Höhenmodell"), optional=True
            )
        )
        self.addParameter(
            QgsProcessingParameterString(MODEL, say("Model", "Modell"), optional=True)
        )
        self.addParameter(
            QgsProcessingParameterFeatureSource(
                AREA,
                say("Map only inside", "Nur kartieren innerhalb von"),
                [QgsProcessing.TypeVectorPolygon],
                optional=True,
            )
        )
        self.add_common()
        self.addParameter(
            QgsProcessingParameterFileDestination(
                OUTPUT, say("Map", "Karte"), "GeoPackage (*.gpkg)"
            )
        )
        self.addParameter(
            QgsProcessingParameterFileDestination(
                REPORT,
                say("Report page", "Berichtsseite"),
                "HTML (*.html)",
                optional=True,
                createByDefault=False,
            )
        )
        self.addOutput(QgsProcessingOutputVectorLayer(GRAVES, say("Graves", "Gräber")))
        self.addOutput(QgsProcessingOutputNumber(COUNT, say("Number of graves", "Zahl der Gräber")))
        self.addOutput(QgsProcessingOutputNumber(TO_REVIEW, say("To review", "Zu prüfen")))

    def processAlgorithm(self, parameters, context, feedback) -> dict:
        """Map the graves."""
        orthophoto = self.raster_file(parameters, INPUT, context)
        out = self.output_file(parameters, OUTPUT, context)
        arguments = ["predict-cemetery", orthophoto, "--out", out, *self.language_arguments()]
        arguments += self.common_arguments(parameters, context)
        if dem := self.raster_file(parameters, DEM, context):
            arguments += ["--dem", dem]
        if model := self.parameterAsString(parameters, MODEL, context).strip():
            arguments += ["--model", model]
        if parameters.get(AREA):
            arguments += ["--aoi", self.area_file(parameters, AREA, context, feedback)]
        report = self.output_file(parameters, REPORT, context)
        if report:
            arguments += ["--report", report]
        result = run(arguments, self.work_folder(parameters, context, out), feedback)
        if not result:
            return {}
        title = f"{Path(orthophoto).stem}: {say('graves', 'Gräber')}"
        found = {
            OUTPUT: out,
            GRAVES: self.show(out, "graves", title, context),
            COUNT: result["graves"],
            TO_REVIEW: result["to_review"],
        }
        return {**found, REPORT: report} if report else found
