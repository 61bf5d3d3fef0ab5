"""Speed of training and prediction on a GPU, relative to the raw loop on the same device.

Processes generate the data, one per core. Reports rates, and their share of the raw loop's:

    prediction  Mpx per second (halo included) of the network on a batch on the device; of the
                engine on tiles in memory, with one batch in flight, one after the other, and with
                probabilities copied and rounded on the CPU; of reading, of the mapping and of the
                whole command
    parity      largest difference of the probabilities to the CPU's, and graves that both find
                (limits: 0.02 in half precision, the same graves)
    training    chips per second with and without workers, and of forward, loss, backward and step
                over one batch that lies on the device

with the largest memory of the device. A part that fails prints its error, and the next one runs.
No part starts after --seconds. --quick tries the script on a CPU, as does a machine without a GPU.

    python benchmarks/gpu.py [--quick] [--device auto] [--seconds 75]
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tools.scenes import write_scene, write_sites
from tools.table import print_table

from grave_cli.mapping.engine import _gpu_is_likely

# torch is imported inside functions: each process that writes a cemetery imports this file.
if TYPE_CHECKING:
    from grave_cli.learning.task import GraveTask
    from grave_cli.mapping.scene import Scene
    from grave_cli.mapping.torch_engine import GpuEngine
    from grave_cli.settings.tree import Settings

CLI = "import sys; from grave_cli.cli.app import main; main()"
LIMITS = {True: 0.02, False: 2e-3}  # of probabilities, by "is half precision"


@dataclass(frozen=True)
class Scale:
    """Sizes: for a GPU, or small ones to try the script on a CPU."""

    sites: int = 8
    size_m: float = 40
    scene: tuple[int, int] = (8192, 8192)  # rows and columns of the orthophoto, pixels of 3 cm
    epoch: int = 64  # steps per epoch; without workers, an eighth
    size_px: int = 256
    batches: tuple[int, ...] = (32, 4)  # chips; 4 is the default, 32 fills a GPU
    epochs: int = 3
    steps: int = 30  # of the raw loops
    workers: int = -1  # as many as suit the machine


QUICK = Scale(3, 20, (700, 900), 8, 64, (4, 2), 2, 2, workers=1)


@dataclass
class Bench:
    """A run: sizes, device, places, and the parts that failed."""

    scale: Scale
    device: Any
    folder: Path
    until: float
    failed: list[str] = field(default_factory=list)
    raw: dict[int, float] = field(default_factory=dict)  # chips per second by batch

    def run(self, part: Callable[..., Any], *given: object) -> Any:
        """Run a part if there is time; print its seconds or its error. None if it failed."""
        name = " ".join(
            [part.__name__.replace("_", " "), *(str(one) for one in given if isinstance(one, int))]
        )
        start = time.perf_counter()
        if start > self.until:
            print(f"[{name}: not measured, no time left]")
            return None
        try:
            return part(self, *given)
        except (Exception, SystemExit):
            self.failed.append(name)
            print(f"\n{name} FAILED\n{traceback.format_exc()[-3000:]}")
            return None
        finally:
            print(f"[{name}: {time.perf_counter() - start:.1f} s]")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes, for a CPU")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    parser.add_argument("--seconds", type=float, default=75, help="start no part after this time")
    given = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    start = time.perf_counter()
    has_gpu = given.device != "cpu" and _gpu_is_likely()
    scale = Scale() if has_gpu and not given.quick else QUICK
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name,
        ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool,
    ):
        folder = Path(name)
        scene = pool.submit(write_scene, folder / "scene", scale.scene, 0.03)
        sites = write_sites(pool, folder / "data", scale.sites, scale.size_m)
        bench = Bench(scale, open_device(given.device), folder, start + given.seconds)
        for batch in scale.batches:
            bench.run(raw_training, batch)
        bench.run(wait_for_data, sites)
        bench.run(prediction, scene)
        bench.run(parity)
        first, *others = scale.batches
        bench.run(training, first, scale.workers)
        bench.run(training, first, 0)
        bench.run(whole_command, scene)
        for batch in others:
            bench.run(training, batch, scale.workers)
    print(f"\n{time.perf_counter() - start:.0f} s in all")
    if bench.failed:
        sys.exit(f"failed: {'; '.join(bench.failed)}")


def open_device(wanted: str) -> str:
    """Choose the device, start it, and print what there is."""
    import torch

    from grave_cli.model.device import choose_device, describe_device, suits_half_precision

    device = choose_device(wanted)
    torch.zeros(1, device=device)
    print(f"{describe_device(device)}, torch {torch.__version__}, CUDA {torch.version.cuda}")
    print(f"{os.cpu_count()} cores, half precision in prediction: {suits_half_precision(device)}")
    return device


def wait_for_data(bench: Bench, sites: Sequence[Future[None]]) -> None:
    for site in sites:
        site.result()


# ------------------------------------------------------------------ prediction


def prediction(bench: Bench, scene_files: "Future[tuple[Path, Path]]") -> None:
    from grave_cli.mapping.read_ahead import reader_count, reading_ahead
    from grave_cli.mapping.scene import open_scene
    from grave_cli.mapping.stream import map_probabilities, plan_scene
    from grave_cli.mapping.torch_engine import GpuEngine
    from grave_cli.model.shipped import starter_model
    from grave_cli.settings.load import load_settings

    bundle = starter_model()
    engine = GpuEngine(bundle, bench.device)
    print(f"engine: {engine.name}")
    scene = open_scene(*scene_files.result(), bundle.card.recipe, 3)
    settings = load_settings(environ={}).settings.prediction
    plan = plan_scene(scene, engine, settings)
    tiling, readers = plan.tiling, reader_count(computes_elsewhere=True)
    begin = time.perf_counter()
    with reading_ahead(scene, plan.sections, readers) as inputs:
        tiles = [found.tile_input(tile) for found in inputs for tile in found.tiles]
    reading = time.perf_counter() - begin
    size, edge_mpx = tiling.batch, tiling.height * tiling.width / 1e6
    batches = [tiles[at : at + size] for at in range(0, len(tiles), size)]
    computed = len(tiles) * edge_mpx
    print(
        f"{scene.grid.megapixels:.1f} working Mpx, {computed:.1f} with halo, {len(tiles)} tiles of"
    )
    print(f"{tiling.height} x {tiling.width} px, batches of {size}, {readers} reading threads")
    rows: list[list[object]] = []

    def add(name: str, seconds: float, megapixels: float = computed) -> None:
        raw = rows[0][1] if rows else megapixels / seconds
        rows.append([name, megapixels / seconds, megapixels / seconds / raw])  # type: ignore[operator]

    for half in sorted({engine.half, False}, reverse=True):
        seconds = raw_network(bench, engine, np.stack(batches[0]), half=half)
        name = "half" if half else "single"
        add(f"network, batch on the device, {name} precision", seconds, len(batches[0]) * edge_mpx)
    reset_memory(bench)
    engine.start(batches[0])()  # page-locked buffers
    add("engine, one batch in flight", timed(lambda: in_flight(engine, batches)))
    add("engine, one after the other", timed(lambda: [engine.start(one)() for one in batches]))
    add("engine, rounded on the CPU", timed(lambda: on_the_cpu(engine, batches)))
    add(f"reading, {readers} threads", reading)
    add("mapping", timed(lambda: map_probabilities(scene, engine, settings, plan=plan)))
    print_table("Prediction", ["part", "Mpx/s with halo", "of the raw loop"], rows)
    print_memory(bench)


def raw_network(bench: Bench, engine: "GpuEngine", stacked: np.ndarray, *, half: bool) -> float:
    """Time the network alone on a batch that lies on the device, per batch."""
    import torch

    from grave_cli.model.device import await_device, memory_layout

    layout = memory_layout(bench.device)
    pixels = torch.from_numpy(stacked).to(bench.device).contiguous(memory_format=layout)
    network = engine._network
    with (
        torch.inference_mode(),
        torch.autocast(bench.device, torch.float16) if half else nullcontext(),
    ):
        for _ in range(2):
            torch.sigmoid(network(pixels))
        await_device(bench.device)
        start = time.perf_counter()
        for _ in range(bench.scale.steps):
            torch.sigmoid(network(pixels))
        await_device(bench.device)
    return (time.perf_counter() - start) / bench.scale.steps


def in_flight(engine: "GpuEngine", batches: list[list[np.ndarray]]) -> None:
    before: Callable[[], Any] = tuple
    for batch in batches:
        after = engine.start(batch)
        before()
        before = after
    before()


def on_the_cpu(engine: "GpuEngine", batches: list[list[np.ndarray]]) -> None:
    from grave_cli.mapping.probability_map import to_levels

    for batch in batches:
        to_levels(engine.probabilities(np.stack(batch)))


def whole_command(bench: Bench, scene_files: "Future[tuple[Path, Path]]") -> None:
    orthophoto, dem = scene_files.result()
    command = [sys.executable, "-c", CLI, "predict-cemetery", str(orthophoto), "--dem", str(dem)]
    command += ["--model", "starter", "--device", bench.device, "--quiet"]
    done: list[Any] = []
    seconds = timed(
        lambda: done.append(
            subprocess.run(command, cwd=bench.folder, capture_output=True, text=True, check=False)
        )
    )
    print(f"predict-cemetery on the scene, imports and start included: {seconds:.1f} s")
    if done[0].returncode:
        raise RuntimeError(done[0].stderr[-2000:])


# ---------------------------------------------------------------------- parity


def parity(bench: Bench) -> None:
    """Compare probabilities and graves of two sites with those of the CPU.

    torch on the CPU has the same weights; those of the starter model's ONNX form are rounded in
    another way, so that its probabilities have no limit here.
    """
    from grave_cli.mapping.onnx_engine import OnnxEngine
    from grave_cli.mapping.torch_engine import GpuEngine, TorchEngine
    from grave_cli.model.shipped import starter_model

    bundle = starter_model()
    engine = GpuEngine(bundle, bench.device)
    references = (TorchEngine(bundle, "cpu"), OnnxEngine(bundle))
    rows: list[list[object]] = []
    ok = True
    for scene in site_scenes(bench, count=2):
        for reference, limit in zip(references, (LIMITS[engine.half], None), strict=True):
            gaps = np.concatenate([*tile_gaps(scene, engine, reference)])
            found = same_graves(scene, engine, reference)
            largest, far = float(gaps.max()), float(np.quantile(gaps, 0.9999))
            ok &= (limit is None or largest <= limit) and found[0] == found[1] == found[2]
            name = f"{scene.orthophoto.name}, {reference.name}"
            rows.append([name, largest, far, "" if limit is None else limit, *found])
    columns = ["site, reference", "largest gap", "99.99 %", "limit", "graves", "here", "in both"]
    print_table(f"Parity of {engine.name}", columns, rows)
    print("parity: PASSED" if ok else "parity: FAILED")
    if not ok:
        bench.failed.append("parity")


def site_scenes(bench: Bench, count: int) -> Iterator["Scene"]:
    from grave_cli.mapping.scene import open_scene
    from grave_cli.model.shipped import starter_model

    for path in sorted((bench.folder / "data" / "orthophotos").glob("*.tif"))[:count]:
        dem = bench.folder / "data" / "dems" / path.name
        yield open_scene(path, dem, starter_model().card.recipe, 3)


def tile_gaps(scene: "Scene", engine: Any, reference: Any) -> Iterator[np.ndarray]:
    """Yield the absolute differences of the probabilities, tile by tile."""
    from grave_cli.mapping.read_ahead import reading_ahead
    from grave_cli.mapping.stream import plan_scene
    from grave_cli.settings.load import load_settings

    plan = plan_scene(scene, reference, load_settings(environ={}).settings.prediction)
    with reading_ahead(scene, plan.sections) as inputs:
        for found in inputs:
            for tile in found.tiles:
                pixels = np.ascontiguousarray(found.tile_input(tile)[None])
                answers = [one.probabilities(pixels) for one in (engine, reference)]
                yield np.abs(answers[0] - answers[1]).ravel()


def same_graves(scene: "Scene", engine: Any, reference: Any) -> tuple[int, int, int]:
    """Count the graves by the reference, by the engine, and those of both (IoU 0.5)."""
    from grave_cli.evaluation.score import score_labels
    from grave_cli.graves.instances import decode, owned_labels
    from grave_cli.mapping.probability_map import to_probabilities
    from grave_cli.mapping.stream import map_probabilities
    from grave_cli.model.shipped import starter_model
    from grave_cli.settings.load import load_settings

    settings, labels = load_settings(environ={}).settings.prediction, []
    for one in (reference, engine):
        levels = map_probabilities(scene, one, settings).read(scene.grid.window)
        found = decode(to_probabilities(levels), scene.grid.gsd_m, starter_model().card.decoding)
        labels.append(found)
    everywhere = np.ones(labels[0].shape, np.bool_)
    owned = owned_labels(labels[0], everywhere), owned_labels(labels[1], everywhere)
    score = score_labels(labels[0], labels[1], owned)
    return score.truths, score.predictions, score.matches


# -------------------------------------------------------------------- training


def options(bench: Bench, batch: int, workers: int = 0, chips: int = 0) -> "Settings":
    from grave_cli.settings.load import load_settings

    chosen = {
        "data.root": bench.folder / "data",
        "data.channels": "rgb+dem",
        "work_dir": bench.folder / "runs",
        "training.device": bench.device,
        "training.epochs": bench.scale.epochs,
        "training.workers": workers,
        "training.patience": 0,
        "training.validate_every": bench.scale.epochs,
        "chips.batch_size": batch,
        "chips.per_epoch": chips,
        "chips.size_px": bench.scale.size_px,
        "tracking.samples": 0,
    }
    return load_settings(options=chosen, environ={}).settings


def raw_training(bench: Bench, batch: int) -> None:
    """Time forward, loss, backward and step over one batch on the device."""
    import torch

    from grave_cli.learning.callbacks import FreezeEncoderNorm
    from grave_cli.learning.task import GraveTask
    from grave_cli.model.architecture import architecture_for
    from grave_cli.model.device import await_device
    from grave_cli.model.network import build_network
    from grave_cli.training.device import training_precision

    settings = options(bench, batch)
    task = GraveTask(build_network(architecture_for(settings, 4)), settings)
    task = task.to(bench.device).train()
    FreezeEncoderNorm().on_train_epoch_start(None, task)  # type: ignore[arg-type]  # as in training
    optimiser = torch.optim.AdamW(task.parameters(), lr=1e-4)
    shape = (batch, 4, settings.chips.size_px, settings.chips.size_px)
    pixels = torch.randn(shape, device=bench.device)
    truth = (torch.randn(batch, 3, *shape[2:], device=bench.device) > 1).float()
    scored = torch.ones(batch, 1, *shape[2:], device=bench.device)
    precision = training_precision(settings)
    number = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}.get(precision)

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast(bench.device, number) if number else nullcontext():
            loss = task.loss(task(pixels), truth, scored)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(task.parameters(), 1.0)
        optimiser.step()

    reset_memory(bench)
    for _ in range(3):
        step()
    await_device(bench.device)
    start = time.perf_counter()
    for _ in range(bench.scale.steps):
        step()
    await_device(bench.device)
    rate = bench.scale.steps * batch / (time.perf_counter() - start)
    bench.raw[batch] = rate
    print(f"raw training loop, {precision}, batches of {batch}: {rate:.0f} chips/s")
    print_memory(bench)


def training(bench: Bench, batch: int, workers: int) -> None:
    """Train a few epochs; the first one, with its warm-up, does not count."""
    from grave_cli.training.trainer import run_training

    chips = bench.scale.epoch * batch // (1 if workers else 8)
    reset_memory(bench)
    watch = watch_of(bench.device)
    settings = options(bench, batch, workers, chips)
    run_training(settings, None, [watch], finish=False)
    rates = sorted(watch.rates[1:])
    rate = rates[len(rates) // 2]
    share = rate / bench.raw[batch] if batch in bench.raw else float("nan")
    epochs = ", ".join(f"{one:.0f}" for one in watch.rates)
    title = f"Training, batches of {batch}, training.workers = {workers}"
    columns = ["chips/s", "of the raw loop", "by epoch", "chips per epoch"]
    print_table(title, columns, [[rate, share, epochs, chips]])
    print_memory(bench)


def watch_of(device: Any) -> Any:
    """Return a callback that measures the chips per second of each epoch, without validation."""
    from lightning.pytorch import Callback

    from grave_cli.model.device import await_device

    class Watch(Callback):
        def __init__(self) -> None:
            self.rates: list[float] = []
            self._start, self._chips = 0.0, 0

        def on_train_epoch_start(self, trainer: Any, task: "GraveTask") -> None:  # type: ignore[override]
            self._start, self._chips = time.perf_counter(), 0

        def on_train_batch_end(  # type: ignore[override]
            self, trainer: Any, task: "GraveTask", outputs: Any, batch: dict[str, Any], index: int
        ) -> None:
            self._chips += len(batch["input"])
            if trainer.is_last_batch:
                await_device(device)
                self.rates.append(self._chips / (time.perf_counter() - self._start))

    return Watch()


# ---------------------------------------------------------------------- shared


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def reset_memory(bench: Bench) -> None:
    import torch

    if bench.device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def print_memory(bench: Bench) -> None:
    import psutil
    import torch

    if bench.device == "cuda":
        used, held = torch.cuda.max_memory_allocated(), torch.cuda.max_memory_reserved()
        print(f"peak memory of the device: {used / 1e9:.2f} GB used, {held / 1e9:.2f} GB held")
    print(f"memory of the process now: {psutil.Process().memory_info().rss / 1e9:.2f} GB")


if __name__ == "__main__":
    main()
