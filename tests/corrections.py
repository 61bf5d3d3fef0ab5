"""Corrections of a map's graves as an office makes them: by QGIS, or by SQL where there is none.

Corrections are those of `qgis_corrections.py`: `delete`, `review`, `move`, `reshape`, `draw`.
"""

import json
import os
import sqlite3
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import shapely
from qgis_process import PYTHON

Corrections = dict[str, Any]
_QGIS = Path(__file__).with_name("qgis_corrections.py")
_ENVELOPE_BYTES = (0, 32, 48, 48, 64)


def correct_with_qgis(path: Path, corrections: Corrections, *options: str) -> None:
    """Correct a map; with `--crash`, QGIS is killed while the edits are in its log alone."""
    command = _qgis_command(path, corrections, *options)
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.stdout == "saved\n", done.stderr
    assert (done.returncode != 0) == ("--crash" in options)


@contextmanager
def corrected_in_open_qgis(path: Path, corrections: Corrections) -> Iterator[None]:
    """Correct a map, and keep it open in QGIS while the block runs."""
    command = _qgis_command(path, corrections, "--hold")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == b"saved\n"
        yield
        process.stdin.close()
        assert process.wait(120) == 0


def correct_with_sql(path: Path, corrections: Corrections, *options: str) -> None:
    """Correct a map in a process that ends like a crash: the edits stay in SQLite's log."""
    command = [sys.executable, __file__, str(path), json.dumps(corrections), *options]
    assert subprocess.run(command, timeout=60).returncode == 0


def _qgis_command(path: Path, corrections: Corrections, *options: str) -> list[str]:
    listed = path.parent.parent / f"{path.stem}-corrections.json"
    listed.write_text(json.dumps(corrections), "utf-8")
    return [PYTHON, str(_QGIS), str(path), str(listed), *options]


def _shape(blob: bytes) -> shapely.Geometry:
    return shapely.from_wkb(blob[8 + _ENVELOPE_BYTES[blob[3] >> 1 & 7] :])


def _blob(shape: shapely.Geometry, srs_id: int) -> bytes:
    """Write a geometry as GeoPackage does, without an envelope."""
    return b"GP\0\1" + struct.pack("<i", srs_id) + shapely.to_wkb(shape, byte_order=1)


def _edit(path: Path, corrections: Corrections) -> sqlite3.Connection:
    database = sqlite3.connect(path)
    database.execute("PRAGMA journal_mode = wal")
    database.execute("PRAGMA wal_autocheckpoint = 0")
    database.create_function("ST_IsEmpty", 1, lambda blob: _shape(blob).is_empty)
    for index, name in enumerate(("ST_MinX", "ST_MinY", "ST_MaxX", "ST_MaxY")):
        database.create_function(name, 1, lambda blob, index=index: _shape(blob).bounds[index])
    found = dict(database.execute("SELECT grave_id, geom FROM graves"))
    srs_id = struct.unpack("<i", next(iter(found.values()))[4:8])[0]
    shapes = {
        name: shapely.affinity.translate(_shape(found[name]), *shift)
        for name, shift in corrections.get("move", {}).items()
    }
    shapes |= {
        name: shapely.from_wkt(text) for name, text in corrections.get("reshape", {}).items()
    }
    database.execute("ALTER TABLE graves ADD COLUMN reviewed BOOLEAN")
    for name, shape in shapes.items():
        query = "UPDATE graves SET geom = ? WHERE grave_id = ?"
        database.execute(query, (_blob(shape, srs_id), name))
    for name in corrections.get("review", ()):
        database.execute("UPDATE graves SET reviewed = 1 WHERE grave_id = ?", (name,))
    for name in corrections.get("delete", ()):
        database.execute("DELETE FROM graves WHERE grave_id = ?", (name,))
    for text in corrections.get("draw", ()):
        blob = _blob(shapely.from_wkt(text), srs_id)
        database.execute("INSERT INTO graves (geom) VALUES (?)", (blob,))
    database.commit()
    return database


if __name__ == "__main__":
    still_open = _edit(Path(sys.argv[1]), json.loads(sys.argv[2]))
    os._exit(0)  # closing would put the edits into the file
