"""A worker process that tells which GPUs it may use; its name is all that a child needs."""

import os
from multiprocessing.connection import Connection


def tell_gpus(_: object, line: Connection) -> None:
    line.send(os.environ.get("CUDA_VISIBLE_DEVICES"))
