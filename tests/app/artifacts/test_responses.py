"""Stored files over HTTP."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI, Request, Response
from starlette.requests import ClientDisconnect

from app.artifacts.base import PIECE, ArtifactStore
from app.artifacts.responses import Download, file_response
from app.problems import install
from tests.app.artifacts.making import publish, stored

RUN = uuid4()
CONTENT = bytes(range(256)) * (PIECE // 128) + b"end"
SIZE = len(CONTENT)


@pytest.fixture
async def client(store: ArtifactStore, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    await publish(store, tmp_path, RUN, "a.mp4", CONTENT)
    app = FastAPI()
    install(app)

    @app.get("/file")
    async def get_file(request: Request) -> Response:
        return file_response(request.headers, await stored(store, RUN, "a.mp4"), "video/mp4")

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as connected:
        yield connected


async def test_the_whole_file(client: httpx.AsyncClient):
    response = await client.get("/file")
    assert (response.status_code, response.content) == (200, CONTENT)
    assert response.headers["content-type"] == "video/mp4"
    assert response.headers["content-length"] == str(SIZE)
    assert response.headers["accept-ranges"] == "bytes"
    assert response.headers["cache-control"] == "private, no-cache"
    assert response.headers["last-modified"].endswith("GMT")


async def test_what_is_known_is_not_sent_again(client: httpx.AsyncClient):
    etag = (await client.get("/file")).headers["etag"]
    for known in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        response = await client.get("/file", headers={"If-None-Match": known})
        assert (response.status_code, response.content) == (304, b"")
        assert response.headers["etag"] == etag
        assert "content-length" not in response.headers
    assert (await client.get("/file", headers={"If-None-Match": '"other"'})).status_code == 200
    assert (await client.get("/file", headers={"If-None-Match": etag[:-2]})).status_code == 200


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=5-9", 5, 10),
        ("bytes=0-", 0, SIZE),
        (f"bytes={PIECE - 1}-{PIECE}", PIECE - 1, PIECE + 1),
        (f"bytes={SIZE - 1}-", SIZE - 1, SIZE),
        (f"bytes=7-{SIZE + 100}", 7, SIZE),
        ("bytes=-3", SIZE - 3, SIZE),
        (f"bytes=-{SIZE + 1}", 0, SIZE),
        ("Bytes = 5-9", 5, 10),
    ],
)
async def test_a_range(client: httpx.AsyncClient, asked: str, start: int, end: int):
    response = await client.get("/file", headers={"Range": asked})
    assert response.status_code == 206
    assert response.content == CONTENT[start:end]
    assert response.headers["content-range"] == f"bytes {start}-{end - 1}/{SIZE}"
    assert response.headers["content-length"] == str(end - start)


@pytest.mark.parametrize("asked", [f"bytes={SIZE}-", f"bytes={SIZE + 5}-{SIZE + 9}", "bytes=-0"])
async def test_a_range_beyond_the_file(client: httpx.AsyncClient, asked: str):
    response = await client.get("/file", headers={"Range": asked})
    assert response.status_code == 416
    assert response.headers["content-range"] == f"bytes */{SIZE}"
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["type"].endswith("range-not-satisfiable")


@pytest.mark.parametrize("asked", ["", "bytes=", "bytes=-", "bytes=9-5", "bytes=a-b", "bytes=0-1,5-6", "items=0-1"])
async def test_what_is_no_single_range_is_ignored(client: httpx.AsyncClient, asked: str):
    response = await client.get("/file", headers={"Range": asked})
    assert (response.status_code, response.content) == (200, CONTENT)


async def test_a_range_of_what_the_client_has_only(client: httpx.AsyncClient):
    headers = (await client.get("/file")).headers
    for known, status in ((headers["etag"], 206), (headers["last-modified"], 206), ('"other"', 200)):
        response = await client.get("/file", headers={"Range": "bytes=0-9", "If-Range": known})
        assert response.status_code == status


@pytest.fixture
def file() -> Iterator[IO[bytes]]:
    with tempfile.TemporaryFile() as made:
        made.write(CONTENT)
        yield made


async def test_a_download_is_gone_when_it_was_sent(file: IO[bytes]):
    app = FastAPI()
    app.get("/", response_class=Response)(lambda: Download(file, filename="a.zip", media_type="application/zip"))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        response = await client.get("/")
    assert response.content == CONTENT
    assert response.headers["content-length"] == str(SIZE)
    assert response.headers["content-disposition"] == 'attachment; filename="a.zip"'
    assert file.closed


@pytest.mark.parametrize("version", ["2.3", "2.4"])
async def test_a_download_is_gone_when_the_client_leaves(file: IO[bytes], version: str):
    gone = asyncio.Event()

    async def receive() -> dict[str, str]:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, object]) -> None:
        if message["type"] == "http.response.body":
            gone.set()
            if version == "2.4":
                raise OSError
            await asyncio.Event().wait()

    scope = {"type": "http", "method": "GET", "asgi": {"spec_version": version}}
    with suppress(ClientDisconnect):
        await Download(file, filename="a.zip", media_type="application/zip")(scope, receive, send)  # type: ignore[arg-type]
    assert file.closed
