"""The rules of API keys: making, listing and revoking them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog
from sqlalchemy.exc import IntegrityError
from uuid_utils.compat import uuid7

from app.access import Role
from app.db import Database, now
from app.errors import InvalidRequestError, NotFoundError
from app.keys import repository
from app.keys.models import ApiKey
from app.keys.tokens import hashed, new_key, shown

log = structlog.get_logger()

ADMIN = "admin"
"""Name and owner of the key that the settings give."""
_NAME = re.compile(r"[\w.@+-]{1,64}")


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made: the only time that it can be seen."""

    row: ApiKey
    key: str = field(repr=False)


async def keys_exist(database: Database) -> bool:
    """Whether a key was ever made, and so every request needs one. The database need not be migrated yet."""
    async with database.reading() as session:
        return await repository.has_table(session) and await repository.any_key(session)


class KeyService:
    """API keys, for whoever runs the service."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, name: str, role: Role, owner: str | None = None) -> NewKey:
        """Make a key.

        Args:
            name: to recognise it by.
            role: what it may do.
            owner: of what it makes and sees; None = the name.

        Raises:
            InvalidRequestError: name or owner can't be one.
        """
        owner = name if owner is None else owner
        for what, text in (("name", name), ("owner", owner)):
            if not _NAME.fullmatch(text):
                raise InvalidRequestError(f"{what}: 1 to 64 letters, digits and _ . @ + - are accepted.")
        key = new_key()
        row = _row(key, name, role, owner)
        async with self._database.writing() as session:
            await repository.add_key(session, row)
        return NewKey(row, key)

    async def list(self) -> Sequence[ApiKey]:
        """All keys, revoked ones too, oldest first."""
        async with self._database.reading() as session:
            return await repository.list_keys(session)

    async def revoke(self, reference: str) -> ApiKey:
        """Revoke the key with this id or prefix; from now on it and its browser sessions are refused.

        Raises:
            NotFoundError: there is no such key.
            InvalidRequestError: there are several.
        """
        found = [key for key in await self.list() if reference in (str(key.id), key.prefix)]
        if not found:
            raise NotFoundError("There is no key with this id or prefix.")
        if len(found) > 1:
            raise InvalidRequestError("Several keys have this prefix: revoke by id.")
        async with self._database.writing() as session:
            await repository.revoke(session, found[0].id, now())
        return found[0]

    async def keep_admin_key(self, key: str) -> None:
        """Make the operator's own key good for everything. One that was revoked stays so."""
        async with self._database.reading() as session:
            row = await repository.find_key(session, hashed(key))
        if row is None:
            try:
                async with self._database.writing() as session:
                    await repository.add_key(session, _row(key, ADMIN, Role.ADMIN, ADMIN))
            except IntegrityError:
                return  # Another process, which started at the same time, was faster.
        elif row.revoked_at is not None:
            log.warning("the admin key of the settings is revoked and will be refused", key=row.prefix)


def _row(key: str, name: str, role: Role, owner: str) -> ApiKey:
    return ApiKey(
        id=uuid7(), name=name, owner=owner, role=role.value, hash=hashed(key), prefix=shown(key), created_at=now()
    )
