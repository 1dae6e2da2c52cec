"""The files of runs: pictures, videos, archives."""

import asyncio
from pathlib import Path
from uuid import UUID

import orjson
import yaml

from app.artifacts.archive import write_archive
from app.artifacts.frames import LiveFrames
from app.artifacts.store import ArtifactStore
from app.errors import NotFoundError
from app.runs.models import Episode
from app.runs.service import RunService
from gym_llm.recording import png
from gym_llm.results import CONFIG_FILE, GIF, LAST_FRAME, RAW_OUTPUTS, RESULTS_FILE, VIDEO, episode_file


class RunFiles:
    """Finds or makes the files of runs."""

    def __init__(self, runs: RunService, store: ArtifactStore, frames: LiveFrames) -> None:
        self._runs = runs
        self._store = store
        self._frames = frames

    async def episode_file(self, owner: str, run_id: UUID, episode: int, suffix: str) -> Path:
        """A finished file of an episode.

        Raises:
            NotFoundError: it was not asked for, or is not finished yet.
        """
        row = await self._runs.episode(owner, run_id, episode)
        path = self._find(run_id, row, suffix)
        if path is None:
            playing = row.status == "running"
            raise NotFoundError(
                "The episode is still being played." if playing else "The run was not asked to keep this file."
            )
        return path

    async def frame(self, owner: str, run_id: UUID, episode: int) -> bytes:
        """The newest frame of an episode, as PNG.

        Raises:
            NotFoundError: there is none.
        """
        row = await self._runs.episode(owner, run_id, episode)
        if (live := self._frames.get(run_id, episode)) is not None:
            return await asyncio.to_thread(png, live)
        if path := self._find(run_id, row, LAST_FRAME):
            return await asyncio.to_thread(path.read_bytes)
        raise NotFoundError("There is no frame: the run records neither GIF nor video, or has none yet.")

    async def archive(self, owner: str, run_id: UUID) -> Path:
        """The run as a zip; deleting it is the caller's."""
        run = await self._runs.get(owner, run_id)
        config = run.model_dump(include={"agent", "environment", "experiment"}, mode="json")
        results = await self._runs.results(owner, run_id)
        texts = {
            CONFIG_FILE: yaml.safe_dump(config, sort_keys=False),
            RESULTS_FILE: orjson.dumps(results, option=orjson.OPT_INDENT_2).decode(),
        }
        files: list[Path] = []
        after, more = -1, True
        while more:
            page = await self._runs.episodes(owner, run_id, limit=100, after=after)
            for episode in page.data:
                outputs = await self._runs.raw_outputs(owner, run_id, episode.episode)
                name = episode_file(episode.episode, episode.seed, RAW_OUTPUTS)
                texts[name] = orjson.dumps(outputs, option=orjson.OPT_INDENT_2).decode()
                found = (self._store.find(run_id, episode_file(episode.episode, episode.seed, s)) for s in (GIF, VIDEO))
                files += [path for path in found if path is not None]
                after = episode.episode
            more = page.has_more
        return await asyncio.to_thread(write_archive, self._store.folder(run_id), texts, files)

    def _find(self, run_id: UUID, episode: Episode, suffix: str) -> Path | None:
        return self._store.find(run_id, episode_file(episode.episode, episode.seed, suffix))
