"""The files of runs: pictures, videos, archives."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import IO
from uuid import UUID

import orjson
import yaml

from app.access import Caller
from app.artifacts.archive import Content, write_archive
from app.artifacts.base import ArtifactStore, StoredFile
from app.artifacts.frames import LiveFrames
from app.artifacts.staging import Staging
from app.db import Database
from app.errors import NotFoundError
from app.runs.schemas import EpisodeView, RunView
from app.runs.service import RunService
from app.runs.stored_run import EPISODES_FILE, RUN_FILE, STEPS_FILE, StoredRun, lines
from gym_llm.recording import png
from gym_llm.results import CONFIG_FILE, GIF, LAST_FRAME, LESSONS, RAW_OUTPUTS, RESULTS_FILE, VIDEO, episode_file


class RunFiles:
    """Finds or makes the files of runs, whichever process and machine has played them."""

    def __init__(
        self, database: Database, runs: RunService, store: ArtifactStore, frames: LiveFrames, staging: Staging
    ) -> None:
        self._database = database
        self._runs = runs
        self._store = store
        self._frames = frames
        self._staging = staging

    async def episode_file(self, caller: Caller, run_id: UUID, episode: int, suffix: str) -> StoredFile:
        """A finished file of an episode.

        Raises:
            NotFoundError: it was not asked for, is not finished yet, or was lost.
            UnavailableError: the store does not answer.
        """
        row = await self._runs.episode(caller, run_id, episode)
        if row.status == "running":
            raise NotFoundError("The episode is still being played.")
        if found := await self._store.find(run_id, episode_file(episode, row.seed, suffix)):
            return found
        experiment = (await self._runs.get(caller, run_id)).experiment
        if not {GIF: experiment.save_gif, VIDEO: experiment.save_video}[suffix]:
            raise NotFoundError("The run was not asked to keep this file.")
        raise NotFoundError(
            "There is no such file: the episode had no frames, or the file could not be stored. Its steps are complete."
        )

    async def frame(self, caller: Caller, run_id: UUID, episode: int) -> bytes:
        """The newest frame of an episode, as PNG.

        Raises:
            NotFoundError: there is none.
            UnavailableError: the store does not answer.
        """
        row = await self._runs.episode(caller, run_id, episode)
        if (live := self._frames.get(run_id, episode)) is not None:
            return await asyncio.to_thread(png, live)
        while found := await self._store.find(run_id, episode_file(episode, row.seed, LAST_FRAME)):
            with suppress(FileNotFoundError):  # A newer one has taken its place.
                return await found.read(0, found.size)
        raise NotFoundError("There is no frame: the run records neither GIF nor video, or has none yet.")

    async def archive(self, caller: Caller, run_id: UUID) -> IO[bytes]:
        """The run as a zip, in a file without a name; closing it is the caller's.

        Raises:
            NotFoundError: there is no such run, or it was deleted meanwhile.
            UnavailableError: the store does not answer.
        """
        run = await self._runs.get(caller, run_id)
        file = await asyncio.to_thread(self._staging.nameless)
        try:
            await write_archive(file, self._entries(caller, run))
        except BaseException as error:
            file.close()
            if isinstance(error, FileNotFoundError):
                raise NotFoundError("The run was deleted.") from None
            raise
        return file

    async def _entries(self, caller: Caller, run: RunView) -> AsyncIterator[tuple[str, Content]]:
        stored = StoredRun.of(self._database, run)
        config = run.model_dump(include={"agent", "environment", "experiment"}, mode="json")
        yield CONFIG_FILE, yaml.safe_dump(config, sort_keys=False)
        yield RESULTS_FILE, _json(await self._runs.results(caller, run.id))
        yield RUN_FILE, stored.record.model_dump_json(indent=2)
        yield EPISODES_FILE, lines(stored.episodes())
        yield STEPS_FILE, lines(stored.all_steps())
        after, more = -1, True
        while more:
            page = await self._runs.episodes(caller, run.id, limit=100, after=after)
            for episode in page.data:
                after = episode.episode
                yield (
                    episode_file(episode.episode, episode.seed, RAW_OUTPUTS),
                    _json(await self._runs.raw_outputs(caller, run.id, episode.episode)),
                )
                if (lessons := episode.lessons) is not None:
                    written = {"before": episode.lessons_before or [], **lessons.model_dump()}
                    yield episode_file(episode.episode, episode.seed, LESSONS), _json(written)
                async for entry in self._pictures(run, episode):
                    yield entry
            more = page.has_more

    async def _pictures(self, run: RunView, episode: EpisodeView) -> AsyncIterator[tuple[str, StoredFile]]:
        for suffix, kept in ((GIF, run.experiment.save_gif), (VIDEO, run.experiment.save_video)):
            name = episode_file(episode.episode, episode.seed, suffix)
            if kept and episode.status != "running" and (found := await self._store.find(run.id, name)):
                yield name, found


def _json(value: object) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
