"""Files of runs in a folder, which may be shared by many machines."""

import asyncio
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID


class LocalStore:
    """One folder a run, with the names that `run_experiment` uses."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def publish(self, run_id: UUID, name: str, file: Path) -> None:
        await asyncio.to_thread(self._move, file, self._path(run_id, name))

    async def find(self, run_id: UUID, name: str) -> "LocalFile | None":
        return await asyncio.to_thread(_look_up, self._path(run_id, name))

    async def delete(self, run_id: UUID) -> None:
        with suppress(FileNotFoundError):
            await asyncio.to_thread(shutil.rmtree, self._folder / str(run_id))

    def _path(self, run_id: UUID, name: str) -> Path:
        return self._folder / str(run_id) / name

    @staticmethod
    def _move(file: Path, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        file.replace(target)


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file in the folder."""

    path: Path
    size: int
    etag: str
    modified: datetime

    async def read(self, start: int, end: int) -> bytes:
        return await asyncio.to_thread(self._read, start, end)

    def _read(self, start: int, end: int) -> bytes:
        with self.path.open("rb") as file:
            if _etag(os.fstat(file.fileno())) != self.etag:
                raise FileNotFoundError(f"{self.path.name} was replaced while it was read")
            file.seek(start)
            return file.read(end - start)


def _look_up(path: Path) -> LocalFile | None:
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return LocalFile(path, stat.st_size, _etag(stat), datetime.fromtimestamp(stat.st_mtime, UTC))


def _etag(stat: os.stat_result) -> str:
    return f'"{stat.st_mtime_ns:x}-{stat.st_size:x}"'
