"""The zip of a run."""

import tempfile
import tracemalloc
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

from app.artifacts.archive import write_archive
from app.artifacts.base import PIECE, ArtifactStore, StoredFile
from tests.app.artifacts.making import publish, stored

RUN = uuid4()


async def test_texts_and_files(store: ArtifactStore, tmp_path: Path):
    video = b"0123456789abcdef" * (PIECE // 4)
    await publish(store, tmp_path, RUN, "a.mp4", video)

    async def entries() -> AsyncIterator[tuple[str, str | StoredFile]]:
        yield "config.yaml", "agent: ü\n" * 1000
        yield "a.mp4", await stored(store, RUN, "a.mp4")

    with tempfile.TemporaryFile() as file:
        await write_archive(file, entries())
        with zipfile.ZipFile(file) as archive:
            assert archive.testzip() is None
            assert archive.namelist() == ["config.yaml", "a.mp4"]
            assert archive.read("config.yaml").decode() == "agent: ü\n" * 1000
            assert archive.getinfo("config.yaml").compress_type == zipfile.ZIP_DEFLATED
            assert archive.read("a.mp4") == video
            assert archive.getinfo("a.mp4").compress_type == zipfile.ZIP_STORED
            assert archive.getinfo("a.mp4").date_time[0] >= 2020


async def test_memory_does_not_grow_with_the_files(store: ArtifactStore, tmp_path: Path):
    await publish(store, tmp_path, RUN, "a.mp4", bytes(24 * PIECE))

    async def entries() -> AsyncIterator[tuple[str, str | StoredFile]]:
        for number in range(3):
            yield f"{number}.mp4", await stored(store, RUN, "a.mp4")

    with tempfile.TemporaryFile() as file:
        tracemalloc.start()
        try:
            await write_archive(file, entries())
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 8 * PIECE
