"""Which OpenEnv servers there are: the operator's list, and nobody else's. Requests name ids, never addresses."""

import json
import re
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import gymnasium as gym

from gym_llm.errors import ConfigError
from gym_llm.openenv.env import OpenEnv

_ID = re.compile(r"([\w-]+/)?[\w.-]+-v\d+")


@dataclass(frozen=True, slots=True)
class Server:
    """One environment server."""

    id: str
    """Under which its environment is registered."""
    url: str
    deterministic: bool = False
    """Whether the same seed and actions always lead to the same episode there."""
    max_steps: int | None = None
    """An episode is truncated here; None = the server ends it."""


def servers(text: str) -> list[Server]:
    """Read `id=url,id=url`, or JSON: `{id: url}`, or `{id: {"url": ..., "deterministic": ..., "max_steps": ...}}`.

    Raises:
        ConfigError: naming the id that is wrong; addresses are not repeated, as they may hold a password.
    """
    found = [_server(id, told) for id, told in _pairs(text)]
    ids = [server.id for server in found]
    if twice := [id for id in ids if ids.count(id) > 1]:
        raise ConfigError(f"openenv: {twice[0]} comes twice")
    return found


def register_servers(text: str) -> tuple[str, ...]:
    """Register the environments of these servers, whether they are up or not; the ids.

    Raises:
        ConfigError: `text` is wrong, or an id is taken; then none is registered.
    """
    found = servers(text)
    if taken := [server.id for server in found if server.id in gym.registry]:
        raise ConfigError(f"openenv: {taken[0]} is registered already")
    for server in found:
        gym.register(
            server.id,
            # Bound by position: no argument that comes with a request can replace it.
            partial(OpenEnv, server.id, server.url),
            nondeterministic=not server.deterministic,
            max_episode_steps=server.max_steps,
            disable_env_checker=True,
        )
    return tuple(server.id for server in found)


def _pairs(text: str) -> list[tuple[str, Any]]:
    if not text.strip().startswith("{"):
        pairs = [entry.partition("=") for entry in text.split(",") if entry.strip()]
        return [(id.strip(), url.strip()) for id, _, url in pairs]
    try:
        told = json.loads(text)
    except ValueError as error:
        raise ConfigError(f"openenv: not valid JSON, at character {getattr(error, 'pos', 0)}") from None
    return list(told.items())


def _server(id: str, told: Any) -> Server:
    if not _ID.fullmatch(id):
        raise ConfigError(f"openenv: {id!r:.80} is no environment id, such as EchoOpenEnv-v0")
    fields = told if isinstance(told, dict) else {"url": told}
    if unknown := fields.keys() - {"url", "deterministic", "max_steps"}:
        raise ConfigError(f"openenv: {id}: {min(unknown)}: no such field; there are url, deterministic and max_steps")
    url, deterministic, max_steps = fields.get("url"), fields.get("deterministic", False), fields.get("max_steps")
    if not isinstance(url, str) or not _address(url):
        raise ConfigError(f"openenv: {id}: url must be http://host:port or https://host, with no query")
    if not isinstance(deterministic, bool):
        raise ConfigError(f"openenv: {id}: deterministic must be true or false")
    if max_steps is not None and (not isinstance(max_steps, int) or isinstance(max_steps, bool) or max_steps < 1):
        raise ConfigError(f"openenv: {id}: max_steps must be a whole number above 0")
    return Server(id, url.rstrip("/"), deterministic, max_steps)


def _address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and not (parts.query or parts.fragment)
    except ValueError:
        return False
