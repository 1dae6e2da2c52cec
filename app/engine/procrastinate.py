"""Runs as jobs in Postgres, carried out by any number of worker processes on any number of machines."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

import procrastinate
import psycopg
import structlog
from procrastinate.jobs import DeleteJobCondition, Job
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import POSTGRES
from app.engine.base import QUEUE, Execute
from app.engine.jobs import FencedJobs
from app.engine.lease import Lease, Watchdog, retry_stalled
from app.errors import ClaimLostError

log = structlog.get_logger()

TASK = "gym_llm.carry_out"
RESTART_S = 1.0
"""Before a worker that stopped by itself, as when Postgres restarts, is started again."""
RETRY_MAX_S = 60
"""Longest wait before a run that failed for no known reason is tried again."""


class PutBack(procrastinate.BaseRetryStrategy):
    """Puts a run back into the queue whatever interrupted it: a run that is not over is never without a job.

    One whose worker was told to stop goes on elsewhere at once, one that lost the database soon. Any other failure
    has happened outside of what a run may do wrong, as while its end was written: ever later, until it can be.
    """

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> procrastinate.RetryDecision:
        if isinstance(exception, asyncio.CancelledError | procrastinate.exceptions.JobAborted):
            return procrastinate.RetryDecision()
        if isinstance(exception, ClaimLostError | DBAPIError | psycopg.Error | OSError):
            return procrastinate.RetryDecision(retry_in={"seconds": 1})
        log.error("run put back", run=job.task_kwargs.get("run_id"), error=type(exception).__name__)
        return procrastinate.RetryDecision(retry_in={"seconds": min(RETRY_MAX_S, 2**job.attempts)})


class ProcrastinateEngine:
    """Submits runs, and carries them out too where it has `slots`.

    Args:
        url: of the database; the same that the runs are in.
        execute: carries out one run.
        slots: runs that this process carries out at the same time; 0 = it only submits and cancels.
        queues: that it takes runs from.
        lease: after how long without a sign of life a worker counts as lost.
    """

    def __init__(
        self, url: str, execute: Execute, *, slots: int, lease: Lease, queues: Sequence[str] = (QUEUE,)
    ) -> None:
        conninfo = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        connector = procrastinate.PsycopgConnector(
            conninfo=conninfo, kwargs=POSTGRES["connect_args"], min_size=1, max_size=4
        )
        self._app = procrastinate.App(connector=connector)
        self._app.job_manager = FencedJobs(connector)
        self._task = self._app.task(name=TASK, queue=QUEUE, retry=PutBack())(self._carry_out)
        self._execute = execute
        self._slots = slots
        self._queues = list(queues)
        self._lease = lease
        self._side_tasks: list[asyncio.Task[None]] = []

    async def submit(self, session: AsyncSession, run_id: UUID, *, queue: str = QUEUE, priority: int = 0) -> None:
        # On the connection of the caller's transaction: the run and its job are committed together or not at all.
        connection = (await (await session.connection()).get_raw_connection()).driver_connection
        task = self._task.configure(connection=connection, lock=str(run_id), queue=queue, priority=priority)
        await task.defer_async(run_id=str(run_id))

    async def cancel(self, run_id: UUID) -> None:
        for job in await self._app.job_manager.list_jobs_async(lock=str(run_id), status="doing"):
            if job.id is not None:
                await self._app.job_manager.cancel_job_by_id_async(job.id, abort=True)

    async def start(self) -> None:
        await self._app.open_async()
        if self._slots:
            self._side_tasks = [
                asyncio.create_task(self._work(), name="worker"),
                asyncio.create_task(retry_stalled(self._app, self._lease), name="sweeper"),
                asyncio.create_task(Watchdog(self._lease).watch(), name="watchdog"),
            ]

    async def drain(self) -> None:
        for task in self._side_tasks:
            task.cancel()
        await asyncio.gather(*self._side_tasks, return_exceptions=True)
        await self._app.close_async()

    async def _carry_out(self, run_id: str) -> None:
        await self._execute(UUID(run_id))

    async def _work(self) -> None:
        while True:
            try:
                await self._app.run_worker_async(
                    queues=self._queues,
                    concurrency=self._slots,
                    install_signal_handlers=False,
                    # Runs are long and can be taken up again anywhere, so nothing is won by waiting for them.
                    shutdown_graceful_timeout=0.1,
                    update_heartbeat_interval=self._lease.heartbeat_s,
                    # Who is lost is the sweeper's to say; this only tidies up.
                    stalled_worker_timeout=10 * self._lease.lost_after_s,
                    delete_jobs=DeleteJobCondition.ALWAYS,
                    fetch_job_polling_interval=1.0,
                    abort_job_polling_interval=1.0,
                )
            except Exception as error:  # noqa: BLE001 - whatever it is, a process that takes no runs is of no use
                log.error("worker failed", error=type(error).__name__)
            log.warning("worker stopped by itself and is started again")
            await asyncio.sleep(RESTART_S)
