"""The provider "gravecli" of the Processing toolbox."""

from __future__ import annotations

from pathlib import Path

from gravecli.compare_surveys import CompareSurveys
from gravecli.evaluate_map import EvaluateMap
from gravecli.map_graves import MapGraves
from gravecli.program import SETTING, add_setting
from processing.core.ProcessingConfig import ProcessingConfig
from qgis.core import QgsProcessingProvider
from qgis.PyQt.QtGui import QIcon

_ICON = str(Path(__file__).with_name("icon.svg"))


class GravecliProvider(QgsProcessingProvider):
    """Offers the algorithms, and the path of the program as a setting."""

    def load(self) -> bool:
        """Add the setting and the algorithms."""
        add_setting(self.name(), self.icon())
        ProcessingConfig.readSettings()
        self.refreshAlgorithms()
        return True

    def unload(self) -> None:
        """Remove the setting."""
        ProcessingConfig.removeSetting(SETTING)

    def loadAlgorithms(self) -> None:
        """Add the algorithms."""
        for algorithm in (MapGraves, CompareSurveys, EvaluateMap):
            self.addAlgorithm(algorithm())

    def id(self) -> str:
        """Return the id, as in `gravecli:mapgraves`."""
        return "gravecli"

    def name(self) -> str:
        """Return the name in the toolbox."""
        return "gravecli"

    def icon(self) -> QIcon:
        """Return the icon in the toolbox."""
        return QIcon(_ICON)
