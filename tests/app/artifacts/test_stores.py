"""What both stores promise."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from app.artifacts.base import PIECE, ArtifactStore, pieces
from app.artifacts.s3 import S3Store
from app.errors import UnavailableError
from tests.app.artifacts.making import publish, stored

RUN, OTHER = uuid4(), uuid4()


async def test_a_published_file_is_found_as_it_was(store: ArtifactStore, tmp_path: Path):
    assert await store.find(RUN, "run_0_seed_0.gif") is None
    await publish(store, tmp_path, RUN, "run_0_seed_0.gif", b"0123456789")
    found = await stored(store, RUN, "run_0_seed_0.gif")
    assert found.size == 10
    assert found.etag.startswith('"')
    assert found.etag.endswith('"')
    assert abs(datetime.now(UTC) - found.modified) < timedelta(minutes=1)
    assert await found.read(0, 10) == b"0123456789"
    assert await found.read(3, 5) == b"34"
    assert await store.find(RUN, "run_1_seed_1.gif") is None
    assert await store.find(OTHER, "run_0_seed_0.gif") is None


async def test_the_etag_follows_the_content(store: ArtifactStore, tmp_path: Path):
    await publish(store, tmp_path, RUN, "a.gif", b"first")
    first = await stored(store, RUN, "a.gif")
    assert (await stored(store, RUN, "a.gif")).etag == first.etag
    await publish(store, tmp_path, RUN, "a.gif", b"second")
    second = await stored(store, RUN, "a.gif")
    assert second.etag != first.etag
    assert await second.read(0, second.size) == b"second"
    with pytest.raises(FileNotFoundError):  # Never half of one and half of the other.
        await first.read(0, 5)


async def test_a_large_file_comes_in_pieces(store: ArtifactStore, tmp_path: Path):
    content = bytes(range(256)) * (6 * PIECE // 256) + b"and a bit"
    await publish(store, tmp_path, RUN, "a.mp4", content)
    found = await stored(store, RUN, "a.mp4")
    read = [piece async for piece in pieces(found)]
    assert b"".join(read) == content
    assert max(map(len, read)) <= PIECE
    assert (
        b"".join([piece async for piece in pieces(found, PIECE - 1, 2 * PIECE + 2)])
        == content[PIECE - 1 : 2 * PIECE + 2]
    )


async def test_deleting_takes_all_of_one_run(store: ArtifactStore, tmp_path: Path):
    for name in ("a.gif", "b.mp4"):
        await publish(store, tmp_path, RUN, name, b"x")
    await publish(store, tmp_path, OTHER, "a.gif", b"x")
    found = await stored(store, RUN, "a.gif")
    await store.delete(RUN)
    assert await store.find(RUN, "a.gif") is None
    assert await store.find(RUN, "b.mp4") is None
    with pytest.raises(FileNotFoundError):
        await found.read(0, 1)
    await stored(store, OTHER, "a.gif")
    await store.delete(RUN)


async def test_readers_see_the_old_file_or_the_new_one(store: ArtifactStore, tmp_path: Path):
    contents = [bytes([number]) * 200_000 for number in range(8)]
    await publish(store, tmp_path, RUN, "a.gif", contents[0])
    over = asyncio.Event()

    async def look() -> int:
        seen = 0
        while not over.is_set():
            try:
                found = await stored(store, RUN, "a.gif")
                assert await found.read(0, found.size) in contents
                seen += 1
            except FileNotFoundError:
                continue  # Replaced in between.
        return seen

    looking = [asyncio.create_task(look()) for _ in range(3)]
    for content in contents[1:]:
        await publish(store, tmp_path, RUN, "a.gif", content)
        await asyncio.sleep(0.03)
    over.set()
    assert min(await asyncio.gather(*looking)) > 0


async def test_s3_out_of_reach_is_said_without_its_secrets(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    for name, value in {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "the-key-id",
        "AWS_SECRET_ACCESS_KEY": "the-secret",
    }.items():
        monkeypatch.setenv(name, value)
    store = S3Store("s3://nowhere/runs")
    file = tmp_path / "a.gif"
    file.write_bytes(b"x")
    for attempt in (store.find(RUN, "a.gif"), store.publish(RUN, "a.gif", file), store.delete(RUN)):
        with pytest.raises(UnavailableError) as caught:
            await attempt
        assert caught.value.status == 503
    assert file.exists()
    told = capsys.readouterr()
    assert "the-" not in told.out + told.err


async def test_a_bucket_that_does_not_exist(s3: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    store = S3Store("s3://no-such-bucket")
    file = tmp_path / "a.gif"
    file.write_bytes(b"x")
    with pytest.raises((OSError, UnavailableError)):
        await store.publish(RUN, "a.gif", file)
    assert file.exists()
    assert await store.find(RUN, "a.gif") is None


async def test_variables_without_a_value_count_as_not_set(s3_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in ("AWS_SESSION_TOKEN", "AWS_ENDPOINT", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "")
    store = S3Store(s3_url)
    await publish(store, tmp_path, RUN, "a.gif", b"x")
    await stored(store, RUN, "a.gif")
