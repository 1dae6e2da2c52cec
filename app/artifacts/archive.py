"""Zips, written a piece at a time."""

import asyncio
import zipfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import IO

from app.artifacts.base import StoredFile, pieces

Content = str | StoredFile | AsyncIterator[bytes]
"""Text, a finished file, or the pieces of a text that is too long to be held."""


async def write_archive(target: IO[bytes], entries: AsyncIterator[tuple[str, Content]]) -> None:
    """Write a zip of `entries` (name, content). One piece of one entry is in memory at a time."""
    with zipfile.ZipFile(target, "w") as archive:
        async for name, content in entries:
            # Of what comes in pieces, the size is not known before: it may take the longer fields.
            with archive.open(_entry(name, content), "w", force_zip64=isinstance(content, AsyncIterator)) as entry:
                async for piece in _pieces(content):
                    await asyncio.to_thread(entry.write, piece)


def _entry(name: str, content: Content) -> zipfile.ZipInfo:
    if isinstance(content, str | AsyncIterator):
        info = zipfile.ZipInfo(name, datetime.now(UTC).timetuple()[:6])
        info.compress_type = zipfile.ZIP_DEFLATED
    else:  # GIF and MP4 are compressed already.
        info = zipfile.ZipInfo(name, content.modified.timetuple()[:6])
        info.file_size = content.size
    return info


async def _pieces(content: Content) -> AsyncIterator[bytes]:
    if isinstance(content, str):
        yield content.encode()
        return
    async for piece in content if isinstance(content, AsyncIterator) else pieces(content):
        yield piece
