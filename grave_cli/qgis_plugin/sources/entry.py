"""The plugin: it adds gravecli to the Processing toolbox.

These files run in the Python of QGIS 3.22 and later (3.9), not in that of gravecli, and import
nothing of it: they call the installed program.
"""

from __future__ import annotations

from gravecli.provider import GravecliProvider
from qgis.core import QgsApplication


class GravecliPlugin:
    """Adds the provider, and removes it."""

    def __init__(self) -> None:
        self.provider = None

    def initProcessing(self) -> None:
        """Add the provider; `qgis_process` calls this alone."""
        self.provider = GravecliProvider()
        QgsApplication.processingRegistry().addProvider(self.provider)

    def initGui(self) -> None:
        """Add the provider to the toolbox."""
        self.initProcessing()

    def unload(self) -> None:
        """Remove the provider."""
        if self.provider is not None:
            QgsApplication.processingRegistry().removeProvider(self.provider)
            self.provider = None
