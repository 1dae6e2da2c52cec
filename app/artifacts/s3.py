"""Files of runs in S3, or whatever speaks its protocol. Needs the extra `s3`."""

import asyncio
import mimetypes
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import obstore
import structlog
from obstore.exceptions import BaseError, PreconditionError

from app.errors import UnavailableError

log = structlog.get_logger()

_CODE = re.compile(r"<Code>(\w+)</Code>")
UPLOADS = 8
"""Files on their way up at the same time, of one process: each has a few MB of itself in memory."""


class S3Store:
    """Objects named `<prefix>/<run id>/<name>`.

    Credentials, region and endpoint come from the `AWS_*` variables, as obstore reads them.
    """

    def __init__(self, url: str) -> None:
        """
        Args:
            url: `s3://bucket/prefix`; the bucket must exist.
        """
        for name in [name for name, value in os.environ.items() if name.startswith("AWS_") and not value]:
            del os.environ[name]  # As in a compose file that passes on what is not set: obstore takes it for a value.
        self._store = obstore.store.S3Store.from_url(
            url,
            # An endpoint without TLS, as MinIO next door may be, has to be named by the operator anyway.
            client_options={"allow_http": True, "connect_timeout": "5s", "timeout": "30s"},
            retry_config={"max_retries": 2, "retry_timeout": timedelta(seconds=20)},
        )
        self._uploads = asyncio.Semaphore(UPLOADS)

    async def publish(self, run_id: UUID, name: str, file: Path) -> None:
        media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
        async with self._uploads:
            with _reaching():
                await obstore.put_async(
                    self._store, f"{run_id}/{name}", file, attributes={"Content-Type": media_type}, max_concurrency=2
                )
        await asyncio.to_thread(file.unlink, missing_ok=True)

    async def find(self, run_id: UUID, name: str) -> "S3File | None":
        path = f"{run_id}/{name}"
        try:
            with _reaching():
                meta = await obstore.head_async(self._store, path)
        except FileNotFoundError:
            return None
        etag = meta["e_tag"] or f'"{meta["last_modified"].timestamp():.0f}-{meta["size"]:x}"'
        return S3File(self._store, path, meta["size"], etag, meta["last_modified"])

    async def delete(self, run_id: UUID) -> None:
        with _reaching():
            async for page in obstore.list(self._store, f"{run_id}/", chunk_size=1000):
                await obstore.delete_async(self._store, [meta["path"] for meta in page])


@dataclass(frozen=True, slots=True)
class S3File:
    """An object."""

    store: obstore.store.S3Store
    path: str
    size: int
    etag: str
    modified: datetime

    async def read(self, start: int, end: int) -> bytes:
        # A request for each piece: one for the whole file would run into its timeout where the reader is slow.
        try:
            with _reaching():
                found = await obstore.get_async(
                    self.store, self.path, options={"range": (start, end), "if_match": self.etag}
                )
                return bytes(await found.bytes_async())
        except PreconditionError as error:
            raise FileNotFoundError(f"{self.path} was replaced while it was read") from error


@contextmanager
def _reaching() -> Iterator[None]:
    try:
        yield
    except PreconditionError:
        raise
    except BaseError as error:
        message, code = str(error), _CODE.search(str(error))
        # The rest is the server's answer, which may repeat the credentials that it did not like.
        log.warning(
            "S3 does not do what it is asked for",
            error=f"{message.partition(': <')[0].splitlines()[0]:.300}",
            code=code and code[1],
        )
        raise UnavailableError("The store of files can't be reached.") from error
