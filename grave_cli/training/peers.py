"""The processes of one training on several devices or machines: which is which, start and end.

Process 0 is the one that the user started on machine 0. It keeps the run, the clock and the
checkpoints. It starts a process for each further device of its machine; so does the process that
the user started on each further machine. Lightning connects them.
"""

import logging
import multiprocessing
import os
import signal
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

import torch

from grave_cli.errors import SettingsError, TrainingError
from grave_cli.interrupts import ctrl_c_blocked, held_back, interrupt_main
from grave_cli.processes import kill_children
from grave_cli.settings.tree import Settings
from grave_cli.training.device import training_device
from grave_cli.wording import counted

if TYPE_CHECKING:
    from lightning.fabric.plugins.environments.cluster_environment import ClusterEnvironment
    from lightning.pytorch.strategies import Strategy

NODE, ADDRESS, PORT = "NODE_RANK", "MASTER_ADDR", "MASTER_PORT"
_SLURM_NODE = "SLURM_NODEID"
_HERE = "127.0.0.1"
_END_S = 60


@dataclass(frozen=True)
class Place:
    """The place of a process among those that train together.

    Args:
        devices: Processes on each machine.
        nodes: Machines.
        node: Number of this machine, from 0.
        device: Number of this process on its machine, from 0.
        address: Address of machine 0.
        port: Its port for this training.
    """

    devices: int = 1
    nodes: int = 1
    node: int = 0
    device: int = 0
    address: str = _HERE
    port: int = 0

    @property
    def count(self) -> int:
        """Number of processes."""
        return self.devices * self.nodes

    @property
    def rank(self) -> int:
        """Number of this process, from 0."""
        return self.node * self.devices + self.device


def find_place(settings: Settings, environ: Mapping[str, str] = os.environ) -> Place:
    """Find the place of the process that the user has started on this machine.

    Args:
        settings: Devices, machines, batch.
        environ: Environment; with several machines it holds their numbers and address.

    Raises:
        ModelError: The device is missing.
        SettingsError: There are fewer devices, they cannot share a batch, or the environment does
            not tell which machine this is.
    """
    training = settings.training
    place = Place(training.devices, training.nodes)
    if place.count == 1:
        return place
    _check_devices(settings, place)
    if settings.chips.batch_size % place.count:
        raise SettingsError(
            "the devices cannot share a batch evenly",
            found=f"chips.batch_size {settings.chips.batch_size}",
            expected=f"a multiple of {place.count}",
        )
    if place.nodes == 1:
        return replace(place, port=_unused_port())
    node, port = environ.get(NODE, environ.get(_SLURM_NODE, "")), environ.get(PORT, "")
    address = environ.get(ADDRESS, "")
    known = node.isdecimal() and int(node) < place.nodes and port.isdecimal() and address
    if not known:
        raise SettingsError(
            "the machines of this training do not know each other",
            found=f"{NODE} {node or 'unset'}, {ADDRESS} {address or 'unset'}, "
            f"{PORT} {port or 'unset'}",
            expected=f"{NODE} from 0 to {place.nodes - 1}, and {ADDRESS} and {PORT} of machine 0",
            remedy="set these variables on each machine, or set training.nodes to 1",
        )
    return replace(place, node=int(node), address=address, port=int(port))


def make_environment(place: Place) -> "ClusterEnvironment":
    """Tell Lightning the place of this process; it starts no processes itself."""
    from lightning.fabric.plugins.environments.lightning import LightningEnvironment

    class Peers(LightningEnvironment):
        """The processes that `with_peers` has started."""

        creates_processes_externally = True
        main_address = place.address
        main_port = place.port

        def world_size(self) -> int:
            return place.count

        def global_rank(self) -> int:
            return place.rank

        def local_rank(self) -> int:
            return place.device

        def node_rank(self) -> int:
            return place.node

    return Peers()


