"""The worker processes of a study: none is left behind."""

import operator
import signal
import subprocess
import sys
from typing import Any

import pytest
from support import interrupted_starts

from grave_cli.tuning import processes


def test_ctrl_c_while_workers_start_ends_those_that_have_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started = interrupted_starts(monkeypatch)
    monkeypatch.setattr(processes, "_main", operator.call)
    await_the_end: Any = operator.methodcaller("poll", None)
    with pytest.raises(KeyboardInterrupt), processes._processes(await_the_end, 2):
        pytest.fail("it went on")
    assert [process.is_alive() for process in started] == [False]


AT_ITS_START = """
def late():
    while signal.SIGINT not in signal.sigpending():
        time.sleep(0.01)
    unblock()

unblock, processes.unblock_ctrl_c = processes.unblock_ctrl_c, late
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
mine.close()
processes._main(None, line)
"""
AT_ITS_END = """
processes.work_alone = lambda assignment: None
processes._main(None, line)
mine.close()
time.sleep(0.5)
"""
WITH_A_FAULT = """
def fail(assignment):
    mine.close()
    raise processes.GraveError("no such study")

processes.work_alone, processes.interrupt_main = fail, lambda: None
processes._main(None, line)
"""


@pytest.mark.skipif(not hasattr(signal, "sigpending"), reason="Windows blocks no signals")
@pytest.mark.parametrize("moment", [AT_ITS_START, AT_ITS_END, WITH_A_FAULT])
def test_a_worker_whose_parent_has_gone_ends_without_a_traceback(moment: str) -> None:
    begin = "import signal, time\nfrom multiprocessing import Pipe\n"
    begin += "from grave_cli.tuning import processes\nmine, line = Pipe()\n"
    ended = subprocess.run(
        [sys.executable, "-c", f"{begin}{moment}\nprint('ended')"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.stdout, ended.stderr) == ("ended\n", "")
