"""Knows callers by their API keys, and browsers by the sessions that keys have opened."""

import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.access import LOCAL, Caller, Role
from app.db import Database, now
from app.errors import UnauthorizedError
from app.keys import repository
from app.keys.models import ApiKey, KeySession
from app.keys.tokens import hashed, new_session

log = structlog.get_logger()

SESSION_LIFETIME = timedelta(hours=12)
USE_NOTED_EVERY_S = 60.0


@dataclass(frozen=True, slots=True)
class NewSession:
    """A browser session that was just opened."""

    token: str = field(repr=False)
    expires_at: datetime


class KeyAuthenticator:
    """Asks the database at every request, so that a key that is revoked is refused at once and everywhere."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._key_needed = False
        self._use_noted: dict[UUID, float] = {}

    async def authenticate(self, key: str | None, session: str | None) -> Caller:
        """The caller with this API key or, where there is none, with this browser session. As long as no key was ever
        made, everybody is `LOCAL`.

        Raises:
            UnauthorizedError: neither is good, and one is needed.
        """
        found = await self._find(key, session)
        if found is not None and found.revoked_at is None:
            await self._note_use(found.id)
            return Caller(found.owner, Role(found.role), found.id)
        if await self._needs_key():
            raise UnauthorizedError("Send a valid API key: Authorization: Bearer glm_...")
        return LOCAL

    async def open_session(self, caller: Caller) -> NewSession | None:
        """A session for the browser of a caller; None where no key is needed."""
        if caller.key_id is None:
            return None
        token, at = new_session(), now()
        opened = KeySession(hash=hashed(token), key_id=caller.key_id, expires_at=at + SESSION_LIFETIME)
        async with self._database.writing() as session:
            await repository.add_session(session, opened, at)
        return NewSession(token, opened.expires_at)

    async def close_session(self, token: str) -> None:
        """End a session."""
        async with self._database.writing() as session:
            await repository.delete_session(session, hashed(token))

    async def _find(self, key: str | None, token: str | None) -> ApiKey | None:
        async with self._database.reading() as session:
            if key is not None:
                return await repository.find_key(session, hashed(key))
            if token is not None:
                return await repository.find_key_of_session(session, hashed(token), now())
        return None

    async def _needs_key(self) -> bool:
        if not self._key_needed:  # Once there was a key, there is no way back.
            async with self._database.reading() as session:
                self._key_needed = await repository.any_key(session)
        return self._key_needed

    async def _note_use(self, key_id: UUID) -> None:
        clock = time.monotonic()
        if clock - self._use_noted.get(key_id, -USE_NOTED_EVERY_S) < USE_NOTED_EVERY_S:
            return
        self._use_noted[key_id] = clock
        try:
            async with self._database.writing() as session:
                await repository.note_use(session, key_id, now())
        except SQLAlchemyError as error:
            log.warning("use of a key not noted", error=type(error).__name__)
