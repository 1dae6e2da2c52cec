"""Both stores of files: a folder, and an S3 server."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
import stamina

from app.artifacts.base import ArtifactStore
from app.artifacts.local import LocalStore
from app.artifacts.s3 import S3Store
from app.artifacts.staging import Staging

GIVEN = "GYM_LLM_TEST_S3_URL"
"""Names the variable with a place in S3 where tests may write; the `AWS_*` variables say how to get there."""


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """The URL of a bucket: on the server that the environment names, else on one of moto's for this session."""
    if given := os.environ.get(GIVEN):
        yield given.rstrip("/")
        return
    program = shutil.which("moto_server")
    if program is None:
        pytest.skip("neither an S3 server is given nor is moto installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    endpoint = f"http://127.0.0.1:{port}"
    server = subprocess.Popen([program, "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("AWS_ENDPOINT_URL", endpoint)
            environment.setenv("AWS_REGION", "us-east-1")
            environment.setenv("AWS_ACCESS_KEY_ID", "test")
            environment.setenv("AWS_SECRET_ACCESS_KEY", "test")
            _make_bucket(f"{endpoint}/artifacts")
            yield "s3://artifacts"
    finally:
        server.kill()
        server.wait()


def _make_bucket(url: str) -> None:
    for _ in range(300):
        try:
            httpx.put(url).raise_for_status()
            return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError("the S3 server did not start")


@pytest.fixture
def s3_url(s3: str) -> str:
    """An empty place in S3."""
    return f"{s3}/{uuid4()}"


@pytest.fixture(params=["local", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ArtifactStore:
    """An empty store of each kind."""
    if request.param == "local":
        return LocalStore(tmp_path / "runs")
    return S3Store(request.getfixturevalue("s3_url"))


@pytest.fixture
def staging(store: ArtifactStore, tmp_path: Path) -> Staging:
    """Publishes in `store`."""
    return Staging(tmp_path / "runs" / ".staging", store)


@pytest.fixture(autouse=True)
def _quick_retries() -> Iterator[None]:
    with stamina.set_testing(True, attempts=3):
        yield
