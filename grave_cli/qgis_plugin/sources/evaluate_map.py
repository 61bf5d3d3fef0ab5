"""The algorithm "Evaluate a map": a map and the ground truth in, scores out."""

from __future__ import annotations

from gravecli.algorithm import GravecliAlgorithm
from gravecli.program import run
from gravecli.words import say
from qgis.core import (
    QgsProcessing,
    QgsProcessingOutputHtml,
    QgsProcessingOutputNumber,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterFileDestination,
)

MAP, TRUTH, AREA, REPORT = "MAP", "TRUTH", "AREA", "REPORT"
SCORES = {"f1": "F1", "precision": "PRECISION", "recall": "RECALL", "mean_iou": "MEAN_IOU"}


class EvaluateMap(GravecliAlgorithm):
    """Runs `gravecli evaluate`."""

    def name(self) -> str:
        """Return the id."""
        return "evaluate"

    def displayName(self) -> str:
        """Return the title."""
        return say("Evaluate a map", "Karte bewerten")

    def shortHelpString(self) -> str:
        """Return the help beside the dialog."""
        return say(
            "Matches the graves of a map with ground truth: precision, recall and F1 at an IoU of "
            "0.5, and a page with a map, tables and charts.",
            "Ordnet die Gräber einer Karte den wahren zu: Genauigkeit, Trefferquote und F1 bei "
            "einer IoU von 0,5 und eine Seite mit Karte, Tabellen und Diagrammen.",
        )

    def initAlgorithm(self, configuration=None) -> None:
        """Add the parameters."""
        polygons = [QgsProcessing.TypeVectorPolygon]
        sources = (
            (MAP, say("Map", "Karte"), False),
            (TRUTH, say("Ground truth", "Wahre Gräber"), False),
            (AREA, say("Score only inside", "Nur bewerten innerhalb von"), True),
        )
        for name, title, optional in sources:
            self.addParameter(
                QgsProcessingParameterFeatureSource(name, title, polygons, optional=optional)
            )
        self.add_common()
        self.addParameter(
            QgsProcessingParameterFileDestination(
                REPORT, say("Report page", "Berichtsseite"), "HTML (*.html)"
            )
        )
        for score, output in SCORES.items():
            self.addOutput(QgsProcessingOutputNumber(output, score))
        self.addOutput(QgsProcessingOutputHtml("PAGE", say("Report page", "Berichtsseite")))

    def processAlgorithm(self, parameters, context, feedback) -> dict:
        """Score the map."""
        report = self.output_file(parameters, REPORT, context)
        arguments = ["evaluate"]
        for name, option in ((MAP, "--prediction-layer"), (TRUTH, "--truth-layer")):
            path, layer = self.vector_file(parameters, name, context, feedback)
            arguments += [path, *([option, layer] if layer else [])]
        if parameters.get(AREA):
            arguments += ["--area", self.area_file(parameters, AREA, context, feedback)]
        arguments += ["--report", report, *self.common_arguments(parameters, context)]
        result = run(arguments, self.work_folder(parameters, context, report), feedback)
        if not result:
            return {}
        rates = result["at_50"]
        for score in SCORES:
            shown = "–" if rates[score] is None else f"{rates[score]:.3f}"
            feedback.pushInfo(f"{score}: {shown}")
        scores = {output: rates[score] for score, output in SCORES.items()}
        return {**scores, REPORT: report, "PAGE": report}
