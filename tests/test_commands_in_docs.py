"""The command blocks of README and docs/ run as they stand, or say why not.

Each page runs in a folder with the files that its commands name, made from a sample cemetery. The
environment makes trainings tiny; options of the commands themselves count more.
"""

import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import openpyxl
import pytest
from terminal import gravecli

from grave_cli.sample_data.write import write_sample_data

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(
    r"(?:<!-- not run: ([^\n]+) -->\n)?^```(?:console|sh)\n(.*?)^```", re.MULTILINE | re.DOTALL
)
# Reasons for pages that show no comments: README is short.
NOT_RUN = {
    "make demo": "sets up an environment; takes minutes",
    "python3 -m venv": "installs packages",
    "make setup": "installs packages",
}
TINY = {
    "GRAVE_TRAINING__EPOCHS": "1",
    "GRAVE_TRAINING__DEVICE": "cpu",
    "GRAVE_CHIPS__SIZE_PX": "64",
    "GRAVE_CHIPS__BATCH_SIZE": "4",
    "GRAVE_CHIPS__PER_EPOCH": "8",
    "GRAVE_TRACKING__SAMPLES": "1",
    "GRAVE_PREDICTION__DEVICE": "cpu",
}
EMPTY = ("quick-start.md",)  # makes its data itself


def blocks(page: Path) -> Iterator[tuple[str, str]]:
    """Yield the reason not to run a block, empty for one that runs, and the block."""
    for marked, body in BLOCK.findall(page.read_text("utf-8")):
        listed = (why for start, why in NOT_RUN.items() if body.startswith(start))
        yield marked or next(listed, ""), body


RUNNING = [page for page in PAGES if any(not why for why, _ in blocks(page))]


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that the pages name, from three sample cemeteries; the first is St. Anna."""
    folder = tmp_path_factory.mktemp("docs") / "office"
    write_sample_data(folder / "data", cemeteries=3, size_m=26, seed=3)
    data = folder / "data"
    for kind, ending in (("orthophotos", "tif"), ("dems", "tif"), ("annotations", "gpkg")):
        (data / kind / f"sample_01.{ending}").rename(data / kind / f"st_anna.{ending}")
    photo, dem = data / "orthophotos/st_anna.tif", data / "dems/st_anna.tif"
    project = folder / "st_anna-all"
    copies = {
        "st_anna.tif": photo,
        "st_anna_dsm.tif": dem,
        "orthophoto.tif": photo,
        "st_anna_2026.tif": photo,
        "next/orthophotos/st_anna.tif": photo,
        "next/dems/st_anna.tif": dem,
        "dsm/st_anna.tif": dem,
        "surveyed.gpkg": data / "annotations/st_anna.gpkg",
        f"{project.name}/odm_orthophoto/odm_orthophoto.tif": photo,
        f"{project.name}/odm_dem/dsm.tif": dem,
    }
    for name, source in copies.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, folder / name)
    (folder / "spring.txt").write_text("st_anna.tif\n", "utf-8")
    rows = [["Feld", "Reihe", "Nummer", "Teil", "Linie", "Platz", "Name"]]
    rows += [[1, 1, number, 1, 1, number, f"Nr. {number}"] for number in range(1, 6)]
    text = "\n".join(";".join(map(str, row)) for row in rows)
    (folder / "list.csv").write_text(text, "utf-8")
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)  # type: ignore[union-attr]
    book.save(folder / "list.xlsx")
    for name in ("st_anna", "st_anna_2025", "st_anna_2026"):
        source = "st_anna_2026.tif" if name.endswith("2026") else "st_anna.tif"
        made = gravecli("predict-cemetery", source, "--out", f"{name}.gpkg", cwd=folder)
        assert made.returncode == 0, made.stderr
    return folder


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the command `gravecli` of the checked package."""
    folder = tmp_path_factory.mktemp("bin")
    path = folder / "gravecli"
    code = "from grave_cli.cli.entry import main; main()"
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "{code}" "$@"\n', "utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return folder


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.skipif(os.name == "nt", reason="the blocks are for a POSIX shell")
@pytest.mark.parametrize("page", RUNNING, ids=lambda page: page.name)
def test_the_command_blocks_of_a_page_run(
    page: Path, office: Path, program: Path, tmp_path: Path
) -> None:
    here = tmp_path / "here"
    if page.name in EMPTY:
        here.mkdir()
    else:
        shutil.copytree(office, here)
    if page.name == "correct-and-learn.md":  # nothing is annotated yet
        shutil.rmtree(here / "data")
        shutil.copytree(office / "next", here / "data")
        (here / "st_anna.gpkg").unlink()
    if page.name == "outputs.md":  # its *.tif are orthophotos
        (here / "st_anna_dsm.tif").unlink()
    path = os.pathsep.join((str(program), os.environ["PATH"]))
    paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    environ = {**os.environ, **TINY, "PATH": path, "PYTHONPATH": paths}
    for why, body in blocks(page):
        if not why:
            ran = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", body],
                cwd=here,
                env=environ,
                capture_output=True,
                text=True,
                check=False,
            )
            assert ran.returncode == 0, f"{body}\n{ran.stdout}\n{ran.stderr}"


def test_most_blocks_run_and_the_others_say_why_not() -> None:
    found = [why for page in PAGES for why, _ in blocks(page)]
    assert sum(not why for why in found) > 20
    assert all(len(why) > 9 for why in found if why)
