"""The OpenEnv protocol: `/schema` and `/metadata`, then an episode over the WebSocket `/ws`, or over plain HTTP.

Servers since openenv-core 0.2 keep an episode for each WebSocket, while their `/reset` and `/step` make a new
environment for every request. Those without `/ws`, older or written by hand, keep one episode for all who ask.
"""

import json
import socket
import ssl
from contextlib import ExitStack, suppress
from typing import Any
from urllib.parse import urlsplit

import httpx
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.sync.client import ClientConnection, connect

from gym_llm.errors import EnvError

MAX_BYTES = 16 * 1024 * 1024
"""Of one answer."""
CONNECT_S = 10.0
_NO_WEBSOCKET = (400, 403, 404, 405, 426, 501)
"""How servers without `/ws` answer a request for it."""


class Connection:
    """One episode at a time on one server. Redirects are not followed: the address is the operator's choice."""

    def __init__(self, url: str, timeout_s: float) -> None:
        self._url = url
        self._timeout_s = timeout_s
        timeout = httpx.Timeout(timeout_s, connect=min(CONNECT_S, timeout_s))
        self._http = httpx.Client(base_url=url, timeout=timeout, follow_redirects=False)
        self._session = ExitStack()
        self._socket: ClientConnection | None = None
        self._has_socket = True

    def about(self, path: str) -> dict[str, Any]:
        """What `/schema` or `/metadata` tells; nothing where the server does not have it.

        Raises:
            EnvError: the server is down or answers nonsense.
        """
        return self._request("GET", path, missing_is_fine=True)

    def reset(self, seed: int | None) -> dict[str, Any]:
        """Begin an episode.

        Raises:
            EnvError: the server is down or full, failed, did not answer in time, or answers nonsense.
        """
        told = {} if seed is None else {"seed": seed}
        if self._has_socket and self._socket is None:
            self._socket = self._open()
            self._has_socket = self._socket is not None
        if self._socket is not None:
            return _over(self._socket, "reset", told, self._timeout_s)
        return self._request("POST", "/reset", told)

    def step(self, action: Any) -> dict[str, Any]:
        """Take an action.

        Raises:
            EnvError: as for `reset`.
        """
        if self._socket is not None:
            return _over(self._socket, "step", action, self._timeout_s)
        return self._request("POST", "/step", {"action": action})

    def close(self) -> None:
        """End the episode on the server."""
        self._http.close()
        if self._socket is not None:
            with suppress(WebSocketException, OSError):  # It is gone already.
                self._socket.send(json.dumps({"type": "close"}))
            with suppress(WebSocketException, OSError):
                self._session.close()
            self._socket = None

    def _open(self) -> ClientConnection | None:
        parts = urlsplit(self._url)
        secure = parts.scheme == "https"
        host = parts.hostname or ""
        scheme = "wss" if secure else "ws"
        within = min(CONNECT_S, self._timeout_s)
        try:
            # A socket of our own: with it, the library follows no redirect.
            ours = socket.create_connection((host, parts.port or (443 if secure else 80)), within)
            ours.settimeout(None)
            line = connect(
                f"{scheme}://{parts.netloc}{parts.path}/ws",
                sock=ours,
                ssl=ssl.create_default_context() if secure else None,
                open_timeout=within,
                # A server that thinks about a step need not answer pings.
                ping_interval=None,
                close_timeout=1,
                max_size=MAX_BYTES,
            )
            return self._session.enter_context(line)
        except InvalidStatus as error:
            if error.response.status_code in _NO_WEBSOCKET:
                return None
            raise EnvError(f"the server answered HTTP {error.response.status_code} to /ws") from None
        except (WebSocketException, ValueError, OSError) as error:
            raise EnvError(f"the server can't be reached: {_reason(error)}") from None

    def _request(
        self, method: str, path: str, content: dict[str, Any] | None = None, *, missing_is_fine: bool = False
    ) -> dict[str, Any]:
        try:
            with self._http.stream(method, path.removeprefix("/"), json=content) as response:
                if missing_is_fine and response.status_code in (404, 405):
                    return {}
                if response.status_code != 200:
                    raise EnvError(f"the server answered HTTP {response.status_code} to {path}")
                body = bytearray()
                for chunk in response.iter_bytes():
                    body += chunk
                    if len(body) > MAX_BYTES:
                        raise EnvError(f"the server's answer to {path} is larger than {MAX_BYTES:,} bytes")
        except httpx.TimeoutException:
            raise EnvError(f"no answer from the server within {self._timeout_s:g} s (env_timeout_s)") from None
        except httpx.HTTPError as error:
            raise EnvError(f"the server can't be reached: {_reason(error)}") from None
        return _object(bytes(body), path)


def _over(line: ClientConnection, kind: str, data: Any, timeout_s: float) -> dict[str, Any]:
    try:
        with suppress(ConnectionClosed):  # It may have said why before it hung up.
            line.send(json.dumps({"type": kind, "data": data}))
        answer = _object(line.recv(timeout=timeout_s), f"{kind} over /ws")
    except TimeoutError:
        raise EnvError(f"no answer from the server within {timeout_s:g} s (env_timeout_s)") from None
    except (WebSocketException, OSError) as error:
        raise EnvError(f"the connection to the server ended: {_reason(error)}") from None
    told = answer.get("data")
    if answer.get("type") == "error" and isinstance(told, dict):
        raise EnvError(f"the server says: {told.get('message')!s:.500} ({told.get('code')!s:.50})")
    if answer.get("type") != "observation" or not isinstance(told, dict):
        raise EnvError(f"{kind} over /ws: the answer is no observation")
    return told


def _object(text: str | bytes, what: str) -> dict[str, Any]:
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        raise EnvError(f"the server's answer to {what} is not JSON") from None
    if not isinstance(told, dict):
        raise EnvError(f"the server's answer to {what} is no JSON object")
    return told


def _reason(error: Exception) -> str:
    # The system's own words, or the kind of error: a library's message may hold the address.
    return error.strerror or type(error).__name__ if isinstance(error, OSError) else type(error).__name__
