"""Start-up time of commands, relative to `python -c pass` in the same run.

The median of several runs, in seconds. "ready to compute" is `predict-cemetery --model PATH` on a
CPU until the first tile could be computed: imports, settings, model.

    python benchmarks/startup.py [--quick]
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tools.scenes import random_model
from tools.table import print_table

from grave_cli.sample_data.write import write_sample_data

CLI = (
    "import sys; from grave_cli.cli.app import main; sys.argv = ['gravecli', *sys.argv[1:]]; main()"
)
NEEDED = (
    "import numpy, rasterio, pyproj, shapely, fiona, scipy.ndimage, scipy.spatial, onnxruntime, "
    "typer, rich.progress, pydantic_settings"
)
READY = """
import sys
from pathlib import Path
import grave_cli.cli.app
from grave_cli.cli import options
from grave_cli.mapping.engine import open_engine
from grave_cli.mapping.predict_cemetery import predict_cemetery
from grave_cli.tracking.models import resolve_model
settings = options.load(None, ["prediction.device=cpu"]).settings
open_engine(resolve_model(sys.argv[1], settings).bundle, settings.prediction)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one run of each")
    runs = 1 if parser.parse_args().quick else 7
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        random_model(folder / "model")
        write_sample_data(folder / "data", cemeteries=2, size_m=20)
        commands = {
            "python -c pass": ["pass"],
            "gravecli --help": [CLI, "--help"],
            "gravecli dataset-id": [CLI, "dataset-id", "data"],
            "gravecli check": [CLI, "check", "data"],
            "importing what prediction needs": [NEEDED],
            "predict-cemetery, ready to compute": [READY, "model"],
        }
        seconds = {key: time_of(command, folder, runs) for key, command in commands.items()}
    base = seconds["python -c pass"]
    rows: list[list[object]] = [[key, took, took / base] for key, took in seconds.items()]
    print_table("Start-up", ["command", "seconds", "relative to python -c pass"], rows)


def time_of(arguments: list[str], folder: Path, runs: int) -> float:
    """Measure the median of several runs, after a warm-up run that fills the disk cache."""
    command = [sys.executable, "-c", *arguments]
    took = []
    for _ in range(runs + 1):
        start = time.perf_counter()
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
        took.append(time.perf_counter() - start)
    return statistics.median(took[1:])


if __name__ == "__main__":
    main()
