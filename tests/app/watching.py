"""A watcher of a run's events, which can leave and come back."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import orjson

from tests.processes import Server


@dataclass(frozen=True)
class Event:
    """One server-sent event as it came."""

    kind: str
    id: str | None
    data: Any


def read_events(text: str) -> list[Event]:
    """The events of a whole stream; comments are passed over."""
    return [event for block in text.split("\n\n") if (event := _read(block)) is not None]


def watch(server: Server, run_id: str, *, leave_after: int | None = None, **headers: str) -> Iterator[Event]:
    """Events of a run until it is done; a watcher that `leave_after` some events comes back with its last id."""
    last: dict[str, str] = dict(headers)
    done = False
    with server.client() as client:
        while not done:
            for seen, event in enumerate(_connect(client, run_id, last), 1):
                yield event
                done = done or event.kind == "done"
                if event.id is not None:
                    last["Last-Event-ID"] = event.id
                if seen == leave_after:
                    break


def _connect(client: httpx.Client, run_id: str, headers: dict[str, str]) -> Iterator[Event]:
    with client.stream("GET", f"/runs/{run_id}/events", headers=headers) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        lines: list[str] = []
        for line in response.iter_lines():
            if line:
                lines.append(line)
                continue
            if (event := _read("\n".join(lines))) is not None:
                yield event
            lines = []


def _read(block: str) -> Event | None:
    fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
    if "event" not in fields:
        return None
    return Event(fields["event"], fields.get("id"), orjson.loads(fields["data"]))
