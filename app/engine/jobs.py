"""The jobs and workers in Postgres: each job is settled by the worker that has it, once for each time it has it."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime

import procrastinate
import psycopg
import stamina
import structlog
from procrastinate.jobs import Job, Status
from procrastinate.manager import JobManager, NotificationCallback

log = structlog.get_logger()

SETTLE_S = 60.0
"""How long a database that is away is waited for. A worker that gives up ends soon, and the sweeper finds its jobs."""
LISTEN_AGAIN_S = 1.0
"""Until a broken connection for notifications is made anew."""
_HELD = """
    (SELECT id FROM procrastinate_jobs
     WHERE id = %(job_id)s AND status = 'doing' AND attempts = %(attempts)s
       AND worker_id IS NOT DISTINCT FROM %(worker_id)s FOR UPDATE) held
"""
_FINISH = f"SELECT procrastinate_finish_job_v1(held.id, %(status)s, %(delete_job)s) FROM {_HELD}"  # noqa: S608
_RETRY = f"""
    SELECT procrastinate_retry_job_v2(held.id, %(retry_at)s, %(priority)s, %(queue)s, %(lock)s) FROM {_HELD}
"""  # noqa: S608


class FencedJobs(JobManager):
    """Settles no job that another worker has by now, or the same one once more, as where it was cut off for a while and
    its jobs put back: that one would go on with a run that has no job any more, and whatever interrupted it would leave
    the run without a worker for ever.

    A connection that breaks is no reason to leave a job unsettled either: nobody else would touch it as long as its
    worker lives. Nor to give no more signs of life, or to hear of no more jobs: procrastinate's worker would not notice
    that it has stopped to do either, and go on taking jobs that count as lost at once.
    """

    async def update_heartbeat(self, worker_id: int) -> None:
        try:
            await super().update_heartbeat(worker_id)
        except procrastinate.exceptions.ConnectorException as error:
            log.warning("no sign of life given", error=type(error).__name__)

    async def listen_for_jobs(
        self, *, on_notification: NotificationCallback, queues: Iterable[str] | None = None
    ) -> None:
        while True:
            try:
                await super().listen_for_jobs(on_notification=on_notification, queues=queues)
            except (procrastinate.exceptions.ConnectorException, psycopg.Error) as error:
                log.warning("no news of jobs", error=type(error).__name__)
            await asyncio.sleep(LISTEN_AGAIN_S)

    async def finish_job(self, job: Job, status: Status, delete_job: bool) -> None:
        await self._settle(_FINISH, job, status=status.value, delete_job=delete_job)

    async def retry_job(
        self,
        job: Job,
        retry_at: datetime | None = None,
        priority: int | None = None,
        queue: str | None = None,
        lock: str | None = None,
    ) -> None:
        at = retry_at or datetime.now(UTC)
        await self._settle(_RETRY, job, retry_at=at, priority=priority, queue=queue, lock=lock)

    async def _settle(self, query: str, job: Job, **values: object) -> None:
        failed = procrastinate.exceptions.ConnectorException
        async for attempt in stamina.retry_context(on=failed, attempts=None, timeout=SETTLE_S, wait_max=5.0):
            with attempt:
                await self.connector.execute_query_async(
                    query, job_id=job.id, worker_id=job.worker_id, attempts=job.attempts, **values
                )
