"""A service inside a command, with everything that it keeps in one folder."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.cli.client import ServiceClient
from app.cli.configured import read_settings
from app.cli.exits import CommandError
from app.cli.server import BACKLOG, Server

PATIENCE_S = 10.0
"""It ends only with the command, or with a bug."""


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
    server = Server(settings)
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
