"""The scripts of docs/scale.md: small runs, and the commands of the page as they stand."""

import os
import re
import subprocess
import sys
from pathlib import Path

import arithmetic
import pytest
import scheduling

ROOT = Path(__file__).resolve().parents[2]
COMMAND = re.compile(r"^python (benchmarks/\w+\.py)(?: *#.*)?$", re.MULTILINE)


def printed(
    main, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *options: str
) -> str:
    monkeypatch.setattr(sys, "argv", ["script", *options])
    main()
    return capsys.readouterr().out


def cells(text: str, start: str) -> list[str]:
    """Return the cells of the first row of a table that begins so."""
    row = next(line for line in text.splitlines() if line.startswith(f"| {start}"))
    return [cell.strip() for cell in row.strip("|").split("|")]


def test_the_arithmetic_prints_costs_times_and_limits(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--counts", "1", "300", "--nodes", "1", "2", "--cores", "4", "--spread", "0"]
    options += ["--median-ha", "1", "--margin", "1", "--working-mpx-s", "2", "--cemetery-s", "0"]
    options += ["--grave-s", "0", "--source-mpx-s", "0", "--start-s", "0", "--driver-s", "1e-6"]
    text = printed(arithmetic.main, monkeypatch, capsys, *options)
    # 1 ha has 6.25 working Mpx, so it takes 12.5 s; 300 of them take 938 s on four cores
    assert cells(text, "core-seconds of the median")[1:] == ["12.5", "12.5"]
    assert cells(text, "core hours ")[1:] == ["0.00347", "1.04"]
    second = text[text.index("300 cemeteries") :]
    assert cells(second, "1 ")[:3] == ["1", "15.6 min", "100%"]
    assert cells(second, "2 ")[:3] == ["2", "7.9 min", "99%"]
    assert "x 4.00" in cells(text, "working pixels half as wide")[1]
    assert "From 300 cores on" in text


def test_the_simulation_prints_each_plan_in_each_case(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = [
        "--cemeteries",
        "60",
        "--nodes",
        "2",
        "--cores",
        "3",
        "--seeds",
        "2",
        "--mtbf-h",
        "1",
    ]
    text = printed(scheduling.main, monkeypatch, capsys, *options)
    for case in ("nothing fails", "a failure in 1 h", "one of", "the driver is lost", "all of it"):
        rows = [line for line in text.splitlines() if line.startswith(f"| {case}")]
        assert [row.split("|")[2].strip() for row in rows] == list(scheduling.plans([], 1, 0.0))


@pytest.mark.slow
def test_the_commands_of_the_page_run() -> None:
    scripts = COMMAND.findall((ROOT / "docs" / "scale.md").read_text("utf-8"))
    assert scripts == ["benchmarks/arithmetic.py", "benchmarks/scheduling.py"]
    paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    for script in scripts:
        ran = subprocess.run(
            [sys.executable, script],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": paths},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        assert "|---" in ran.stdout
