"""Films one episode: its newest frame while it plays; its GIF, its video and its last frame once it is over."""

import asyncio
from threading import Lock
from types import TracebackType
from typing import Any, Self

from app.artifacts.frames import FrameFeed, LiveFrames
from app.artifacts.staging import Stage
from gym_llm.config import ExperimentConfig
from gym_llm.episode import Step
from gym_llm.footage import Footage
from gym_llm.recording import Frame, png
from gym_llm.results import GIF, LAST_FRAME, VIDEO, episode_file


def pictures(episode: int, seed: int) -> list[str]:
    """Names of the files that a camera leaves on its stage."""
    return [episode_file(episode, seed, suffix) for suffix in (GIF, VIDEO, LAST_FRAME)]


class Camera:
    """Leaves finished files on the stage when it closes, after a failure too: they show it.

    Args:
        stage: where the files grow.
        live: takes the newest frame for this process.
        feed: takes it for the others; None = there are none.
        experiment: which files are wanted.
        action_schema: of the environment, for captions.
        episode: that is filmed.
        seed: of the episode.
    """

    def __init__(
        self,
        stage: Stage,
        live: LiveFrames,
        feed: FrameFeed | None,
        *,
        experiment: ExperimentConfig,
        action_schema: Any,
        episode: int,
        seed: int,
    ) -> None:
        self._stage = stage
        self._live = live
        self._feed = feed
        self._episode = episode
        self._footage = Footage(experiment, action_schema, stage.folder, episode, seed)
        self._last_frame = episode_file(episode, seed, LAST_FRAME)
        self._newest: Frame | None = None
        # Where a task is cancelled, the thread that it waited for goes on.
        self._lock = Lock()
        self._closed = False

    async def film(self, step: Step) -> None:
        """Take the picture of a step; after the last one the files are finished."""
        if step.frame is not None and (picture := await asyncio.to_thread(self._add, step)) is not None:
            self._live.put(self._stage.run_id, self._episode, picture)
            if self._feed is not None and not step.replayed and not step.last:
                self._feed.offer(self._stage, self._last_frame, picture)
        if step.last:
            await self.close()

    async def close(self) -> None:
        """Finish the files."""
        if self._feed is not None:
            await self._feed.settle(self._stage, self._last_frame)
        await asyncio.to_thread(self._finish)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._live.drop(self._stage.run_id, self._episode)
        await self.close()

    def _add(self, step: Step) -> Frame | None:
        with self._lock:
            if not self._closed:
                self._newest = self._footage.add(step)
            return self._newest

    def _finish(self) -> None:
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._footage.close()
            if self._newest is not None:
                part = self._stage.folder / f".{self._last_frame}.part"
                part.write_bytes(png(self._newest))
                part.replace(self._stage.folder / self._last_frame)
