"""A run as the folder that `run_experiment` writes, in one zip."""

import asyncio
import zipfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import IO

from app.artifacts.base import StoredFile, pieces


async def write_archive(target: IO[bytes], entries: AsyncIterator[tuple[str, str | StoredFile]]) -> None:
    """Write a zip of `entries` (name, text or file). One piece of one entry is in memory at a time."""
    with zipfile.ZipFile(target, "w") as archive:
        async for name, content in entries:
            with archive.open(_entry(name, content), "w") as entry:
                async for piece in _pieces(content):
                    await asyncio.to_thread(entry.write, piece)


def _entry(name: str, content: str | StoredFile) -> zipfile.ZipInfo:
    if isinstance(content, str):
        info = zipfile.ZipInfo(name, datetime.now(UTC).timetuple()[:6])
        info.compress_type = zipfile.ZIP_DEFLATED
    else:  # GIF and MP4 are compressed already.
        info = zipfile.ZipInfo(name, content.modified.timetuple()[:6])
        info.file_size = content.size
    return info


async def _pieces(content: str | StoredFile) -> AsyncIterator[bytes]:
    if isinstance(content, str):
        yield content.encode()
        return
    async for piece in pieces(content):
        yield piece
