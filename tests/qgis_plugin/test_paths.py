"""Paths that reach the plugin relative, as from `qgis_process`; QGIS itself is made up here."""

import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import Mock

import pytest

from grave_cli.qgis_plugin.write_plugin import write_plugin

QGIS = (
    *("qgis", "qgis.core", "qgis.PyQt", "qgis.PyQt.QtGui"),
    *("processing", "processing.core", "processing.core.ProcessingConfig"),
)


@pytest.fixture
def algorithms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module of the plugin, in a QGIS that has a class of every name."""
    for name in QGIS:
        module: Any = ModuleType(name)
        module.__path__ = []
        module.__getattr__ = lambda attribute: type(attribute, (), {})
        monkeypatch.setitem(sys.modules, name, module)
    registry: Any = sys.modules["qgis.core"]
    registry.QgsProviderRegistry = Mock()
    registry.QgsProviderRegistry.instance().decodeUri = lambda kind, source: {"path": source}
    monkeypatch.syspath_prepend(write_plugin(tmp_path / "plugins", Path(sys.executable)).parent)
    yield import_module("gravecli.algorithm")
    for name in [name for name in sys.modules if name.split(".")[0] == "gravecli"]:
        del sys.modules[name]


def test_relative_paths_are_those_of_qgis(
    algorithms: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """gravecli runs in its own folder, where they would name other files."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photo.tif").touch()
    algorithm = algorithms.GravecliAlgorithm()
    algorithm.parameterAsRasterLayer = lambda *_: Mock(source=lambda: "photo.tif")
    algorithm.parameterAsFileOutput = lambda parameters, name, _: parameters.get(name, "")
    algorithm.parameterAsCompatibleSourceLayerPath = lambda *_: "area.gpkg"
    algorithm.parameterAsCompatibleSourceLayerPathAndLayerName = lambda *_: ("map.gpkg", "graves")
    algorithm.parameterAsString = lambda *_: ""
    given = {"INPUT": "photo.tif", "OUTPUT": "maps/new.gpkg"}
    assert algorithm.raster_file(given, "INPUT", None) == str(tmp_path / "photo.tif")
    assert algorithm.vector_file(given, "MAP", None, None) == (str(tmp_path / "map.gpkg"), "graves")
    assert algorithm.area_file(given, "AREA", None, None) == str(tmp_path / "area.gpkg")
    out = algorithm.output_file(given, "OUTPUT", None)
    assert out == str(tmp_path / "maps/new.gpkg")
    assert algorithm.work_folder(given, None, out) == str(tmp_path / "maps")
    assert algorithm.output_file(given, "REPORT", None) == ""