def make_strategy(settings: Settings, place: Place) -> "Strategy | str":
    """Return Lightning's way to train in these processes."""
    if place.count == 1 and settings.training.strategy == "auto":
        return "auto"
    from lightning.pytorch.strategies import DDPStrategy

    backend = "nccl" if training_device(settings) == "cuda" else "gloo"
    place = place if place.port else replace(place, port=_unused_port())
    return DDPStrategy(
        cluster_environment=make_environment(place),
        process_group_backend=backend,
        gradient_as_bucket_view=True,
    )


@contextmanager
def sharing_cores(place: Place) -> Iterator[None]:
    """Let the processes of a machine share its cores while the block runs."""
    before = torch.get_num_threads()
    torch.set_num_threads(max(1, before // place.devices))
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def with_peers(place: Place, follow: Callable[..., None], *what: Any) -> Iterator[None]:
    """Run a function in a process for each further device of this machine during the block.

    If one fails, this process is interrupted, because it would wait for the other for ever; if this
    process ends, so do they.

    Args:
        place: Place of this process; device 0 of its machine starts the others.
        follow: The function; its first argument is the place of its process.
        what: Its other arguments.

    Raises:
        TrainingError: A process failed.
    """
    if place.devices == 1 or place.device > 0:
        yield
        return
    context = multiprocessing.get_context("spawn")
    failures: list[str] = []
    is_over = _Over()
    peers = []
    try:
        for device in range(1, place.devices):
            line, far_end = context.Pipe()
            work = (far_end, follow, replace(place, device=device), *what)
            process = context.Process(target=_main, args=work, name=f"device {device}", daemon=True)
            with held_back():  # Ctrl-C ends only processes that are listed
                with ctrl_c_blocked():
                    process.start()
                peers.append((process, line))
            far_end.close()
            watching = (line, process, failures, is_over)
            threading.Thread(target=_watch, args=watching, daemon=True).start()
        yield
        for process, _ in peers:
            process.join(_END_S)
        is_over.set()
    except BaseException as error:
        is_over.set()
        for process, _ in peers:
            process.join(1)  # its own error comes first, and says more
        if failures:
            raise TrainingError(failures[0]) from error
        raise
    finally:
        is_over.set()
        for process, line in peers:
            if process.is_alive():
                process.kill()
            process.join()
            line.close()


class _Over(threading.Event):
    """Set when the processes may end; nobody is interrupted from then on."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()

    def set(self) -> None:
        with self._lock:
            super().set()

    def interrupt_unless_set(self) -> None:
        with self._lock:
            if not self.is_set():
                interrupt_main()


def _watch(line: Connection, process: Any, failures: list[str], is_over: _Over) -> None:
    """Wait for the end of a process; if it failed, note it and interrupt this one."""
    try:
        failure = line.recv()
    except (EOFError, OSError):
        if is_over.is_set():  # `with_peers` has ended it
            return
        process.join()
        failure = f"the process of {process.name} ended with code {process.exitcode}"
    if failure:
        failures.append(failure)
        is_over.interrupt_unless_set()


def _main(line: Connection, follow: Callable[..., None], place: Place, *what: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches process 0, which ends this one
    threading.Thread(target=_end_with, args=(line,), daemon=True).start()
    logging.disable(logging.WARNING)  # process 0 says the same
    warnings.simplefilter("ignore")
    try:
        follow(place, *what)
    except Exception as error:
        line.send(f"device {place.device}: {str(error) or type(error).__name__}")
        raise SystemExit(1) from None
    line.send("")


def _end_with(line: Connection) -> None:
    """End this process when the one that started it does."""
    try:
        line.poll(None)
    finally:
        kill_children()
        os._exit(1)


def _check_devices(settings: Settings, place: Place) -> None:
    device = training_device(settings)
    present = {"cuda": torch.cuda.device_count(), "mps": 1}.get(device, place.devices)
    if place.devices > present or (device == "mps" and place.count > 1):
        raise SettingsError(
            f"training.devices is {place.devices}",
            found=f"{counted(present, 'device')} of the kind {device}",
            remedy="set a smaller training.devices, or training.device to cpu",
        )


def _unused_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind((_HERE, 0))
        return int(probe.getsockname()[1])
