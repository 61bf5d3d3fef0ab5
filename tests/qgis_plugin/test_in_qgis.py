"""The plugin in QGIS: from the command line (qgis_process), and as the toolbox runs it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
from qgis_process import PYTHON, needs_qgis
from terminal import SETS

from grave_cli.model.bundle import Bundle
from grave_cli.qgis_plugin.write_plugin import write_plugin

PROGRAM = Path(__file__).parents[1] / "qgis_plugin_program.py"
# Debian's starter of qgis_process adds options that it does not know.
QGIS_PROCESS = shutil.which("qgis_process.bin") or shutil.which("qgis_process")
needs_qgis_process = pytest.mark.skipif(
    QGIS_PROCESS is None, reason="qgis_process (package qgis) is not installed"
)
SETTINGS = "\n".join(SETS[1::2])
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def office(sample_data: Path, untrained: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a program, a plugin that calls it, and the home of a QGIS."""
    folder = tmp_path_factory.mktemp("qgis")
    program = folder / "gravecli"
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); "
    code += "from grave_cli.cli.entry import main; main()"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{code}" "$@"\n', "utf-8")
    program.chmod(0o755)
    write_plugin(folder / "plugins", program)
    (folder / "model").symlink_to(untrained.folder)
    return folder


def environment(office: Path, language: str) -> dict[str, str]:
    own = {
        "HOME": str(office),
        "XDG_RUNTIME_DIR": str(office),
        "QGIS_CUSTOM_CONFIG_PATH": str(office / "profile"),
        "QGIS_PLUGINPATH": str(office / "plugins"),
        "QT_QPA_PLATFORM": "offscreen",
        "LC_ALL": "de_DE.UTF-8" if language == "de" else "en_GB.UTF-8",
        "GDAL_DATA": "/nowhere",  # what QGIS sets for its own GDAL on other systems
    }
    return {**os.environ, **own}


def run_jobs(office: Path, *jobs: dict[str, Any], language: str = "en") -> list[dict[str, Any]]:
    done = subprocess.run(
        [PYTHON, str(PROGRAM), str(office / "plugins")],
        input=json.dumps(jobs),
        env=environment(office, language),
        cwd=office,
        capture_output=True,
        text=True,
        timeout=250,
    )
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout.splitlines()[-1]))


def mapping(office: Path, sample_data: Path, name: str, **more: Any) -> dict[str, Any]:
    return {
        "INPUT": str(sample_data / "orthophotos" / "sample_01.tif"),
        "DEM": str(sample_data / "dems" / "sample_01.tif"),
        "MODEL": str(office / "model"),
        "SETTINGS": SETTINGS,
        "OUTPUT": str(office / f"{name}.gpkg"),
        **more,
    }


@needs_qgis
def test_the_toolbox_maps_evaluates_and_compares(office: Path, sample_data: Path) -> None:
    truth = str(sample_data / "annotations" / "sample_01.gpkg")
    graves = f"{office / 'map.gpkg'}|layername=graves"
    starter = {"MODEL": "starter", "SETTINGS": "", "REPORT": str(office / "map.html")}
    jobs = (
        {"algorithm": "mapgraves", "parameters": mapping(office, sample_data, "map", **starter)},
        {
            "algorithm": "evaluate",
            "parameters": {
                "MAP": graves,
                "TRUTH": truth,
                "AREA": f"{office / 'map.gpkg'}|layername=coverage",  # of several layers
                "REPORT": str(office / "score.html"),
            },
        },
        {
            "algorithm": "comparesurveys",
            "parameters": {"OLD": graves, "NEW": truth, "OUTPUT": str(office / "changes.gpkg")},
        },
    )
    mapped, scored, compared = run_jobs(office, *jobs)
    assert mapped["ok"], mapped["said"]
    results = mapped["results"]
    assert results["GRAVES"] == graves
    assert results["COUNT"] > 0
    (name,) = mapped["layers"]
    layer = mapped["layers"][name]
    assert name == "sample_01: graves"
    assert layer["features"] == results["COUNT"]
    assert "needs review" in layer["legend"]
    assert mapped["shares"][-1] == 100
    kinds = {kind for kind, _ in mapped["said"]}
    assert {"command", "info", "task"} <= kinds
    assert ["task", "Mapping sample_01.tif"] in mapped["said"]
    assert any(text.startswith("Model: the starter model") for _, text in mapped["said"])
    assert "<svg" in (office / "map.html").read_text("utf-8")

    assert scored["ok"], scored["said"]
    assert 0 < scored["results"]["F1"] <= 1
    assert Path(scored["results"]["PAGE"]).is_file()

    assert compared["ok"], compared["said"][-3:]
    assert set(compared["layers"]) == {"graves", "changes"}
    assert "unchanged" in compared["layers"]["changes"]["legend"]


