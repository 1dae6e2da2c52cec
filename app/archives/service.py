"""Imports: an archive from elsewhere becomes a run here, whole or not at all."""

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any
from uuid import UUID

from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from app.access import Caller
from app.archives.audit import MakeEnv, audit
from app.archives.reading import Archive
from app.artifacts.base import ArtifactStore
from app.artifacts.staging import Staging
from app.db import Database, now
from app.errors import InvalidArchiveError, NotVerifiedError
from app.runs import repository
from app.runs.models import Episode, Run, Step
from app.runs.schemas import ImportedFrom, RunView
from app.runs.stored_run import EpisodeRecord, Record, RunRecord, StepRecord
from app.runs.views import run_view
from gym_llm.results import GIF, VIDEO, episode_file

PAGE = 500
UNPACKED = 20
"""An archive may unpack to this many times the size that may be sent: JSON packs well, bombs far better."""
AT_A_TIME = 2
"""Archives that are verified and stored at the same time."""


class ImportService:
    """Takes in archives."""

    def __init__(
        self, database: Database, store: ArtifactStore, staging: Staging, make_env: MakeEnv, max_bytes: int
    ) -> None:
        self._database = database
        self._store = store
        self._staging = staging
        self._make_env = make_env
        self.max_bytes = max_bytes
        self._turns = asyncio.Semaphore(AT_A_TIME)

    def file(self) -> IO[bytes]:
        """An empty file for an archive that arrives, gone when it is closed."""
        return self._staging.nameless()

    async def take_in(self, caller: Caller, file: IO[bytes], *, verified: bool) -> RunView:
        """Store the run of an archive, under a new id; the caller owns it.

        Args:
            caller: who brings it.
            file: the archive.
            verified: whether to take its actions again first, and to refuse it where they lead elsewhere.

        Raises:
            InvalidArchiveError: it is no archive of a run that is over.
            NotVerifiedError: it is not true.
            UnavailableError: its pictures can't be stored now.
        """
        async with self._turns:
            if verified:
                await self._verify(file)
            run_id = uuid7()
            try:
                await self._publish_pictures(run_id, file)
                async with self._database.writing() as session:
                    run = await self._insert(session, caller, run_id, self._archive(file).records(), verified)
            except BaseException as error:
                await self._store.delete(run_id)
                if isinstance(error, IntegrityError | DataError):
                    raise InvalidArchiveError("It holds values that the database refuses.") from error
                raise
            return run_view(run)

    def _archive(self, file: IO[bytes]) -> Archive:
        return Archive(file, UNPACKED * self.max_bytes)

    async def _verify(self, file: IO[bytes]) -> None:
        records = self._archive(file).records()
        run = _run(records)
        async for audited in audit(self._make_env, run, records):
            verdict = audited.verdict
            if not verdict.verified:
                where = f" step {verdict.step}" if verdict.step is not None else ""
                raise NotVerifiedError(f"Episode {audited.episode.episode}{where}: {verdict.problem}.")

    async def _publish_pictures(self, run_id: UUID, file: IO[bytes]) -> None:
        archive = self._archive(file)
        records = archive.records()
        run = _run(records)
        kept = ((GIF, run.experiment.save_gif), (VIDEO, run.experiment.save_video))
        with tempfile.TemporaryDirectory(prefix="import-", dir=self._staging.folder()) as folder:
            for episode in records:
                if not isinstance(episode, EpisodeRecord):
                    continue
                for suffix, wanted in kept:
                    name = episode_file(episode.episode, episode.seed, suffix)
                    if wanted and (pieces := archive.file(name)) is not None:
                        path = Path(folder) / name
                        await asyncio.to_thread(_write_picture, path, pieces, suffix)
                        await self._store.publish(run_id, name, path)

    async def _insert(
        self, session: AsyncSession, caller: Caller, run_id: UUID, records: Iterator[Record], verified: bool
    ) -> Run:
        record = _run(records)
        run = Run(**_run_columns(record), id=run_id, owner=caller.owner, losses=0, episodes_done=0, steps=0)
        run.imported_from = ImportedFrom(run_id=record.id, verified=verified, imported_at=now()).model_dump(mode="json")
        await repository.add_runs(session, [run])
        episodes: list[dict[str, Any]] = []
        steps: list[dict[str, Any]] = []
        newest = 0
        for item in records:
            if isinstance(item, EpisodeRecord):
                episodes.append({**_columns(Episode, item), "run_id": run_id, "done_at_step": 0, "done_order": None})
            elif isinstance(item, StepRecord):
                run.steps += 1
                newest = max(newest, item.id)
                episodes[-1]["done_at_step"] = item.id
                steps.append({**_columns(Step, item), "run_id": run_id})
            if len(steps) == PAGE:
                await repository.add_steps(session, steps)
                steps.clear()
        if steps:
            await repository.add_steps(session, steps)
        if newest != run.steps:
            raise InvalidArchiveError("The ids of its steps do not number them from 1 on.")
        ended = [episode for episode in episodes if episode["status"] != "cancelled"]
        for order, episode in enumerate(sorted(ended, key=lambda episode: episode["done_at_step"]), 1):
            episode["done_order"] = order
        if episodes:
            await repository.add_episodes(session, episodes)
        run.episodes_done = len(ended)
        return run


def _run(records: Iterator[Record]) -> RunRecord:
    run = next(records)
    assert isinstance(run, RunRecord)  # noqa: S101 - `in_order` has seen to it
    return run


def _run_columns(record: RunRecord) -> dict[str, Any]:
    values = record.model_dump(mode="json", include={"status", "error", "agent", "environment", "experiment", "parent"})
    return values | {
        "backend": record.agent.backend,
        "model": record.agent.model,
        "environment_id": record.environment.name,
        "versions": record.versions,
        "created_at": record.created_at,
        "started_at": record.started_at,
        "finished_at": record.finished_at,
    }


def _columns(table: type[Episode] | type[Step], record: EpisodeRecord | StepRecord) -> dict[str, Any]:
    names = {column.name for column in table.__table__.c}
    return {name: value for name, value in record.model_dump().items() if name in names}


def _write_picture(path: Path, pieces: Iterator[bytes], suffix: str) -> None:
    with path.open("wb") as file:
        for piece in pieces:
            file.write(piece)
    with path.open("rb") as file:
        begin = file.read(8)
    if not (begin.startswith(b"GIF8") if suffix == GIF else begin[4:] == b"ftyp"):
        raise InvalidArchiveError(f"{path.name} is not what its name says.")
