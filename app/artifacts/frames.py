"""The newest frame of each episode that is being played in this process."""

from uuid import UUID

import numpy as np
from numpy.typing import NDArray


class LiveFrames:
    """Kept in memory only: a frame is replaced many times a second, and looked at rarely."""

    def __init__(self) -> None:
        self._frames: dict[tuple[UUID, int], NDArray[np.uint8]] = {}

    def put(self, run_id: UUID, episode: int, frame: NDArray[np.uint8]) -> None:
        """Replace the newest frame of an episode."""
        self._frames[run_id, episode] = frame

    def get(self, run_id: UUID, episode: int) -> NDArray[np.uint8] | None:
        """The newest frame of an episode that is being played."""
        return self._frames.get((run_id, episode))

    def drop(self, run_id: UUID, episode: int) -> None:
        """Forget an episode."""
        self._frames.pop((run_id, episode), None)
