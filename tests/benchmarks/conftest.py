"""The tools of the benchmarks can be imported."""

import sys
from pathlib import Path

# Last, so that a script there hides no module of another name.
sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))
