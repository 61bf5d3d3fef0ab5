import subprocess
import sys

import pytest

pytest.importorskip("resource", reason="Windows has no limit of open files")

SCRIPT = """
import resource, sys, tempfile
from grave_cli.dataset.open_files import allow_open_files
from grave_cli.errors import DatasetError
soft, hard = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
try:
    allow_open_files(300)
except DatasetError as error:
    sys.exit(f"refused: {error}")
files = [tempfile.TemporaryFile() for _ in range(300)]
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


def run(soft: int, hard: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", SCRIPT, str(soft), str(hard)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_the_limit_rises_only_if_it_is_too_low() -> None:
    low, high = run(128, 2000), run(1500, 2000)
    assert int(low.stdout) == 300 + 512, low.stderr
    assert int(high.stdout) == 1500, high.stderr


def test_a_system_that_does_not_allow_it_is_named_with_the_number_it_allows() -> None:
    refused = run(128, 500).stderr
    assert "refused: the system's limit of open files is too low" in refused
    assert "500" in refused
    assert "ulimit -n 812" in refused
