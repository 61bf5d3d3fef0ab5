"""What the algorithms share: files of layers, the folder of gravecli, styled results."""

from __future__ import annotations

import os
from pathlib import Path

from gravecli.words import language, say
from qgis.core import (
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingLayerPostProcessorInterface,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterFile,
    QgsProcessingParameterString,
    QgsProviderRegistry,
    QgsRasterLayer,
)
from qgis.PyQt.QtGui import QIcon

FOLDER, SETTINGS, OVERWRITE = "FOLDER", "SETTINGS", "OVERWRITE"
_VECTORS = ["gpkg", "geojson", "shp", "fgb"]


class _Styler(QgsProcessingLayerPostProcessorInterface):
    """Gives a layer the style that lies in its GeoPackage."""

    def postProcessLayer(self, layer, context, feedback) -> None:
        """Load the style."""
        layer.loadDefaultStyle()
        layer.triggerRepaint()


_stylers = []  # QGIS deletes a styler with its context, and Python must not do so before


class GravecliAlgorithm(QgsProcessingAlgorithm):
    """Base of the algorithms."""

    def createInstance(self):
        """Return a new algorithm of this kind."""
        return type(self)()

    def icon(self) -> QIcon:
        """Return the icon in the toolbox."""
        return QIcon(str(Path(__file__).with_name("icon.svg")))

    def add_common(self) -> None:
        """Add the parameters that all algorithms share."""
        self.addParameter(
            QgsProcessingParameterFile(
                FOLDER,
                say(
                    "Folder of gravecli (its runs/ and gravecli.toml count)",
                    "Ordner von gravecli (dessen runs/ und gravecli.toml gelten)",
                ),
                behavior=QgsProcessingParameterFile.Folder,
                optional=True,
            )
        )
        self.add_advanced(
            QgsProcessingParameterString(
                SETTINGS,
                say(
                    "Settings, one a line: key=value",
                    "Einstellungen, eine je Zeile: Schlüssel=Wert",
                ),
                multiLine=True,
                optional=True,
            )
        )
        self.add_advanced(
            QgsProcessingParameterBoolean(
                OVERWRITE,
                say(
                    "Also replace files that were changed since gravecli wrote them",
                    "Auch Dateien ersetzen, die geändert wurden, seit gravecli sie schrieb",
                ),
                defaultValue=False,
            )
        )

    def add_advanced(self, parameter: QgsProcessingParameterDefinition) -> None:
        """Add a parameter below "Advanced Parameters"."""
        flags = parameter.flags() | QgsProcessingParameterDefinition.FlagAdvanced
        parameter.setFlags(flags)
        self.addParameter(parameter)

    def common_arguments(self, parameters: dict, context) -> list[str]:
        """Return the arguments of the shared parameters."""
        text = self.parameterAsString(parameters, SETTINGS, context)
        lines = [line.strip() for line in text.splitlines()]
        arguments = [word for line in lines if line for word in ("--set", line)]
        if self.parameterAsBool(parameters, OVERWRITE, context):
            arguments.append("--overwrite")
        return arguments

    def language_arguments(self) -> list[str]:
        """Return the language of legends and titles: that of QGIS."""
        return ["--lang", language()]

    def work_folder(self, parameters: dict, context, result: str) -> str:
        """Return the folder of gravecli: the one that was named, or that of the result."""
        named = self.parameterAsString(parameters, FOLDER, context)
        folder = named or os.path.dirname(result)
        os.makedirs(folder, exist_ok=True)
        return folder

    def raster_file(self, parameters: dict, name: str, context) -> str:
        """Return the file of a raster parameter; empty for an optional one that is not given.

        Raises:
            QgsProcessingException: It cannot be read, or is not a file on this machine.
        """
        layer = self.parameterAsRasterLayer(parameters, name, context)
        if layer is None:
            if parameters.get(name):
                raise QgsProcessingException(self.invalidRasterError(parameters, name))
            return ""
        return self._file_of(layer)

    def _file_of(self, layer: QgsRasterLayer) -> str:
        source = layer.source()
        path = QgsProviderRegistry.instance().decodeUri("gdal", source).get("path") or source
        if not os.path.isfile(path):
            raise QgsProcessingException(
                say(
                    f"{layer.name()} is not a file on this machine: {source}",
                    f"{layer.name()} ist keine Datei auf diesem Rechner: {source}",
                )
            )
        return os.path.abspath(path)  # gravecli runs in another folder than QGIS

    def vector_file(self, parameters: dict, name: str, context, feedback) -> tuple[str, str]:
        """Return file and layer of a vector parameter.

        Selected features alone, and layers of databases, are written to a temporary file.
        """
        path, layer = self.parameterAsCompatibleSourceLayerPathAndLayerName(
            parameters, name, context, _VECTORS, "gpkg", feedback
        )
        return os.path.abspath(path), layer

    def area_file(self, parameters: dict, name: str, context, feedback) -> str:
        """Return a file with the features of a vector parameter alone.

        A layer of a file with several is written to a temporary one.
        """
        path = self.parameterAsCompatibleSourceLayerPath(
            parameters, name, context, _VECTORS, "gpkg", feedback
        )
        return os.path.abspath(path)

    def output_file(self, parameters: dict, name: str, context) -> str:
        """Return the file to write; empty for an optional one that is not wanted."""
        path = self.parameterAsFileOutput(parameters, name, context)
        return os.path.abspath(path) if path else ""

    def show(self, path: str, layer: str, title: str, context: QgsProcessingContext) -> str:
        """Have a layer of a GeoPackage loaded in its own style, and return its source."""
        source = f"{path}|layername={layer}"
        if context.project() is not None:
            details = QgsProcessingContext.LayerDetails(title, context.project(), layer)
            _stylers.append(_Styler())
            details.setPostProcessor(_stylers[-1])
            context.addLayerToLoadOnCompletion(source, details)
        return source
