"""Draw the picture of the README: a sample cemetery, mapped by the starter model, as QGIS shows it.

usage: .venv/bin/python benchmarks/readme_picture.py [PICTURE.jpg]

Needs QGIS (Debian: python3-qgis), whose Python draws the map: benchmarks/tools/qgis_picture.py.
"""

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
GRAVECLI = "from grave_cli.cli.app import main; main()"
SYSTEM_PYTHON = "/usr/bin/python3"
SCALE = 180
MOST_BYTES = 300_000


def main(picture: Path) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        gravecli(
            "sample-data", "data", "--cemeteries", "1", "--size-m", "50", "--seed", "4", cwd=folder
        )
        orthophoto = folder / "data" / "orthophotos" / "sample_01.tif"
        gravecli("predict-cemetery", str(orthophoto), "--model", "starter", cwd=folder)
        drawn = folder / "map.png"
        program = ROOT / "benchmarks" / "tools" / "qgis_picture.py"
        arguments = [folder / "sample_01.gpkg", orthophoto, drawn, SCALE]
        subprocess.run([SYSTEM_PYTHON, program, *map(str, arguments)], check=True)
        save_small(Image.open(drawn).convert("RGB"), picture)


def gravecli(*arguments: str, cwd: Path) -> None:
    subprocess.run([sys.executable, "-c", GRAVECLI, *arguments], cwd=cwd, check=True)


def save_small(image: Image.Image, picture: Path) -> None:
    """Save a JPEG of the best quality that is small enough for a README."""
    for quality in range(90, 40, -4):
        image.save(picture, quality=quality, optimize=True, progressive=True)
        if picture.stat().st_size <= MOST_BYTES:
            return


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "images" / "qgis-map.jpg")
