"""A service inside a command, with everything that it keeps in one folder."""

import fcntl
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from app.cli.client import ServiceClient
from app.cli.configured import read_settings
from app.cli.exits import USAGE, CommandError
from app.cli.server import BACKLOG, Server
from app.main import create_app

LOCK_FILE = ".lock"
PATIENCE_S = 10.0
"""It ends only with the command, or with a bug."""


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Make a folder, and keep other commands out of it. The system lets go of it even when the process is killed.

    Raises:
        CommandError: another one has it, or it can't be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / LOCK_FILE).open("w")
    except OSError as error:
        raise CommandError(f"{folder}: {error.strerror}") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            busy = isinstance(error, BlockingIOError)
            reason = "another command is playing in it; wait, or give an --output" if busy else error.strerror
            raise CommandError(f"{folder}: {reason}", USAGE) from None
        yield


@contextmanager
def own_service(folder: Path) -> Iterator[ServiceClient]:
    """A service of this process for this machine, which takes up whatever was left unfinished in the folder.

    Raises:
        CommandError: a setting is wrong, or it could not start.
    """
    settings = read_settings(data_dir=folder, database_url="", artifacts_url="", admin_key=None)
    if "log_level" not in settings.model_fields_set:
        settings = settings.model_copy(update={"log_level": "WARNING"})
    # It opens no windows: frames are drawn without looking for a screen, and for words about there being none.
    os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
    app = create_app(settings)
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, timeout_graceful_shutdown=settings.shutdown_s, backlog=BACKLOG
    )
    server = Server(config, (app.state.stream, app.state.batch_stream))
    listening = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
    # Not waited for at a second Ctrl-C: what is stored is stored.
    thread = threading.Thread(target=server.run, args=([listening],), name="service", daemon=True)
    thread.start()
    try:
        while not server.started:
            if not thread.is_alive():
                raise CommandError("the service could not start; the lines above say why")
            time.sleep(0.02)
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        with ServiceClient(url, patience_s=PATIENCE_S, own=True) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()
