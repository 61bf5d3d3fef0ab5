"""Speed of grave extraction: from probabilities to a GeoPackage, for growing numbers of graves.

Rows of eight touching graves, from a map that is never in memory as a whole: first dense (3.5 m²
for each grave), then sparse (100 m² for each). Times are seconds of each stage. The last column is
the time per grave relative to the first row (1: linear growth).

    python benchmarks/polygons.py [--quick]
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tools.scenes import repeated_graves
from tools.table import print_table

from grave_cli.graves.attributes import measure
from grave_cli.mapping.blocks import find_graves
from grave_cli.mapping.extract_graves import extract_graves
from grave_cli.mapping.geopackage import write_geopackage
from grave_cli.mapping.probability_map import ProbabilityMap
from grave_cli.mapping.scene import Scene
from grave_cli.outlines.polygons import to_crs
from grave_cli.outlines.regularise import regularise
from grave_cli.rasters.bands import Bands
from grave_cli.rasters.georeference import Georeference
from grave_cli.rasters.orthophoto import Orthophoto
from grave_cli.rasters.recipe import InputRecipe
from grave_cli.settings.tree import Settings

RECIPE = InputRecipe(channels="rgb", gsd_m=0.05, mean=(0, 0, 0), std=(1, 1, 1), elevation=None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="200 and 1000 graves")
    counts = (200, 1000) if parser.parse_args().quick else (1000, 10_000, 80_000)
    find(repeated_graves(16), 1)  # warm-up: imports
    report("Polygons, dense graves", counts, free_px=20)
    report("Polygons, sparse graves", counts[:2], free_px=360)


def report(title: str, counts: Sequence[int], free_px: int) -> None:
    rows: list[list[object]] = []
    per_grave_s: list[float] = []
    for count in counts:
        row = time_stages(repeated_graves(count, free_px=free_px))
        per_grave_s.append(row[-1] / row[0])
        rows.append([*row, per_grave_s[-1] / per_grave_s[0]])
    columns = ["graves", "Mpx", "1 thread", "all cores", "Mpx/s/core", "regularise", "measure"]
    print_table(title, [*columns, "all, with GeoPackage", "growth"], rows)


def time_stages(probabilities: ProbabilityMap) -> list[float]:
    settings = Settings()
    megapixels = probabilities.grid.height * probabilities.grid.width / 1e6
    found, one_s = find(probabilities, 1)
    _, all_s = find(probabilities, 0)
    start = time.perf_counter()
    outlines = regularise(found.polygons, found.evidence.body, 0.05, settings.outlines, threads=0)
    regular_s = time.perf_counter() - start
    start = time.perf_counter()
    polygons = to_crs(outlines.regular, probabilities.grid.transform)
    measure(polygons, probabilities.grid.crs, probabilities.grid.metres_per_unit)
    measure_s = time.perf_counter() - start
    start = time.perf_counter()
    scene = scene_of(probabilities)
    result = extract_graves(probabilities, scene, settings.prediction.decoding, settings, {})
    with tempfile.TemporaryDirectory() as folder:
        write_geopackage(result, Path(folder, "graves.gpkg"))
    whole_s = time.perf_counter() - start
    count = len(result.polygons)
    return [count, megapixels, one_s, all_s, megapixels / one_s, regular_s, measure_s, whole_s]


def find(probabilities: ProbabilityMap, threads: int) -> tuple:
    start = time.perf_counter()
    scene = scene_of(probabilities)
    found = find_graves(probabilities, scene, Settings().prediction.decoding, threads=threads)
    return found, time.perf_counter() - start


def scene_of(probabilities: ProbabilityMap) -> Scene:
    grid = probabilities.grid
    place = Georeference(grid.crs, grid.transform, grid.width, grid.height)
    orthophoto = Orthophoto(Path("scene.tif"), place, Bands((1, 2, 3)), "uint8", False, ())
    return Scene(orthophoto, None, grid, RECIPE, None)


if __name__ == "__main__":
    main()
