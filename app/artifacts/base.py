"""The port to wherever the finished files of runs are kept."""

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Protocol
from uuid import UUID

PIECE = 1 << 20
"""Bytes of a file that are in memory at a time, for each of its readers."""


class StoredFile(Protocol):
    """A finished file, as it was when it was found."""

    @property
    def size(self) -> int: ...
    @property
    def etag(self) -> str:
        """Changes with the content; in quotes, as HTTP has it."""
        ...

    @property
    def modified(self) -> datetime: ...

    async def read(self, start: int, end: int) -> bytes:
        """The bytes from `start` up to, not including, `end`.

        Raises:
            FileNotFoundError: it was deleted or replaced since it was found.
        """
        ...


class ArtifactStore(Protocol):
    """Finished files of runs. Every process sees the same ones; each appears, and is replaced, in one moment.

    Whatever keeps a method from its work is an `OSError` or an `UnavailableError`, and may be gone a moment later.
    """

    async def publish(self, run_id: UUID, name: str, file: Path) -> None:
        """Make `file` the run's file of that name, and take it away from where it was."""
        ...

    async def find(self, run_id: UUID, name: str) -> StoredFile | None:
        """A file of a run."""
        ...

    async def delete(self, run_id: UUID) -> None:
        """Delete every file of a run."""
        ...


async def pieces(file: StoredFile, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
    """What `read` gives, a piece at a time."""
    end = file.size if end is None else end
    for at in range(start, end, PIECE):
        yield await file.read(at, min(at + PIECE, end))
