"""What `import grave_cli` offers, and that nothing heavy comes with it."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import grave_cli
from grave_cli.cli.app import app

HEAVY = ("torch", "lightning", "mlflow", "optuna", "rasterio", "pandas", "numpy", "pydantic")


def test_every_public_name_is_there_and_no_other() -> None:
    for name in grave_cli.__all__:
        assert getattr(grave_cli, name).__name__ == name
    assert sorted(grave_cli.__all__) == sorted(set(dir(grave_cli)) - {"__version__"})
    with pytest.raises(AttributeError, match="no attribute 'tarin'"):
        grave_cli.tarin  # noqa: B018


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse(Path(grave_cli.__file__).read_text("utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    names = [alias.name for node in block.body for alias in node.names]  # type: ignore[attr-defined]
    assert sorted(names) == sorted(grave_cli.__all__)
    assert (Path(grave_cli.__file__).parent / "py.typed").is_file()


def test_functions_are_named_like_commands() -> None:
    commands = {str(one.name).replace("-", "_") for one in app.registered_commands}
    functions = {name for name in grave_cli.__all__ if name.islower()}
    assert functions - commands == {"read_graves", "write_sample_data"}  # of no command's name


def test_importing_the_package_loads_nothing_heavy() -> None:
    program = f"import sys, grave_cli; print(sorted({set(HEAVY)!r} & set(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert answer.stdout.strip() == "[]", answer.stderr
