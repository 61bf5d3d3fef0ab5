"""The QGIS of the system, in a process of its own: its Python is another one than ours."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

PYTHON = "/usr/bin/python3"
PROGRAM = Path(__file__).with_name("qgis_program.py")
_PATIENCE_S = 120


needs_qgis = pytest.mark.skipif(
    not Path("/usr/lib/python3/dist-packages/qgis/core").is_dir(),
    reason="QGIS (python3-qgis) is not installed",
)


def look_with_qgis(*maps: Path, **options: object) -> dict[str, Any]:
    """Open GeoPackages as QGIS does, and return what it shows of them.

    Args:
        maps: The files.
        options: Options of `qgis_program.py`; True for a switch.
    """
    done = subprocess.run(
        _command(maps, options), capture_output=True, text=True, timeout=_PATIENCE_S
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@contextmanager
def held_by_qgis(*maps: Path, **options: object) -> Iterator[dict[str, Any]]:
    """Keep GeoPackages open in QGIS while the block runs."""
    command = _command(maps, {"hold": True, **options})
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        yield dict(json.loads(process.stdout.readline()))
        process.stdin.close()
        assert process.wait(_PATIENCE_S) == 0


def _command(maps: Any, options: dict[str, object]) -> list[str]:
    command = [PYTHON, str(PROGRAM), *map(str, maps)]
    for name, value in options.items():
        values = value if isinstance(value, list | tuple) else [] if value is True else [value]
        command += [f"--{name}", *map(str, values)]
    return command
