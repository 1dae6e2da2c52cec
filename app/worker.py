"""A process that carries out runs and serves nobody."""

import asyncio
import signal
from collections.abc import Sequence

import structlog

from app.bootstrap import build
from app.settings import Settings

log = structlog.get_logger()


async def work(settings: Settings, queues: Sequence[str]) -> None:
    """Carry out runs until SIGTERM or SIGINT; what is not done by then goes on in another worker."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    service = build(settings, worker=True, queues=queues)
    async with service.running():
        log.info("worker ready", slots=settings.max_running_runs, queues=list(queues))
        await stop.wait()
        log.info("worker stops")
