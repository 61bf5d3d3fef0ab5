"""A release: its files agree with each other, and its wheel works in an empty environment."""

import json
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.specifiers import SpecifierSet

from grave_cli import __version__

ROOT = Path(__file__).parents[1]
SCRIPTS = "Scripts" if sys.platform == "win32" else "bin"


def project() -> dict[str, Any]:
    return dict(tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"])


def test_the_citation_names_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert citation["version"] == __version__
    assert citation["license"] == project()["license"]
    assert {"cff-version", "message", "title", "authors", "type"} <= set(citation)


def test_the_promised_versions_of_python_are_those_that_are_named() -> None:
    named = [
        line.rpartition(" ")[2]
        for line in project()["classifiers"]
        if re.fullmatch(r"Programming Language :: Python :: 3\.\d+", line)
    ]
    promised = SpecifierSet(project()["requires-python"])
    assert named == [v for v in (f"3.{minor}" for minor in range(20)) if f"{v}.0" in promised]
    image = re.search(r"^FROM python:(3\.\d+)", (ROOT / "Dockerfile").read_text("utf-8"), re.M)
    assert image is not None
    assert image[1] in named


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_another_python_is_refused_before_an_environment_is_made_of_it(tmp_path: Path) -> None:
    """Later calls would go on with the programs of that Python."""
    python = tmp_path / "python4"
    python.write_text('#!/bin/sh\ntest "$1" != -c\n', "utf-8")
    python.chmod(0o755)
    command = ("make", "setup", f"PYTHON={python}", f"VENV={tmp_path / 'venv'}")
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert made.returncode == 2
    versions = [line.rpartition(" ")[2] for line in project()["classifiers"] if ":: 3." in line]
    assert f"gravecli needs Python {versions[0]} to {versions[-1]};" in made.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["python4"]


def test_the_image_is_built_from_files_that_are_there_and_not_ignored() -> None:
    text = (ROOT / "Dockerfile").read_text("utf-8")
    copied = [name for line in re.findall(r"^COPY (.*) \S+$", text, re.M) for name in line.split()]
    ignored = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert copied
    for name in copied:
        assert (ROOT / name).exists()
        assert f"!{name}" in ignored


def test_the_index_of_torch_is_asked_for_nothing_else() -> None:
    """Of other packages it has a few versions alone, which need not be the tested ones."""
    text = (ROOT / "Dockerfile").read_text("utf-8").replace("\\\n", "")
    (install,) = re.findall(r"pip install [^&]*--index-url[^&]*", text)
    assert "--no-deps" in install
    assert install.split()[-2:] == ["torch", "torchvision"]


def test_extras_are_named_after_the_distribution() -> None:
    """The index has another project whose name is too close to gravecli."""
    name = project()["name"]
    assert project()["scripts"] == {"gravecli": "grave_cli.cli.entry:main"}
    for path in [*(ROOT / "grave_cli").rglob("*.py"), *ROOT.glob("*.md"), ROOT / "pyproject.toml"]:
        for found in re.findall(
            r"(\w+)\[(?:postgres|dev|docs|notebook)\]", path.read_text("utf-8")
        ):
            assert found == name, path


def run(*command: object, cwd: Path) -> str:
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, check=False)
    if "No matching distribution found for" in done.stderr:
        pytest.skip("no package index")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def empty_environment(folder: Path) -> Path:
    """Make a virtual environment; return the folder of its programs."""
    run(sys.executable, "-m", "venv", folder, cwd=ROOT)
    return folder / SCRIPTS


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source distribution and the wheel that is built from it."""
    folder = tmp_path_factory.mktemp("dist")
    tools = empty_environment(folder / "tools")
    run(tools / "python", "-m", "pip", "install", "--quiet", "build", cwd=folder)
    run(tools / "python", "-m", "build", "--outdir", folder / "dist", ROOT, cwd=folder)
    return folder / "dist"


@pytest.mark.slow
def test_both_distributions_are_whole(dist: Path) -> None:
    name = f"{project()['name']}-{__version__}"
    with tarfile.open(dist / f"{name}.tar.gz") as archive:
        there = {member.removeprefix(f"{name}/") for member in archive.getnames()}
    wanted = {"Makefile", "constraints.txt", "CITATION.cff", "docs/qgis.md", "tests/conftest.py"}
    assert wanted <= there
    with zipfile.ZipFile(dist / f"{name}-py3-none-any.whl") as archive:
        inside = set(archive.namelist())
    sources = (path for path in (ROOT / "grave_cli").rglob("*") if path.is_file())
    files = {path.relative_to(ROOT).as_posix() for path in sources}
    assert {name for name in files if "__pycache__" not in name} <= inside
    assert not any(name.startswith(("tests", "docs")) for name in inside)


@pytest.fixture
def fresh(dist: Path, tmp_path: Path) -> Iterator[Path]:
    """The programs of an environment with the wheel and what it asks for; several gigabytes."""
    programs = empty_environment(tmp_path / "fresh")
    (wheel,) = dist.glob("*.whl")
    pip = (programs / "python", "-m", "pip", "install", "--quiet")
    run(*pip, "-c", ROOT / "constraints.txt", wheel, cwd=tmp_path)
    yield programs
    shutil.rmtree(tmp_path / "fresh")


@pytest.mark.slow
@pytest.mark.timeout(3600)  # downloads torch
def test_the_wheel_maps_a_sample_cemetery_in_an_empty_environment(
    fresh: Path, tmp_path: Path
) -> None:
    gravecli = fresh / "gravecli"
    assert run(gravecli, "--version", cwd=tmp_path).strip() == f"gravecli {__version__}"
    made = json.loads(
        run(gravecli, "sample-data", "--cemeteries", 1, "--size-m", 16, "--json", cwd=tmp_path)
    )
    (scene,) = made["cemeteries"]
    arguments = [scene["orthophoto"], "--truth", scene["annotations"], "--json"]
    summary = json.loads(run(gravecli, "predict-cemetery", *arguments, cwd=tmp_path))
    assert summary["score"]["at_50"]["f1"] > 0.5
    assert (tmp_path / summary["geopackage"]).is_file()
    run(gravecli, "export", "starter", "--deepness", "graves.onnx", cwd=tmp_path)
    run(gravecli, "qgis-plugin", "--out", "plugin.zip", cwd=tmp_path)
    with zipfile.ZipFile(tmp_path / "plugin.zip") as archive:
        defaults = json.loads(archive.read("gravecli/defaults.json"))
    assert Path(defaults["program"]).samefile(gravecli)
