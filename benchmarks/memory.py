"""Memory and temporary disk of `predict-cemetery` for orthophotos of growing size.

The orthophotos have the pixels of the working grid, so that the computation grows with them. (One
of 2 cm shrinks before the network sees it.) The real command maps each in its own process, with the
default network and random weights. Peak memory is that of this process, also relative to the second
size (100 Mpx). A process inherits the peak memory of its parent, so other processes prepare the
files.

    python benchmarks/memory.py [--quick] [--mpx 25 100]
"""

import argparse
import math
import multiprocessing
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from tools.scenes import random_model, write_scene
from tools.table import print_table

from grave_cli.model.bundle import read_bundle

CLI = "import sys; from grave_cli.cli.app import main; main()"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="1 and 4 Mpx")
    parser.add_argument(
        "--mpx", nargs="+", type=float, default=[25, 100, 400, 900], help="sizes in working Mpx"
    )
    options = parser.parse_args()
    sizes = [1, 4] if options.quick else options.mpx
    with tempfile.TemporaryDirectory() as name:
        model = Path(name, "model")
        elsewhere(random_model, model, "rgb")
        gsd_m = read_bundle(model).card.recipe.gsd_m
        rows = [measure(Path(name), megapixels, gsd_m) for megapixels in sizes]
    base = rows[min(1, len(rows) - 1)][2]
    for row in rows:
        row.append(row[2] / base)  # type: ignore[operator]
    print_table(
        "Memory of predict-cemetery",
        ["working Mpx", "seconds", "peak GB", "temporary bytes/px", "relative to 100 Mpx"],
        rows,
    )


def measure(folder: Path, megapixels: float, gsd_m: float) -> list[object]:
    side = round(math.sqrt(megapixels) * 1000)
    place = folder / f"{megapixels:g}"
    elsewhere(write_scene, place, (side, side), gsd_m)
    orthophoto = place / "orthophotos" / "scene.tif"
    disk = Disk(place / "runs" / "cache")
    start = time.perf_counter()
    peak_gb = run(
        ["predict-cemetery", str(orthophoto), "--model", str(folder / "model"), "--quiet",
         "--set", "prediction.device=cpu", "--set", "prediction.memory_mpx=0",
         "--set", "prediction.tile_px=512"],
        place,
    )  # fmt: skip
    seconds = time.perf_counter() - start
    orthophoto.unlink()
    return [megapixels, seconds, peak_gb, disk.stop() / (side * side)]


def elsewhere(task: Callable[..., object], *arguments: object) -> None:
    """Run a function in its own process, which frees its memory."""
    process = multiprocessing.get_context("spawn").Process(target=task, args=arguments)
    process.start()
    process.join()
    if process.exitcode:
        sys.exit(f"{task.__name__} failed")


def run(arguments: list[str], folder: Path) -> float:
    """Run a command and return its peak memory in GB (Linux and macOS)."""
    pid = os.fork()
    if pid == 0:
        os.chdir(folder)
        os.execv(sys.executable, [sys.executable, "-c", CLI, *arguments])
    _, status, usage = os.wait4(pid, 0)
    if status:
        sys.exit(f"{' '.join(arguments)} failed")
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e9


class Disk:
    """Watches the size of a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._largest = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def stop(self) -> int:
        """Stop, and return the largest size in bytes."""
        self._over.set()
        self._thread.join()
        return self._largest

    def _watch(self) -> None:
        while not self._over.wait(0.05):
            sizes = (os.stat(path).st_size for path in self._folder.rglob("*.npy"))
            try:
                self._largest = max(self._largest, sum(sizes))
            except FileNotFoundError:
                continue


if __name__ == "__main__":
    main()
