"""Who asks, and what that lets them see and do."""

import ipaddress
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol
from uuid import UUID


class Role(StrEnum):
    """What a key is good for."""

    ADMIN = "admin"
    """Everything, whoever owns it."""
    USER = "user"
    """Whatever its owner has."""
    VIEWER = "viewer"
    """Looking at whatever its owner has."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever sent a request. What it makes belongs to `owner`; several keys may share one."""

    owner: str
    role: Role
    key_id: UUID | None = None

    @property
    def sees(self) -> str | None:
        """The owner of everything it may see and change; None = whoever owns it."""
        return None if self.role is Role.ADMIN else self.owner

    @property
    def may_write(self) -> bool:
        """Whether it may do more than look."""
        return self.role is not Role.VIEWER


LOCAL = Caller("local", Role.ADMIN)
"""Everybody, as long as no API key was ever made."""


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Authenticator(Protocol):
    """Knows callers by what they send along."""

    async def authenticate(self, key: str | None, session: str | None) -> Caller:
        """The caller with this API key or, where there is none, with this browser session.

        Raises:
            UnauthorizedError: neither is good, and one is needed.
        """
        ...
