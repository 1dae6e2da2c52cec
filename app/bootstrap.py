"""The one place where the parts of the service are made and joined."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import env_plugins
from app.agents.service import AgentService
from app.archives.service import ImportService
from app.artifacts.base import ArtifactStore
from app.artifacts.frames import FrameFeed, LiveFrames
from app.artifacts.local import LocalStore
from app.artifacts.staging import Staging
from app.batches.budget import BatchBudget
from app.batches.results import BatchResults
from app.batches.service import BatchService
from app.batches.stream import BatchStream
from app.db import Database
from app.engine.base import QUEUE, Engine
from app.engine.lease import Lease
from app.engine.local import LocalEngine
from app.engine.procrastinate import ProcrastinateEngine
from app.environments.catalog import Catalog
from app.exports.service import ExportService
from app.forks.service import ForkService
from app.keys.authenticator import KeyAuthenticator
from app.keys.service import KeyService
from app.reports.service import ReportService
from app.runs import repository
from app.runs.executor import Executor
from app.runs.files import RunFiles
from app.runs.live_run import Equipment
from app.runs.service import Limits, RunService
from app.runs.stream import RunStream
from app.runs.writer import StepWriter
from app.sessions.agent_play import AgentPlay
from app.sessions.calls import Calls
from app.sessions.env_play import EnvPlay
from app.sessions.service import SessionLimits, SessionService
from app.settings import Settings
from app.wakeups import WakeUps
from gym_llm.backends import Backend, BaselineBackend, OllamaBackend, OpenAIBackend


@dataclass(frozen=True, slots=True)
class Service:
    """The parts that routes use, and `running`, which brings them to life."""

    settings: Settings
    database: Database
    keys: KeyService
    authenticator: KeyAuthenticator
    catalog: Catalog
    backends: dict[str, Backend]
    stream: RunStream
    runs: RunService
    files: RunFiles
    agents: AgentService
    sessions: SessionService
    exports: ExportService
    forks: ForkService
    reports: ReportService
    imports: ImportService
    batches: BatchService
    batch_results: BatchResults
    batch_stream: BatchStream
    staging: Staging
    writer: StepWriter
    engine: Engine
    wake_ups: WakeUps | None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Migrate, take up what was left unfinished, and at the end let go of everything in order."""
        await self.database.migrate()
        if self.settings.admin_key is not None:
            await self.keys.keep_admin_key(self.settings.admin_key.get_secret_value())
        await self.staging.sweep(self._over)
        self.writer.start()
        if self.wake_ups is not None:
            self.wake_ups.start()
        await self.engine.start()
        await self.sessions.start()
        try:
            yield
        finally:
            self.stream.close()
            self.batch_stream.close()
            await self.sessions.stop()
            await self.engine.drain()
            await self.writer.stop()
            if self.wake_ups is not None:
                await self.wake_ups.stop()
            for backend in self.backends.values():
                await backend.aclose()
            await self.database.close()

    async def _over(self, run_ids: Sequence[UUID]) -> Sequence[UUID]:
        async with self.database.reading() as session:
            return await repository.over_runs(session, run_ids)


def build(
    settings: Settings,
    backends: dict[str, Backend] | None = None,
    *,
    worker: bool = False,
    queues: Sequence[str] = (QUEUE,),
) -> Service:
    """The service with these settings; tests may bring backends of their own.

    Args:
        settings: of the operator.
        backends: by name; None = those that the settings give.
        worker: whether this process is there to carry out runs (with Postgres; with SQLite every process does).
        queues: that a worker takes runs from.
    """
    limits: dict[str, Any] = {
        "concurrency": settings.llm_concurrency,
        "timeout": settings.llm_timeout_s,
        "attempts": settings.llm_attempts,
    }
    backends = backends or {
        "openai": OpenAIBackend(**limits),
        "ollama": OllamaBackend(**limits),
        "baseline": BaselineBackend(settings.model_dir),
    }
    database = Database(settings.database_url)
    env_plugins.use(settings.plugin_path, settings.isolate, settings.openenv, settings.env_timeout_s)
    catalog = Catalog()
    store = _store(settings)
    # In the folder of the local store, so that publishing is renaming there.
    staging = Staging(settings.data_dir / "runs" / ".staging", store)
    frames = LiveFrames()
    stream = RunStream(database, ping_s=settings.ping_s, max_watchers=settings.max_watchers)
    writer = StepWriter(database, stream.wake, settings.commit_within_ms / 1000)
    equipment = Equipment(
        database=database,
        writer=writer,
        frames=frames,
        feed=None if database.sqlite else FrameFeed(),
        backends=backends,
        make_env=catalog.make,
        check_batch=BatchBudget(database).check,
        max_episode_steps=settings.max_episode_steps,
    )
    executor = Executor(equipment=equipment, staging=staging, wake=stream.wake)

    async def unfinished() -> Sequence[UUID]:
        async with database.reading() as session:
            return await repository.unfinished_runs(session)

    engine: Engine
    wake_ups = None
    if database.sqlite:
        engine = LocalEngine(executor.execute, unfinished, settings.max_running_runs)
    else:
        engine = ProcrastinateEngine(
            settings.database_url,
            executor.execute,
            slots=settings.max_running_runs if worker or settings.embedded_worker else 0,
            lease=Lease(settings.heartbeat_s, settings.lost_after_s),
            queues=queues,
        )
        wake_ups = WakeUps(settings.database_url, stream.wake, stream.wake_all)
    agents = AgentService(database)
    runs = RunService(
        database=database,
        engine=engine,
        store=store,
        stream=stream,
        check_environment=catalog.check,
        find_agent=agents.find,
        limits=Limits(
            episodes=settings.max_episodes,
            concurrency=settings.max_concurrency,
            steps=settings.max_episode_steps,
            active_runs=settings.max_active_runs_per_owner,
        ),
    )
    sessions = SessionService(
        database=database,
        calls=Calls(database, stream.wake, heartbeat_s=settings.heartbeat_s, lost_after_s=settings.lost_after_s),
        agents=AgentPlay(backends, settings.max_episode_steps),
        environments=EnvPlay(catalog.make, room=settings.max_live_environments, max_steps=settings.max_episode_steps),
        check_environment=catalog.check,
        find_agent=agents.find,
        limits=SessionLimits(sessions=settings.max_sessions_per_owner, ttl_s=settings.max_session_ttl_s),
    )
    files = RunFiles(database, runs, store, frames, staging)
    reports = ReportService(database, runs, files, catalog.reward_threshold)
    batches = BatchService(database, runs, agents.find, max_cells=settings.max_active_runs_per_owner)
    return Service(
        settings=settings,
        database=database,
        keys=KeyService(database),
        authenticator=KeyAuthenticator(database),
        catalog=catalog,
        backends=backends,
        stream=stream,
        runs=runs,
        agents=agents,
        sessions=sessions,
        files=files,
        exports=ExportService(database, runs, staging, catalog.make),
        forks=ForkService(database, runs),
        reports=reports,
        imports=ImportService(database, store, staging, catalog.make, settings.max_import_bytes),
        batches=batches,
        batch_results=BatchResults(database, batches, reports),
        batch_stream=BatchStream(database, ping_s=settings.ping_s, max_watchers=settings.max_watchers),
        staging=staging,
        writer=writer,
        engine=engine,
        wake_ups=wake_ups,
    )


def _store(settings: Settings) -> ArtifactStore:
    if not settings.artifacts_url:
        return LocalStore(settings.data_dir / "runs")
    from app.artifacts.s3 import S3Store  # Of an extra, which need not be installed.

    return S3Store(settings.artifacts_url)
