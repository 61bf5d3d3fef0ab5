"""Mutated files, tried in a process of its own, so that a crash or a hang has a name and a seed.

The worker tries seeds one after the other, of several kinds by turns, and writes a line before and
after each one: `seed`, and `seed fine`, `seed refused` or `seed FAULT text`.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

HANG_S = 120.0
KINDS = {
    "GeoTIFF": "a.tif",
    "GeoTIFF, striped": "striped.tif",
    "VRT": "a.vrt",
    "GeoPackage of pixels": "pixels.gpkg",
    "JPEG 2000": "a.jp2",
    "GeoPackage": "graves.gpkg",
    "GeoJSON": "graves.geojson",
    "Shapefile": "graves.shp",
    "FlatGeobuf": "graves.fgb",
    "GML": "graves.gml",
    "KML": "graves.kml",
    "DXF": "graves.dxf",
    "TOML": "gravecli.toml",
    "list of files": "list.json",
    "COCO": "coco.json",
    "Label Studio": "tasks.json",
    "Pascal VOC": "voc.xml",
    "list of chips": "photos/chips.json",
    "card": "model/model.json",
    "weights": "model/model.safetensors",
    "network": "model/model.onnx",
}
"""Kind of file -> the sound file that is mutated, in the folder that `fuzz` is given."""
_TEXTS = (".vrt", ".geojson", ".gml", ".kml", ".dxf", ".toml", ".json", ".xml")
_ODD = (
    *("-1", "0", "1e308", "nan", "99999999999999999999", "\0", "ä", "\u202e", "[[bold]]", "'"),
    *('"', "<", "{", "}", "]", "null", "true", "..", "/dev/zero", "\n\n", "%s", "\ud800", ""),
)


def mutate(data: bytes, seed: int, is_text: bool) -> bytes:
    """Change a file as a damage or an attacker would; the same seed makes the same change."""
    random = np.random.default_rng(seed)
    changed = bytearray(data)
    for _ in range(int(random.choice([1, 1, 2, 4, 16]))):
        place = int(random.integers(0, max(1, len(changed))))
        if random.random() < 0.5:  # headers decide more than pixels do
            place = int(random.integers(0, max(1, min(len(changed), 1024))))
        length = int(random.choice([1, 2, 4, 8, 64, 1024]))
        how = int(random.integers(0, 7))
        if is_text and random.random() < 0.6:  # else hardly any file could still be parsed
            how = 6
        if how == 0:
            changed[place : place + 1] = bytes([int(random.integers(0, 256))])
        elif how == 1:
            value = int(random.choice([0, 1, 0x7F, 0x80, 0xFF]))
            changed[place : place + length] = bytes([value]) * length
        elif how == 2:
            changed[place : place + length] = random.bytes(length)
        elif how == 3:
            del changed[place : place + length]
        elif how == 4:
            other = int(random.integers(0, max(1, len(changed))))
            changed[place:place] = changed[other : other + length]
        elif how == 5 and random.random() < 0.3:
            del changed[place:]
        else:
            odd = _ODD[int(random.integers(0, len(_ODD)))].encode("utf-8", "surrogatepass")
            if is_text:
                _replace_word(changed, place, odd)
            else:
                changed[place : place + len(odd)] = odd
    return bytes(changed)


def _replace_word(data: bytearray, place: int, word: bytes) -> None:
    """Replace the number or the word around a place of a text."""
    start = end = place
    while start > 0 and chr(data[start - 1]).isalnum():
        start -= 1
    while end < len(data) and (chr(data[end]).isalnum() or data[end : end + 1] in b".-+"):
        end += 1
    data[start:end] = word


@dataclass(frozen=True)
class Fault:
    """A mutation that ended otherwise than with success or one line."""

    kind: str
    seed: int
    what: str


def fuzz(
    kinds: Sequence[str], folder: Path, seeds: range, budget_s: float
) -> tuple[int, list[Fault]]:
    """Try seeds in worker processes until the time is up; seed n is of kind n modulo their number.

    Returns:
        How many were tried, and the faults.
    """
    end, tried, faults = time.monotonic() + budget_s, 0, []
    first = seeds.start
    while first < seeds.stop and time.monotonic() < end:
        last, lines, reason = _run(kinds, folder, first, seeds.stop, end)
        tried += last - first
        faults += [Fault(kinds[seed % len(kinds)], seed, text) for seed, text in lines]
        if reason is not None:
            faults.append(Fault(kinds[last % len(kinds)], last, reason))
            last, tried = last + 1, tried + 1
        first = last
        if reason is None:
            break
    return tried, faults


def _run(
    kinds: Sequence[str], folder: Path, first: int, stop: int, end: float
) -> tuple[int, list[tuple[int, str]], str | None]:
    """Run a worker; return the first seed that it has not finished, faults, and why it died."""
    with tempfile.TemporaryDirectory() as scratch:
        log = Path(scratch) / "log.txt"
        log.touch()
        arguments = ["|".join(kinds), str(folder), str(first), str(stop), str(log), scratch]
        with (Path(scratch) / "err.txt").open("wb") as err:
            process = subprocess.Popen(
                [sys.executable, __file__, *arguments], stdout=err, stderr=err, cwd=scratch
            )
            reason = _watch(process, log, end)
        done, faults = first, []
        for line in log.read_text("utf-8").splitlines():
            seed, _, rest = line.partition(" ")
            if rest:
                done = int(seed) + 1
            if rest.startswith("FAULT"):
                faults.append((int(seed), rest))
        if reason is None and process.returncode:
            said = (Path(scratch) / "err.txt").read_text("utf-8", "replace")[-500:]
            reason = f"died with {process.returncode}: {said}"
        return done, faults, reason


def _watch(process: subprocess.Popen[bytes], log: Path, end: float) -> str | None:
    """Wait for a worker; end it if it is stuck, or when the time is up."""
    size, since = -1, time.monotonic()
    while True:
        try:
            process.wait(timeout=0.2)
            return None
        except subprocess.TimeoutExpired:
            now = time.monotonic()
            if log.stat().st_size != size:
                size, since = log.stat().st_size, now
            stuck = now - since > HANG_S
            if not stuck and now < end:
                continue
            process.kill()
            process.wait()
            process.returncode = 0
            return f"no end after {HANG_S:.0f} s" if stuck else None


def _work(kinds: Sequence[str], folder: Path, seeds: range, log: Path, scratch: Path) -> None:
    from grave_cli.errors import GraveError

    work = Path(shutil.copytree(folder, scratch / "work"))
    os.chdir(work)
    with log.open("a", encoding="utf-8", buffering=1) as said:
        for seed in seeds:
            kind = kinds[seed % len(kinds)]
            sound = folder / _part(kind, seed)
            copy = work / _part(kind, seed)
            copy.write_bytes(mutate(sound.read_bytes(), seed, sound.suffix in _TEXTS))
            said.write(f"{seed}\n")
            try:
                _user(kind)(work / KINDS[kind])
                outcome = "fine"
            except GraveError as error:
                outcome = "refused" if "\n" not in str(error) else f"FAULT lines: {error!r}"
            except BaseException:
                outcome = "FAULT " + " | ".join(traceback.format_exc().splitlines()[-8:])
            said.write(f"{seed} {outcome}\n")
            shutil.copyfile(sound, copy)


def _part(kind: str, seed: int) -> str:
    """Choose the file of a Shapefile that is mutated."""
    if kind != "Shapefile":
        return KINDS[kind]
    return str(Path(KINDS[kind]).with_suffix((".shp", ".shx", ".dbf", ".prj")[seed // 7 % 4]))


def _user(kind: str) -> Callable[[Path], object]:
    """Return the function that uses a kind of file as the commands do."""
    if kind in ("GeoTIFF", "GeoTIFF, striped", "VRT", "GeoPackage of pixels", "JPEG 2000"):
        return _use_raster
    if kind == "TOML":
        from grave_cli.settings.load import load_settings

        return lambda path: load_settings(path, environ={})
    if kind == "list of files":
        from grave_cli.dataset.identity.listing import read_list

        return read_list
    if kind in ("COCO", "Label Studio", "Pascal VOC", "list of chips"):
        return _use_annotations
    if kind in ("card", "network"):
        return _use_model
    if kind == "weights":
        return _use_weights
    return _use_vector


def _use_raster(path: Path) -> None:
    from grave_cli.errors import GraveError
    from grave_cli.rasters.dem import inspect_dem
    from grave_cli.rasters.orthophoto import inspect_orthophoto, orthophoto_grid
    from grave_cli.rasters.orthophoto_pixels import open_orthophoto

    with suppress(GraveError):
        inspect_dem(path)
    orthophoto = inspect_orthophoto(path)
    grid = orthophoto_grid(orthophoto, 0.1, 3)
    from rasterio.windows import Window

    with open_orthophoto(orthophoto) as reader:
        reader.read(grid.crop(Window(0, 0, min(grid.width, 256), min(grid.height, 256))))


def _use_vector(path: Path) -> None:
    from grave_cli.dataset.annotations import read_grave_file
    from grave_cli.rasters.grid import lay_grid
    from grave_cli.settings.inputs import DataSettings

    grid = lay_grid("EPSG:25832", (500_000, 5_400_000, 500_020, 5_400_010), 0.1, path)
    read_grave_file(path, grid, DataSettings())


def _use_annotations(path: Path) -> None:
    from grave_cli.exchange.import_annotations import import_annotations

    if path.name == "chips.json":
        import_annotations(Path("on_chips.json"), path.parent, Path("out"), overwrite=True)
    else:
        import_annotations(path, Path("photos"), Path("out"), overwrite=True)


def _use_model(path: Path) -> None:
    from grave_cli.mapping.engine import open_engine
    from grave_cli.model.bundle import read_bundle
    from grave_cli.settings.load import load_settings

    bundle = read_bundle(path.parent)
    settings = load_settings(options={"prediction.device": "cpu"}, environ={}).settings
    engine = open_engine(bundle, settings.prediction)
    engine.probabilities(np.zeros((1, bundle.card.recipe.channel_count, 64, 64), np.float32))


def _use_weights(path: Path) -> None:
    from grave_cli.mapping.torch_engine import TorchEngine
    from grave_cli.model.bundle import read_bundle

    TorchEngine(read_bundle(path.parent), "cpu")


if __name__ == "__main__":
    kinds, folder, first, last, log, scratch = sys.argv[1:]
    seeds = range(int(first), int(last))
    _work(kinds.split("|"), Path(folder), seeds, Path(log), Path(scratch))
