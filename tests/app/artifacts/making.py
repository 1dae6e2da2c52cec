"""Files and stores for tests."""

from pathlib import Path
from uuid import UUID

import numpy as np

from app.artifacts.base import ArtifactStore, StoredFile
from app.errors import UnavailableError
from gym_llm.decision import Decision
from gym_llm.episode import Step


async def publish(store: ArtifactStore, folder: Path, run_id: UUID, name: str, content: bytes) -> None:
    """Store a file with this content."""
    file = folder / "to publish"
    file.write_bytes(content)
    await store.publish(run_id, name, file)
    assert not file.exists()


async def stored(store: ArtifactStore, run_id: UUID, name: str) -> StoredFile:
    """A file that must be there."""
    found = await store.find(run_id, name)
    assert found is not None
    return found


class FailingStore:
    """Fails the first `failures` times that something is published."""

    def __init__(self, store: ArtifactStore, failures: int) -> None:
        self._store = store
        self.failures = failures

    async def publish(self, run_id: UUID, name: str, file: Path) -> None:
        if self.failures:
            self.failures -= 1
            raise UnavailableError("The store of files can't be reached.")
        await self._store.publish(run_id, name, file)

    async def find(self, run_id: UUID, name: str) -> StoredFile | None:
        return await self._store.find(run_id, name)

    async def delete(self, run_id: UUID) -> None:
        await self._store.delete(run_id)


def step(number: int, *, last: bool = False, replayed: bool = False) -> Step:
    """A step whose frame shows its number."""
    return Step(
        episode=0,
        step=number,
        observation={},
        digest="",
        decision=Decision(reflection="Because.", action=1),
        reward=1.0,
        total_reward=float(number),
        terminated=last,
        truncated=False,
        success=None,
        next_observation={},
        frame=np.full((8, 12, 3), number, np.uint8),
        replayed=replayed,
    )
