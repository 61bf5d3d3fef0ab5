"""What Windows and the GPU of a Mac lack, looked for on any machine."""

import ast
import importlib.util
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from lightning.pytorch.utilities import move_data_to_device
from support import tiny_settings

from grave_cli.settings.load import load_settings
from grave_cli.tracking import addresses

PACKAGE = Path(__file__).resolve().parents[1] / "grave_cli"

# Names of the standard library that Windows lacks.
POSIX_NAMES = {
    "os": (
        *("fork", "forkpty", "wait", "wait3", "wait4", "waitid", "killpg", "setsid", "setpgid"),
        *("getuid", "geteuid", "getgid", "getegid", "setuid", "seteuid", "getpgid", "uname"),
        *("statvfs", "fstatvfs", "mkfifo", "mknod", "nice", "getloadavg", "sched_getaffinity"),
        *("chown", "fchown", "lchown", "fchmod", "chroot", "sync", "pipe2", "sendfile", "openpty"),
        *("posix_fadvise", "posix_fallocate", "register_at_fork", "O_DIRECTORY", "O_NOFOLLOW"),
        *("O_CLOEXEC", "O_NONBLOCK", "set_blocking"),
    ),
    "signal": (
        *("SIGKILL", "SIGHUP", "SIGALRM", "SIGUSR1", "SIGUSR2", "SIGCHLD", "SIGPIPE", "SIGQUIT"),
        *("SIGSTOP", "SIGCONT", "alarm", "setitimer", "pause", "pthread_kill", "pthread_sigmask"),
        *("sigwait", "siginterrupt"),
    ),
    "socket": ("AF_UNIX", "SO_REUSEPORT"),
    "time": ("tzset", "clock_gettime"),
    "select": ("poll", "epoll", "kqueue"),
}

# Imports that gravecli itself makes of modules that Windows lacks fail; those of libraries, which
# know which system they are on, do not.
WITHOUT_POSIX = """
import builtins, importlib, pkgutil
real = builtins.__import__

def without(name, globals=None, *rest, **more):
    ours = str((globals or {}).get("__name__", "")).startswith("grave_cli")
    if ours and name in ("fcntl", "grp", "pwd", "resource", "termios"):
        raise ModuleNotFoundError(f"Windows has no module {name}")
    return real(name, globals, *rest, **more)

builtins.__import__ = without
import grave_cli
for module in pkgutil.walk_packages(grave_cli.__path__, "grave_cli."):
    importlib.import_module(module.name)
print("all imported")
"""


def sources() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path.relative_to(PACKAGE).as_posix(), ast.parse(path.read_text("utf-8"))


def unguarded(tree: ast.AST) -> Iterator[str]:
    """Yield uses of POSIX names outside a function that asks `hasattr` for them."""
    for node in ast.iter_child_nodes(tree):
        is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        guards = ast.unparse(node) if is_function else ""
        for use in unguarded(node):
            module, name = use.split(".")
            if f"hasattr({module}, '{name}')" not in guards:
                yield use
    if isinstance(tree, ast.Attribute):
        module = ast.unparse(tree.value)
        if tree.attr in POSIX_NAMES.get(module, ()):
            yield f"{module}.{tree.attr}"


def test_unguarded_names_are_found() -> None:
    bad = ast.parse("import os\ndef f():\n    os.getuid()\nsignal.SIGKILL\n")
    assert sorted(unguarded(bad)) == ["os.getuid", "signal.SIGKILL"]
    good = ast.parse("def f():\n    if hasattr(os, 'getuid'):\n        os.getuid()\n")
    assert list(unguarded(good)) == []


def test_names_that_windows_lacks_are_used_only_where_they_are() -> None:
    assert [f"{path}: {use}" for path, tree in sources() for use in unguarded(tree)] == []


@pytest.mark.slow
def test_every_module_is_imported_without_the_modules_that_windows_lacks() -> None:
    answer = subprocess.run(
        [sys.executable, "-c", WITHOUT_POSIX], capture_output=True, text=True, check=False
    )
    assert answer.stdout.strip().endswith("all imported"), answer.stderr


def forking(tree: ast.Module) -> Iterator[str]:
    """Yield calls that start a process in the way that is usual on Linux, a fork."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        call, words = ast.unparse(node.func), ast.unparse(node)
        name = call.rpartition(".")[2]
        if name in ("get_context", "set_start_method") and "'spawn'" not in words:
            yield words
        if name in ("Process", "Pool", "Manager") and call.startswith("multiprocessing"):
            yield words
        if name == "ProcessPoolExecutor" and "mp_context" not in words:
            yield words


def test_forks_are_found() -> None:
    bad = "get_context('fork')\nmultiprocessing.Pool(2)\nProcessPoolExecutor(2)\n"
    assert len(list(forking(ast.parse(bad)))) == 3
    good = "get_context('spawn')\nProcessPoolExecutor(2, mp_context=get_context('spawn'))\n"
    assert list(forking(ast.parse(good))) == []


def test_processes_are_spawned_as_windows_and_macos_do() -> None:
    assert [f"{path}: {call}" for path, tree in sources() for call in forking(tree)] == []


class OfWindows(socket.socket):
    """A socket that notes its options instead of setting them."""

    asked: list[int]

    def setsockopt(self, level: int, option: int, *value: object) -> None:  # type: ignore[override]
        self.asked.append(option)


def test_the_probe_of_a_port_on_windows_claims_it_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    exclusive, OfWindows.asked = ~socket.SO_REUSEADDR, []
    monkeypatch.setattr(socket, "SO_EXCLUSIVEADDRUSE", exclusive, raising=False)
    monkeypatch.setattr(socket, "socket", OfWindows)
    spec = importlib.util.spec_from_file_location("fresh_addresses", addresses.__file__)
    assert spec is not None
    assert spec.loader is not None
    fresh = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fresh)
    fresh.free_port(49_152)
    # SO_REUSEADDR there gives a port that another program listens to.
    assert set(OfWindows.asked) == {exclusive}


def test_a_network_that_trains_on_a_mac_is_not_channels_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from grave_cli.learning.task import GraveTask

    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    pixels = torch.rand(2, 4, 8, 8)
    for device, is_channels_last in (("mps", False), ("cpu", True)):
        settings = load_settings(options={"training.device": device}, environ={}).settings
        seen: list[torch.Tensor] = []
        task = GraveTask(torch.nn.Conv2d(4, 3, 3), settings)
        task.network.register_forward_pre_hook(lambda _, given, seen=seen: seen.extend(given))
        task(pixels)
        for tensor in (*seen, task.network.weight):
            assert tensor.is_contiguous(memory_format=torch.channels_last) is is_channels_last


def test_no_batch_holds_float64_which_apple_gpus_lack(sample_data: Path, tmp_path: Path) -> None:
    from grave_cli.dataset.training_data import plan_training, read_training_data
    from grave_cli.learning.datamodule import GraveDataModule
    from grave_cli.rasters.recipe import InputRecipe

    settings = tiny_settings(sample_data, tmp_path / "runs", data__channels="rgb+dem")
    data = read_training_data(plan_training(settings), settings)
    recipe = InputRecipe.from_settings(settings, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    module = GraveDataModule(data.train, data.val, recipe, settings)
    for loader in (module.train_dataloader(), module.val_dataloader()):
        moved = move_data_to_device(next(iter(loader)), torch.device("meta"))
        assert {tensor.dtype for tensor in moved.values()} & {torch.float32}
        assert torch.float64 not in {tensor.dtype for tensor in moved.values()}
