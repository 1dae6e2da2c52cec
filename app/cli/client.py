"""The service from the outside, over HTTP."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import httpx
from httpx_sse import SSEError, connect_sse

from app.cli.exits import FAILED, UNREACHABLE, USAGE, CommandError
from app.cli.options import DEFAULT_URL

READ_TIMEOUT_S = 60.0
"""Without a byte for this long, a stream counts as dropped: an idle one pings far more often."""
KEY_VARIABLE = "GYM_LLM_API_KEY"
"""Names the variable that holds the caller's API key."""
SLOW = httpx.Timeout(3600.0, connect=10.0)
"""Of what the service may have to play again first."""
FIRST_WAIT_S, LONGEST_WAIT_S = 0.25, 5.0
PROBLEM_TYPE = "application/problem+json"

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a stream; `lost` is ours: the stream broke off and is being taken up again."""

    kind: Literal["run", "step", "episode", "batch", "cell", "done", "lost"] | str
    data: Json


class _RetryableError(Exception):
    # A failure of the stream that may pass.
    pass


class ServiceClient:
    """Talks to one service. Every failure is a `CommandError` that says what to do about it."""

    def __init__(self, url: str, *, patience_s: float = 120.0, own: bool = False) -> None:
        """
        Args:
            url: of the service; `http://` may be left out.
            patience_s: how long `events` waits for a service that went away in the middle of a stream.
            own: whether this process serves it, which needs no key and is behind no proxy.
        """
        self.url = (url if "://" in url else f"http://{url}").rstrip("/")
        self._patience_s = patience_s
        try:
            key = None if own else os.environ.get(KEY_VARIABLE)
            self._http = httpx.Client(
                base_url=self.url,
                timeout=httpx.Timeout(READ_TIMEOUT_S, connect=10.0),
                headers={"Authorization": f"Bearer {key}"} if key else {},
                trust_env=not own,
            )
        except httpx.InvalidURL as error:
            raise CommandError(f"--url: {error}", USAGE) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    @property
    def option(self) -> str:
        """What sends another command to the same service."""
        return "" if self.url == DEFAULT_URL else f" --url {self.url}"

    def submit(self, config: bytes, *, idempotency_key: str | None = None) -> Json:
        """Start a run from the YAML (or JSON) of a configuration file."""
        return self._submit("/runs", config, idempotency_key)

    def submit_batch(self, config: bytes, *, idempotency_key: str | None = None) -> Json:
        """Start a batch, likewise."""
        return self._submit("/batches", config, idempotency_key)

    def register_agent(self, name: str, section: Any) -> Json:
        """Give an `agent` section a name."""
        return self._json("POST", "/agents", json={"name": name, "agent": section})

    def delete(self, path: str) -> None:
        """Delete what is at `path`."""
        self._request("DELETE", path)

    def get(self, path: str, **query: Any) -> Json:
        """The JSON at `path`."""
        return self._json("GET", path, params=query or None)

    def post(self, path: str, body: Any = None) -> Json:
        """The JSON that `path` answers to `body`."""
        return self._json("POST", path, json=body)

    def read(self, path: str, **query: Any) -> bytes:
        """What is at `path`, however long it takes to make."""
        return self._request("GET", path, params=query or None, timeout=SLOW).content

    def download(self, path: str, target: Path, **query: Any) -> None:
        """Write what is at `path` into the file `target`, which is only there once it is complete."""
        part = target.with_name(f".{target.name}.part")
        try:
            with self._failures(), self._http.stream("GET", path, params=query, timeout=SLOW) as response:
                if not response.is_success:
                    response.read()
                    raise _refusal(self.url, response)
                with part.open("wb") as file:
                    for piece in response.iter_bytes():
                        file.write(piece)
            part.replace(target)
        except OSError as error:
            raise CommandError(f"{target}: {error.strerror}") from None
        finally:
            part.unlink(missing_ok=True)

    def upload(self, path: str, file: Path, **query: Any) -> Json:
        """Send the zip `file` to `path`."""
        try:
            with file.open("rb") as content:
                headers = {"Content-Type": "application/zip"}
                return self._json("POST", path, content=content, params=query, headers=headers, timeout=SLOW)
        except OSError as error:
            raise CommandError(f"{file}: {error.strerror}", USAGE) from None

    def events(self, run_id: str) -> Iterator[Event]:
        """The events of a run from its first step to `done`, each step once, however often the connection drops.

        Raises:
            CommandError: the run is unknown, or the service stayed away for longer than `patience_s`.
        """
        return self._events(f"/runs/{run_id}/events")

    def batch_events(self, batch_id: str) -> Iterator[Event]:
        """The events of a batch up to `done`, likewise; after each drop, its state is told anew."""
        return self._events(f"/batches/{batch_id}/events")

    def _events(self, path: str) -> Iterator[Event]:
        last_id = 0
        wait, last_contact = FIRST_WAIT_S, time.monotonic()
        while True:
            try:
                for event in self._stream(path, last_id):
                    wait, last_contact = FIRST_WAIT_S, time.monotonic()
                    if event.kind == "step":
                        last_id = event.data["id"]
                    yield event
                    if event.kind == "done":
                        return
                reason = "the service ended the stream"
            except (httpx.TransportError, SSEError, ValueError, _RetryableError) as error:
                reason = str(error) or type(error).__name__
            if time.monotonic() - last_contact > self._patience_s:
                raise CommandError(f"{self.url} has not answered for {self._patience_s:.0f} s: {reason}", UNREACHABLE)
            yield Event("lost", {"reason": reason})
            time.sleep(wait)
            wait = min(2 * wait, LONGEST_WAIT_S)

    def _stream(self, path: str, last_id: int) -> Iterator[Event]:
        headers = {"Last-Event-ID": str(last_id)} if last_id else {}
        with connect_sse(self._http, "GET", path, headers=headers) as source:
            if source.response.status_code >= 500:
                raise _RetryableError(f"HTTP {source.response.status_code}")
            if not source.response.is_success:
                source.response.read()
                raise _refusal(self.url, source.response)
            for event in source.iter_sse():
                if event.data:  # `retry:` comes as an event without any.
                    yield Event(event.event, event.json())

    def _submit(self, path: str, config: bytes, idempotency_key: str | None) -> Json:
        headers = {"Content-Type": "application/yaml"}
        if idempotency_key is not None:
            if not (idempotency_key.isascii() and idempotency_key.isprintable()):
                raise CommandError("--idempotency-key: printable ASCII only", USAGE)
            headers["Idempotency-Key"] = idempotency_key
        return self._json("POST", path, content=config, headers=headers)

    def _json(self, method: str, path: str, **request: Any) -> Json:
        try:
            answer: Json = self._request(method, path, **request).json()
        except ValueError:
            raise CommandError(f"{self.url} does not answer as gym-llm does", UNREACHABLE) from None
        return answer

    def _request(self, method: str, path: str, **request: Any) -> httpx.Response:
        with self._failures():
            response = self._http.request(method, path, **request)
        if not response.is_success:
            raise _refusal(self.url, response)
        return response

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            raise CommandError(f"--url: {error}", USAGE) from None
        except httpx.TransportError as error:
            message = (
                f"cannot reach {self.url}: {str(error) or type(error).__name__} (`gym-llm serve` starts a service)"
            )
            raise CommandError(message, UNREACHABLE) from None


def _refusal(url: str, response: httpx.Response) -> CommandError:
    if response.headers.get("content-type") != PROBLEM_TYPE:
        return CommandError(f"{url} does not answer as gym-llm does: HTTP {response.status_code}", UNREACHABLE)
    code = response.status_code
    exit_code = UNREACHABLE if code == 503 else USAGE if code < 500 else FAILED
    return CommandError(str(response.json()["detail"]), exit_code)
