"""Settings of a call: a dictionary, a file, a tree, or those that the commands would find."""

from pathlib import Path

import pytest

from grave_cli.api.prepared import resolve
from grave_cli.errors import SettingsError
from grave_cli.settings.tree import Settings


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_dictionary_takes_dotted_keys_and_sections_above_file_and_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path("gravecli.toml").write_text("[training]\nepochs = 7\nseed = 3\n[data]\nguard_m = 2\n")
    monkeypatch.setenv("GRAVE_TRAINING__SEED", "5")
    monkeypatch.setenv("GRAVE_DATA__GUARD_M", "4")
    loaded = resolve({"training": {"seed": 9}, "chips.size_px": 128})
    found = loaded.settings
    assert (found.training.epochs, found.training.seed, found.chips.size_px) == (7, 9, 128)
    assert found.data.guard_m == 4
    assert (loaded.origin("training.seed"), loaded.origin("training.epochs")) == (
        "arguments",
        "gravecli.toml",
    )
    assert resolve({"training.epochs": 8}, {"training.epochs": 2}).settings.training.epochs == 2


def test_a_file_and_a_tree_are_taken() -> None:
    Path("own.toml").write_text("[training]\nepochs = 7\n")
    assert resolve("own.toml").settings.training.epochs == 7
    assert resolve(Path("own.toml")).settings.training.epochs == 7
    tree = Settings(prediction={"decoding": {"min_area_m2": 0.4}})
    loaded = resolve(tree, {"training.epochs": 3, "training.seed": None})
    assert (loaded.settings.training.epochs, loaded.settings.prediction.decoding.min_area_m2) == (
        3,
        0.4,
    )
    assert loaded.origin("prediction.decoding.min_area_m2") == "arguments"
    assert loaded.origin("prediction.decoding.seed_threshold") == "default"


def test_what_a_caller_sets_counts_when_a_run_is_resumed() -> None:
    """Like an option or --set of the command, and unlike a file."""
    Path("own.toml").write_text("[training]\nepochs = 7\n")
    assert resolve({"training": {"epochs": 8}}, {"training.seed": 1}).given() == {
        "training.epochs": 8,
        "training.seed": 1,
    }
    assert resolve(Settings(), {"training.epochs": 8}).given() == {"training.epochs": 8}
    assert resolve("own.toml").given() == {}
    assert resolve("own.toml", {"training.seed": 1}).given() == {"training.seed": 1}


def test_an_argument_is_not_said_to_be_from_the_command_line() -> None:
    with pytest.raises(SettingsError, match=r"output\.language \(from arguments\)"):
        resolve(None, {"output.language": "fr"})


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"training.epoch": 3}, "training.epoch"),
        ({"training": {"epochs": 0}}, "training.epochs"),
        ("none.toml", "config file is missing"),
        ({"work_dir": "file/runs"}, r"work_dir \(arguments\) is not a folder"),
    ],
)
def test_wrong_settings_are_named(given: object, words: str) -> None:
    Path("file").touch()
    with pytest.raises(SettingsError, match=words):
        resolve(given)  # type: ignore[arg-type]
