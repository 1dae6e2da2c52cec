"""Signs of life of workers: how often, what happens to the runs of one that gives none, and what it does itself."""

import asyncio
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass

import procrastinate
import psycopg
import structlog

log = structlog.get_logger()

SWEEP_LOCK = "gym-llm sweeper"
FAILED_TO_TODO = """
    UPDATE procrastinate_jobs SET status = 'todo', abort_requested = false, attempts = attempts + 1
    WHERE status = 'failed'
"""
SLEPT = 70
"""Exit code of a worker that slept past its lease."""


@dataclass(frozen=True, slots=True)
class Lease:
    """How long a worker holds its runs without a sign of life."""

    heartbeat_s: float
    lost_after_s: float

    def __post_init__(self) -> None:
        if self.heartbeat_s * 2 > self.lost_after_s:
            raise ValueError("a worker must have time for two signs of life before it counts as lost")

    @property
    def sweep_s(self) -> float:
        """Time between two looks for lost workers."""
        return self.lost_after_s / 3


class Outages:
    """Knows when the database was away: no worker could give a sign of life then, and none is lost for that.

    Args:
        lease: that workers must keep.
        clock: in seconds.
    """

    def __init__(self, lease: Lease, clock: Callable[[], float] = time.monotonic) -> None:
        self._lease = lease
        self._clock = clock
        self._reached = clock()
        self._ended = -math.inf

    def over(self) -> bool:
        """Whether every worker has had the time to give a sign of life; to be asked at each look at the database."""
        now, before = self._clock(), self._reached
        self._reached = now
        if now - before > 2 * self._lease.sweep_s:
            self._ended = now
        return now - self._ended >= self._lease.lost_after_s


async def retry_stalled(app: procrastinate.App, lease: Lease, outages: Outages | None = None) -> None:
    """Put the runs of lost workers back into the queue, for ever. Many may try; one at a time does it."""
    outages = outages or Outages(lease)
    while True:
        await asyncio.sleep(lease.sweep_s)
        try:
            await _sweep(app, lease, outages)
        except (procrastinate.exceptions.ConnectorException, psycopg.Error) as error:
            log.warning("sweep failed", error=type(error).__name__)


async def _sweep(app: procrastinate.App, lease: Lease, outages: Outages) -> None:
    connector = app.connector
    assert isinstance(connector, procrastinate.PsycopgConnector)  # noqa: S101 - made by the engine
    async with connector.pool.connection() as connection, connection.transaction():
        row = await (
            await connection.execute("SELECT pg_try_advisory_xact_lock(hashtext(%s))", (SWEEP_LOCK,))
        ).fetchone()
        over = outages.over()  # The database was reached, whoever has the lock.
        if row is None or not (row[0] if isinstance(row, tuple) else next(iter(row.values()))) or not over:
            return
        for job in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=lease.lost_after_s):
            log.warning("worker lost, its run goes back into the queue", run=job.task_kwargs.get("run_id"))
            await app.job_manager.retry_job(job)
        # A job that was to be interrupted does not go back into the queue then: it fails, and its run would never end.
        await connection.execute(FAILED_TO_TODO)


class Watchdog:
    """Ends a process that slept past its lease, as one does that was stopped and continued: its runs are elsewhere."""

    def __init__(
        self, lease: Lease, *, exit: Callable[[int], object] = os._exit, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._lease = lease
        self._exit = exit
        self._clock = clock

    async def watch(self) -> None:
        """Look at the clock, for ever."""
        interval = self._lease.heartbeat_s / 2
        last = self._clock()
        while True:
            await asyncio.sleep(interval)
            now = self._clock()
            if now - last > self._lease.lost_after_s:
                log.error("slept past the lease", seconds=round(now - last, 1))
                self._exit(SLEPT)
            last = now
