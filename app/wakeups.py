"""News of runs between processes: LISTEN and NOTIFY of Postgres, on one connection however many watch."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from uuid import UUID

import psycopg
import structlog
from sqlalchemy.engine import make_url

from app.db import RUNS_CHANNEL

log = structlog.get_logger()

RECONNECT_S = 0.5
ALIVE_S = 10.0
"""Silence after which the connection is tested: a broken one gives no sign of it by itself."""


class WakeUps:
    """Calls `wake(run_id)` for each change that any process has committed, and `wake_all()` after a lost connection."""

    def __init__(self, url: str, wake: Callable[[UUID], None], wake_all: Callable[[], None]) -> None:
        self._conninfo = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        self._wake = wake
        self._wake_all = wake_all
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to listen."""
        self._task = asyncio.create_task(self._listen_for_ever(), name="wake-ups")

    async def stop(self) -> None:
        """Stop listening."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _listen_for_ever(self) -> None:
        while True:
            try:
                await self._listen()
            except (psycopg.Error, OSError) as error:
                log.warning("wake-ups interrupted", error=type(error).__name__)
            await asyncio.sleep(RECONNECT_S)

    async def _listen(self) -> None:
        async with await psycopg.AsyncConnection.connect(self._conninfo, autocommit=True) as connection:
            await connection.execute(f"LISTEN {RUNS_CHANNEL}")
            # Whatever was told while nobody listened is in the log: everybody reads it again.
            self._wake_all()
            while True:
                async for news in connection.notifies(timeout=ALIVE_S):
                    with suppress(ValueError):  # Anyone may notify; what is no id is not ours.
                        self._wake(UUID(news.payload))
                await connection.execute("SELECT 1")
