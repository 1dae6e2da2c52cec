"""The newest frame of each episode that is being played."""

import asyncio
import time
from pathlib import Path
from uuid import UUID

import structlog

from app.artifacts.staging import Stage
from app.errors import UnavailableError
from gym_llm.recording import Frame, png

log = structlog.get_logger()

SETTLE_S = 5.0
"""How long the end of an episode waits for a frame that is being published."""


class LiveFrames:
    """Those of this process. Kept in memory only: a frame is replaced many times a second, and looked at rarely."""

    def __init__(self) -> None:
        self._frames: dict[tuple[UUID, int], Frame] = {}

    def put(self, run_id: UUID, episode: int, frame: Frame) -> None:
        """Replace the newest frame of an episode."""
        self._frames[run_id, episode] = frame

    def get(self, run_id: UUID, episode: int) -> Frame | None:
        """The newest frame of an episode that is being played."""
        return self._frames.get((run_id, episode))

    def drop(self, run_id: UUID, episode: int) -> None:
        """Forget an episode."""
        self._frames.pop((run_id, episode), None)


class FrameFeed:
    """Publishes frames for the processes that do not play.

    It costs little however many episodes are played: each shows a new frame every `every_s` seconds at most, and
    whatever would have to wait for `at_once` others is left out.
    """

    def __init__(self, *, every_s: float = 2.0, at_once: int = 2) -> None:
        self._every_s = every_s
        self._at_once = at_once
        self._due: dict[Path, float] = {}
        self._sending: dict[Path, asyncio.Task[None]] = {}

    def offer(self, stage: Stage, name: str, frame: Frame) -> None:
        """Publish a frame as the file `name`, unless it is not time for that."""
        key, now = stage.folder / name, time.monotonic()
        if len(self._sending) >= self._at_once or now < self._due.get(key, now) or key in self._sending:
            return
        self._due[key] = now + self._every_s
        self._sending[key] = asyncio.create_task(_send(stage, name, frame))
        self._sending[key].add_done_callback(lambda _: self._sending.pop(key, None))

    async def settle(self, stage: Stage, name: str) -> None:
        """Return when no older frame can replace what is published under `name` from now on."""
        key = stage.folder / name
        self._due.pop(key, None)
        if (sending := self._sending.get(key)) is not None:
            await asyncio.wait({sending}, timeout=SETTLE_S)
            sending.cancel()


async def _send(stage: Stage, name: str, frame: Frame) -> None:
    file = stage.folder / f".{name}.live"
    try:
        await asyncio.to_thread(lambda: file.write_bytes(png(frame)))
        await stage.publish_once(name, file)
    except (OSError, UnavailableError) as error:
        log.warning("newest frame not published", run=str(stage.run_id), error=type(error).__name__)
