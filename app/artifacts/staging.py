"""Where the files of live runs grow until they are finished."""

import asyncio
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO
from uuid import UUID

import stamina
import structlog

from app.artifacts.base import ArtifactStore
from app.errors import UnavailableError

log = structlog.get_logger()

ATTEMPTS = 3
LAST_CHANCE_S = 60.0
"""Time that a run waits, at its end, for files that could not be published before."""


class Stage:
    """The unfinished and unpublished files of one claim of a run. Names that begin with a dot are never published."""

    def __init__(self, folder: Path, run_id: UUID, store: ArtifactStore) -> None:
        self.folder = folder
        self.run_id = run_id
        self._store = store

    async def open(self) -> None:
        """Make the folder. Those of earlier claims are cleared away: no work of theirs counts any more."""
        await asyncio.to_thread(self._make)

    def finished(self) -> list[str]:
        """Names of the files that are finished and not published yet."""
        if not self.folder.is_dir():  # Never opened, or cleared away by a later claim.
            return []
        return sorted(path.name for path in self.folder.iterdir() if not path.name.startswith("."))

    async def publish_once(self, name: str, file: Path) -> None:
        """Publish `file`, wherever it is, under a name; whatever goes wrong is raised."""
        await self._store.publish(self.run_id, name, file)

    async def publish(self, names: Iterable[str]) -> None:
        """Publish those of the files that there are. One that can't be published now is kept for later, and logged."""
        for name in names:
            path = self.folder / name
            if not path.exists():
                continue
            try:
                async for attempt in stamina.retry_context(
                    on=(OSError, UnavailableError), attempts=ATTEMPTS, wait_initial=0.5, wait_max=4.0, timeout=None
                ):
                    with attempt:
                        await self.publish_once(name, path)
            except (OSError, UnavailableError):
                log.exception("file not published", run=str(self.run_id), file=name)

    async def publish_rest(self) -> None:
        """Publish whatever is left, as far as that goes in a limited time. Only when nobody else uses the stage."""
        try:
            async with asyncio.timeout(LAST_CHANCE_S), asyncio.TaskGroup() as group:
                for name in self.finished():
                    group.create_task(self.publish([name]))
        except TimeoutError:
            log.error("files lost", run=str(self.run_id), files=self.finished())

    async def close(self) -> None:
        """Delete what was not published."""
        await asyncio.to_thread(self._remove)

    def _make(self) -> None:
        shutil.rmtree(self.folder.parent, ignore_errors=True)
        while not self.folder.is_dir():
            with suppress(FileNotFoundError):  # An earlier claim removed the folder of the run just then.
                self.folder.mkdir(parents=True, exist_ok=True)

    def _remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        with suppress(OSError):  # Another claim has its stage there.
            self.folder.parent.rmdir()


class Staging:
    """Makes stages, and clears away those of lost workers. Its folder may be shared by many machines.

    Args:
        root: where stages are; on the disk of the local store's folder where that is used.
        store: where their files are published.
    """

    def __init__(self, root: Path, store: ArtifactStore) -> None:
        self._root = root
        self._store = store

    def stage(self, run_id: UUID, claim: UUID) -> Stage:
        """The stage of this claim."""
        return Stage(self._root / str(run_id) / str(claim), run_id, self._store)

    async def sweep(self, over: Callable[[Sequence[UUID]], Awaitable[Iterable[UUID]]]) -> None:
        """Clear away the stages of runs that are over; of the others, somebody may be at work."""
        run_ids = await asyncio.to_thread(self._run_ids)
        for run_id in await over(run_ids) if run_ids else ():
            await asyncio.to_thread(shutil.rmtree, self._root / str(run_id), ignore_errors=True)

    def nameless(self) -> IO[bytes]:
        """An empty file that is gone as soon as it is closed, however that comes about."""
        return tempfile.TemporaryFile(dir=self.folder())

    def folder(self) -> Path:
        """Where there is room for files that are in the making."""
        self._root.mkdir(parents=True, exist_ok=True)
        return self._root

    def _run_ids(self) -> list[UUID]:
        found = []
        for folder in self._root.iterdir() if self._root.is_dir() else ():
            with suppress(ValueError):  # Not ours.
                found.append(UUID(folder.name))
        return found