@needs_qgis
def test_a_mapping_can_be_cancelled(office: Path, sample_data: Path) -> None:
    parameters = mapping(office, sample_data, "cancelled")
    job = {"algorithm": "mapgraves", "parameters": parameters, "cancel_at": "Model:"}
    (answer,) = run_jobs(office, job)
    assert answer["results"] == {}
    assert answer["layers"] == {}
    assert not (office / "cancelled.gpkg").exists()
    lines = (process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"]))
    assert not any(str(office / "cancelled.gpkg") in line for line in lines)


@needs_qgis
def test_errors_are_shown_in_the_words_of_gravecli(office: Path, sample_data: Path) -> None:
    nobody = mapping(office, sample_data, "nobody", MODEL="nobody")
    lost = mapping(office, sample_data, "lost")
    jobs = [{"algorithm": "mapgraves", "parameters": nobody}]
    jobs += [{"algorithm": "mapgraves", "parameters": lost, "program": ""}]
    blind = mapping(office, sample_data, "blind", DEM="/nowhere/heights.tif")
    (office / "plugins" / "gravecli" / "defaults.json").rename(office / "defaults.json")
    try:
        first, second, third = run_jobs(
            office,
            {**jobs[0], "program": str(office / "gravecli")},
            jobs[1],
            {"algorithm": "mapgraves", "parameters": blind, "program": str(office / "gravecli")},
            language="de",
        )
    finally:
        (office / "defaults.json").rename(office / "plugins" / "gravecli" / "defaults.json")
    assert not first["ok"]
    assert any(
        kind == "error" and text.startswith("nobody: no such model") for kind, text in first["said"]
    )
    assert first["setting"] == str(office / "gravecli")
    assert first["title"] == "Gräber kartieren"
    assert not second["ok"]
    assert "gravecli wurde nicht gefunden" in second["said"][-1][1]
    assert not third["ok"]  # and not a map without heights
    assert "/nowhere/heights.tif" in third["said"][-1][1]


@pytest.mark.slow
@needs_qgis_process
def test_qgis_process_runs_the_plugin_in_german(office: Path, sample_data: Path) -> None:
    def qgis_process(*words: str) -> str:
        done = subprocess.run(
            [str(QGIS_PROCESS), *words],
            env=environment(office, "de"),
            cwd=office,
            capture_output=True,
            text=True,
            timeout=250,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    qgis_process("plugins", "enable", "gravecli")
    listed = qgis_process("list")
    for title in ("Gräber kartieren", "Aufnahmen vergleichen", "Karte bewerten"):
        assert title in listed
    assert "Kartiert jedes Grab" in qgis_process("help", "gravecli:mapgraves")
    given = mapping(office, sample_data, "german")
    words = [f"{name}={value}" for name, value in given.items()]
    said = qgis_process("run", "gravecli:mapgraves", "--", *words)
    assert f"GRAVES:\t{office / 'german.gpkg'}|layername=graves" in said
