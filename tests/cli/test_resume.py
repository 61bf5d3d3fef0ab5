"""A killed `predict-cemetery`, run again, gives the same result as an uninterrupted one."""

import signal
from pathlib import Path

import pytest
from resumable import SECTIONS, arguments, assert_resumed, make_place
from terminal import PROGRAM, start_gravecli

from grave_cli.model.bundle import Bundle

KILLED = """
import os, signal
from grave_cli.mapping.probability_map import SectionFiles

keep, left = SectionFiles.__setitem__, {sections}

def keep_and_die(files, index, levels):
    global left
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    keep(files, index, levels)
    left -= 1

SectionFiles.__setitem__ = keep_and_die
"""


@pytest.fixture(scope="module")
def place(untrained: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_place(tmp_path_factory.mktemp("resume"), untrained)


def kill_after(place: Path, sections: int) -> None:
    """Let a prediction kill itself when it is about to write one more section."""
    program = KILLED.format(sections=sections) + PROGRAM
    process = start_gravecli(*arguments("killed.gpkg"), cwd=place, program=program)
    process.communicate(timeout=250)
    assert process.returncode == -signal.SIGKILL
    assert len(list((place / "runs").glob("cache/predictions/*/section-*.npy"))) == sections


@pytest.mark.parametrize("sections", [1, 4])
def test_a_killed_prediction_is_resumed_with_the_same_result(place: Path, sections: int) -> None:
    kill_after(place, sections)
    said = assert_resumed(place)
    assert f"Resuming: {sections} of {SECTIONS} sections" in said


def test_without_resume_everything_is_computed_again(place: Path) -> None:
    kill_after(place, 2)
    assert "Resuming" not in assert_resumed(place, "--no-resume")
