"""Watchers of runs that leave at random, and come back with the id of the last step they saw."""

import threading
import time
from random import Random
from uuid import UUID

import httpx
from httpx_sse import connect_sse

from tests.processes import DEADLINE_S


class Watcher(threading.Thread):
    """Follows one run to its end, whatever happens to the server."""

    def __init__(self, url: str, run_id: UUID, chance: Random) -> None:
        super().__init__(name=f"watcher of {run_id}", daemon=True)
        self.run_id = run_id
        self.seen: list[int] = []
        """Ids of the steps, in the order in which they came."""
        self.done = 0
        self.visits = 0
        self._url = f"{url}/runs/{run_id}/events"
        self._chance = chance

    def run(self) -> None:
        end = time.monotonic() + 4 * DEADLINE_S
        with httpx.Client(timeout=DEADLINE_S) as client:
            while not self.done and time.monotonic() < end:
                try:
                    self._visit(client, leave_after=self._chance.randint(3, 60))
                except httpx.TransportError:
                    time.sleep(0.2)

    def _visit(self, client: httpx.Client, leave_after: int) -> None:
        self.visits += 1
        headers = {"Last-Event-ID": str(self.seen[-1])} if self.seen else {}
        with connect_sse(client, "GET", self._url, headers=headers) as source:
            source.response.raise_for_status()
            for number, event in enumerate(source.iter_sse(), 1):
                if event.event == "step":
                    self.seen.append(int(event.id))
                if event.event == "done":
                    self.done += 1
                    return
                if number == leave_after:
                    return
