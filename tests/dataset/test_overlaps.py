"""Two cemeteries of one place in different splits are named before a training."""

import shutil
from pathlib import Path

import pytest
from support import Listener, tiny_settings

from grave_cli.dataset.training_data import plan_training
from grave_cli.training.cross_validate import _plan_folds


@pytest.fixture
def doubled(sample_data: Path, tmp_path: Path) -> Path:
    """Three cemeteries, of which one lies there twice."""
    root = Path(shutil.copytree(sample_data, tmp_path / "data"))
    for path in root.glob("*/sample_02.*"):
        shutil.copy(path, path.with_stem("twin"))
    return root


def warnings_of(root: Path, **lists: tuple[str, ...]) -> list[str]:
    listener = Listener()
    changes = {"data__guard_m": 0.0} | {f"data__{key}": names for key, names in lists.items()}
    plan_training(tiny_settings(root, root.parent / "runs", **changes), listener)
    return [warning for warning in listener.notes if "show the same place" in warning]


def test_one_place_in_two_splits_of_a_training_is_named(doubled: Path) -> None:
    (warning,) = warnings_of(doubled, train=("twin",), val=("sample_01",), test=("sample_02",))
    assert warning.startswith("sample_02 and twin show the same place (100% of the smaller")
    assert warning.endswith(
        "; list both in data.train, data.val or data.test, or remove one of them"
    )
    others = {"val": ("sample_01",), "test": ("sample_03",)}
    assert warnings_of(doubled, train=("sample_02", "twin"), **others) == []
    # Each has a strip for validation, which the other one's training covers.
    assert len(warnings_of(doubled, train=("sample_02", "twin"), test=("sample_03",))) == 1


def test_a_cross_validation_names_what_only_a_later_fold_holds_out(doubled: Path) -> None:
    listener = Listener()
    _plan_folds(tiny_settings(doubled, doubled.parent / "runs"), listener)
    said = [warning for warning in listener.notes if "show the same place" in warning]
    assert len(said) == 1
    assert said[0].startswith("sample_02 and twin ")
