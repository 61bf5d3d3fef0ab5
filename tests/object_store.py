"""A local S3: moto's server, in a process of its own."""

import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from ports import unused_port

BUCKET = "county"


@contextmanager
def object_store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Run an S3 with one bucket, which all libraries take for the one of AWS.

    Yields:
        A client of boto3.
    """
    for name in ("boto3", "moto"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed")
    import boto3
    from botocore.exceptions import BotoCoreError

    port = unused_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "anna")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "pa55word")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    server = subprocess.Popen(command, env={**os.environ}, **quiet)
    try:
        client = boto3.client("s3")
        deadline = time.monotonic() + 120
        while True:
            try:
                place = {"LocationConstraint": "eu-central-1"}
                client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=place)
                break
            except BotoCoreError:
                assert server.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.2)
        yield client
    finally:
        server.terminate()
        server.wait(timeout=60)
