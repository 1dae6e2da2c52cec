"""Workers for tests: the executor with what it needs, and no queue."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from app.artifacts.frames import LiveFrames
from app.artifacts.local import LocalStore
from app.artifacts.staging import Staging
from app.db import Database
from app.environments.catalog import Catalog
from app.runs.executor import Executor
from app.runs.live_run import Equipment
from app.runs.models import Run
from app.runs.writer import StepWriter
from gym_llm.backends import Backend


async def _unlimited(_run: Run, _cost_usd: float) -> None:
    return None


@asynccontextmanager
async def executing(database: Database, folder: Path, backend: Backend) -> AsyncIterator[Executor]:
    """An executor whose backend `openai` is `backend`; at the end, what its runs have submitted is stored."""
    writer = StepWriter(database, lambda _: None, 0.001)
    writer.start()
    equipment = Equipment(
        database=database,
        writer=writer,
        frames=LiveFrames(),
        feed=None,
        backends={"openai": backend},
        make_env=Catalog().make,
        check_batch=_unlimited,
        max_episode_steps=1000,
    )
    staging = Staging(folder / "staging", LocalStore(folder / "files"))
    yield Executor(equipment=equipment, staging=staging, wake=lambda _: None)
    await writer.stop()
