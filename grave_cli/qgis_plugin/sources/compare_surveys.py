"""The algorithm "Compare surveys": two maps of a cemetery in, their changes out."""

from __future__ import annotations

from gravecli.algorithm import GravecliAlgorithm
from gravecli.program import run
from gravecli.words import say
from qgis.core import (
    QgsProcessing,
    QgsProcessingOutputVectorLayer,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterField,
    QgsProcessingParameterFileDestination,
)

OLD, NEW, ID, OUTPUT = "OLD", "NEW", "ID", "OUTPUT"
GRAVES, CHANGES = "GRAVES", "CHANGES"


class CompareSurveys(GravecliAlgorithm):
    """Runs `gravecli compare`."""

    def name(self) -> str:
        """Return the id."""
        return "comparesurveys"

    def displayName(self) -> str:
        """Return the title."""
        return say("Compare surveys", "Aufnahmen vergleichen")

    def shortHelpString(self) -> str:
        """Return the help beside the dialog."""
        return say(
            "Compares two surveys of a cemetery: removes the shift between the flights, keeps the "
            "ids and columns of the old survey, and shows each grave that is unchanged, moved, "
            "resized, new, gone, split or merged.",
            "Vergleicht zwei Aufnahmen eines Friedhofs: beseitigt den Versatz zwischen den "
            "Flügen, behält Kennungen und Spalten der alten Aufnahme und zeigt jedes Grab, das "
            "unverändert, verschoben, vergrößert oder verkleinert, neu, fort, geteilt oder "
            "zusammengelegt ist.",
        )

    def initAlgorithm(self, configuration=None) -> None:
        """Add the parameters."""
        polygons = [QgsProcessing.TypeVectorPolygon]
        self.addParameter(
            QgsProcessingParameterFeatureSource(OLD, say("Old survey", "Alte Aufnahme"), polygons)
        )
        self.addParameter(
            QgsProcessingParameterFeatureSource(NEW, say("New survey", "Neue Aufnahme"), polygons)
        )
        self.addParameter(
            QgsProcessingParameterField(
                ID,
                say(
                    "Column of the ids (grave_id if empty)",
                    "Spalte der Kennungen (grave_id, wenn leer)",
                ),
                parentLayerParameterName=OLD,
                optional=True,
            )
        )
        self.add_common()
        self.addParameter(
            QgsProcessingParameterFileDestination(
                OUTPUT, say("Comparison", "Vergleich"), "GeoPackage (*.gpkg)"
            )
        )
        self.addOutput(QgsProcessingOutputVectorLayer(GRAVES, say("Graves", "Gräber")))
        self.addOutput(QgsProcessingOutputVectorLayer(CHANGES, say("Changes", "Änderungen")))

    def processAlgorithm(self, parameters, context, feedback) -> dict:
        """Compare the surveys."""
        out = self.output_file(parameters, OUTPUT, context)
        arguments = ["compare"]
        for name, option in ((OLD, "--old-layer"), (NEW, "--new-layer")):
            path, layer = self.vector_file(parameters, name, context, feedback)
            arguments += [path, *([option, layer] if layer else [])]
        if column := self.parameterAsString(parameters, ID, context):
            arguments += ["--id", column]
        arguments += ["--out", out, *self.language_arguments()]
        arguments += self.common_arguments(parameters, context)
        result = run(arguments, self.work_folder(parameters, context, out), feedback)
        if not result:
            return {}
        feedback.pushInfo(result["shift"]["sentence"])
        for kind, count in result["changes"].items():
            feedback.pushInfo(f"{kind}: {count}")
        return {
            OUTPUT: out,
            GRAVES: self.show(out, "graves", say("graves", "Gräber"), context),
            CHANGES: self.show(out, "changes", say("changes", "Änderungen"), context),
        }
