"""Files as HTTP responses: ETags, ranges, and never more than a piece in memory."""

import asyncio
import os
import re
from collections.abc import AsyncIterator
from email.utils import format_datetime
from typing import IO

from fastapi import Response
from fastapi.responses import StreamingResponse
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from app.artifacts.base import PIECE, StoredFile, pieces
from app.errors import RangeNotSatisfiableError

_RANGE = re.compile(r"bytes\s*=\s*(\d{0,18})-(\d{0,18})\s*", re.IGNORECASE)


def file_response(request: Headers, file: StoredFile, media_type: str) -> Response:
    """A stored file, or the part of it that was asked for.

    Raises:
        RangeNotSatisfiableError: the range lies beyond the file.
    """
    modified = format_datetime(file.modified, usegmt=True)
    headers = {"ETag": file.etag, "Last-Modified": modified, "Cache-Control": "private, no-cache"}
    known = {tag.strip().removeprefix("W/") for tag in request.get("if-none-match", "").split(",")}
    if known & {file.etag, "*"}:
        return Response(status_code=304, headers=headers)
    headers["Accept-Ranges"] = "bytes"
    part = None
    if request.get("if-range", file.etag) in (file.etag, modified):
        part = _part(request.get("range", ""), file.size)
    start, end = part or (0, file.size)
    headers["Content-Length"] = str(end - start)
    if part:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{file.size}"
    return StreamingResponse(pieces(file, start, end), 206 if part else 200, headers, media_type)


class Download(StreamingResponse):
    """A file without a name, which is gone when it was sent, or when the client leaves."""

    def __init__(self, file: IO[bytes], *, filename: str, media_type: str) -> None:
        self._file = file
        headers = {
            "Content-Length": str(file.seek(0, os.SEEK_END)),
            "Content-Disposition": f'attachment; filename="{filename}"',
        }
        super().__init__(_content(file), headers=headers, media_type=media_type)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._file:
            await super().__call__(scope, receive, send)


async def _content(file: IO[bytes]) -> AsyncIterator[bytes]:
    file.seek(0)
    while piece := await asyncio.to_thread(file.read, PIECE):
        yield piece


def _part(asked: str, size: int) -> tuple[int, int] | None:
    """Start and end (exclusive) of a range. What is no single range is ignored, as HTTP allows."""
    match = _RANGE.fullmatch(asked)
    if match is None or asked.strip().endswith("=-"):
        return None
    first, last = match.groups()
    if first:
        start, end = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < start:
            return None
    elif last:
        start, end = max(size - int(last), 0), size
    else:
        return None
    if start >= end:
        raise RangeNotSatisfiableError(size)
    return start, end
