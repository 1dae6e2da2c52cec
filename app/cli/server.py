"""The service as a process."""

import asyncio
import signal
import socket
from types import FrameType
from typing import Any

import typer
import uvicorn
from sqlalchemy.exc import SQLAlchemyError

from app import worker
from app.access import is_loopback
from app.batches.stream import BatchStream
from app.cli.configured import read_settings
from app.cli.exits import USAGE, CommandError
from app.db import Database
from app.keys.service import keys_exist
from app.main import create_app
from app.runs.stream import RunStream
from app.settings import Settings
from app.telemetry import set_up_logging

BACKLOG = 2048


class Server(uvicorn.Server):
    """Ends open event streams when it is told to stop: they would hold the process until the runs are over.

    Args:
        settings: of the service.
        url: that is told once it serves; None = nobody needs to know.
        insecure: without any API key, whoever reaches it is let in.
    """

    def __init__(self, settings: Settings, url: str | None = None, *, insecure: bool = False) -> None:
        app = create_app(settings, insecure=insecure)
        quiet: dict[str, Any] = {"log_level": "warning", "access_log": False}
        super().__init__(uvicorn.Config(app, **quiet, timeout_graceful_shutdown=settings.shutdown_s, backlog=BACKLOG))
        self._streams: tuple[RunStream | BatchStream, ...] = (app.state.stream, app.state.batch_stream)
        self._url = url

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and self._url is not None:
            typer.echo(f"gym-llm serves {self._url} (API reference: {self._url}/docs), Ctrl-C stops it")

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for stream in self._streams:
            stream.close()
        await super().shutdown(sockets)


def serve(host: str, port: int, *, insecure: bool) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        CommandError: others could reach it, the address can't be had, a setting is wrong, or it could not start.
    """
    settings = read_settings()
    if not (insecure or is_loopback(host) or settings.admin_key is not None or asyncio.run(_keys_exist(settings))):
        raise CommandError(
            f"--host {host} would let others in, and no API key is set: anyone who reaches the port could start runs. "
            "Bind to 127.0.0.1, make a key with `gym-llm keys create`, or accept it with --insecure",
            USAGE,
        )
    try:
        listening = _listen(host, port)
        server = Server(settings, _url(listening), insecure=insecure)
    except (OSError, OverflowError) as error:
        raise CommandError(f"cannot serve on {host}:{port} with data in {settings.data_dir}: {error}") from None
    # uvicorn raises the signal that stopped it again when all is done: being told to stop is no failure.
    for sig in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sig, _stop)
    server.run([listening])
    if not server.started:
        raise CommandError("the service could not start; the lines above say why")


def work(concurrency: int | None, queues: list[str]) -> None:
    """Carry out runs until SIGTERM or SIGINT.

    Raises:
        CommandError: there is no Postgres to take runs from, or a setting is wrong.
    """
    settings = read_settings()
    if settings.database_url.startswith("sqlite"):
        raise CommandError(
            "workers need Postgres: set GYM_LLM_DATABASE_URL; with SQLite the service plays runs itself", USAGE
        )
    if concurrency is not None:
        settings = settings.model_copy(update={"max_running_runs": concurrency})
    set_up_logging(settings.log_level)
    try:
        asyncio.run(worker.work(settings, queues))
    except (SQLAlchemyError, OSError) as error:
        raise CommandError(f"the worker ended: {type(error).__name__}; is the database there?") from None


async def _keys_exist(settings: Settings) -> bool:
    database = Database(settings.database_url)
    try:
        return await keys_exist(database)
    finally:
        await database.close()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=BACKLOG)


def _url(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)
