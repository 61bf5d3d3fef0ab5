"""Runs algorithms of the plugin in the QGIS of the system, as its toolbox does.

Run by its Python: `qgis_plugin_program.py PLUGINS` reads jobs as JSON from stdin and prints what
came of each: {"algorithm", "parameters", "cancel_at"} -> {"ok", "results", "said", "layers"}.
"""

import json
import os
import sys

os.environ["QT_QPA_PLATFORM"] = "offscreen"

from qgis.core import (
    QgsApplication,
    QgsProcessingAlgRunnerTask,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProject,
    QgsSettings,
)
from qgis.PyQt.QtCore import QEventLoop


class Feedback(QgsProcessingFeedback):
    """Remembers what it was told, and cancels at a word."""

    def __init__(self, cancel_at: str) -> None:
        super().__init__(False)
        self.said: list = []
        self.shares: list = []
        self.cancel_at = cancel_at
        self.progressChanged.connect(self.shares.append)

    def pushInfo(self, info: str) -> None:
        self._hear("info", info)

    def pushWarning(self, warning: str) -> None:
        self._hear("warning", warning)

    def setProgressText(self, text: str) -> None:
        self._hear("task", text)

    def reportError(self, error: str, fatalError: bool = False) -> None:
        self._hear("error", error)
        sys.stderr.write(f"{error}\n")

    def pushCommandInfo(self, info: str) -> None:
        self._hear("command", info)

    def _hear(self, kind: str, text: str) -> None:
        self.said.append([kind, text])
        if self.cancel_at and self.cancel_at in text:
            self.cancel()


def main() -> None:
    application = QgsApplication([], False)
    application.initQgis()
    sys.path[:0] = [sys.argv[1], "/usr/share/qgis/python/plugins"]
    from processing.core.Processing import Processing
    from processing.core.ProcessingConfig import ProcessingConfig
    from processing.gui.Postprocessing import handleAlgorithmResults

    Processing.initialize()
    from gravecli.provider import GravecliProvider

    provider = GravecliProvider()
    QgsApplication.processingRegistry().addProvider(provider)
    answers = []
    for job in json.load(sys.stdin):
        if "program" in job:
            ProcessingConfig.setSettingValue("GRAVECLI_PROGRAM", job["program"])
        name = f"gravecli:{job['algorithm']}"
        algorithm = QgsApplication.processingRegistry().createAlgorithmById(name)
        project = QgsProject()
        context = QgsProcessingContext()
        context.setProject(project)
        feedback = Feedback(job.get("cancel_at", ""))
        ok, results = in_background(algorithm, job["parameters"], context, feedback)
        if ok:
            handleAlgorithmResults(algorithm, context, feedback, False, job["parameters"])
        answers.append(
            {
                "ok": ok,
                "results": results,
                "said": feedback.said,
                "shares": feedback.shares,
                "layers": {layer.name(): look(layer) for layer in project.mapLayers().values()},
                "title": algorithm.displayName(),
                "setting": QgsSettings().value("Processing/Configuration/GRAVECLI_PROGRAM"),
            }
        )
    sys.stdout.write(json.dumps(answers) + "\n")
    sys.stdout.flush()
    os._exit(0)  # QGIS crashes when Python takes it down


def in_background(algorithm, parameters, context, feedback) -> tuple:
    """Run an algorithm in a thread of its own, as the dialog does."""
    task = QgsProcessingAlgRunnerTask(algorithm, parameters, context, feedback)
    loop, ended = QEventLoop(), []
    task.executed.connect(lambda ok, results: (ended.append((ok, results)), loop.quit()))
    QgsApplication.taskManager().addTask(task)
    loop.exec_()
    return ended[0]


def look(layer) -> dict:
    renderer = layer.renderer()
    rules = renderer.rootRule().children() if renderer.type() == "RuleRenderer" else []
    return {
        "valid": layer.isValid(),
        "features": layer.featureCount(),
        "legend": [rule.label() for rule in rules],
        "source": layer.source(),
    }


if __name__ == "__main__":
    main()
