"""Every SQL statement about API keys and their sessions. Each function runs in the transaction of its caller."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, inspect, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.keys.models import ApiKey, KeySession


async def add_key(session: AsyncSession, key: ApiKey) -> None:
    """Store a new key."""
    session.add(key)
    await session.flush()


async def find_key(session: AsyncSession, hash: str) -> ApiKey | None:
    """A key by the hash of it, revoked or not."""
    return await session.scalar(select(ApiKey).where(ApiKey.hash == hash))


async def find_key_of_session(session: AsyncSession, hash: str, at: datetime) -> ApiKey | None:
    """The key, revoked or not, of a session that has not expired `at` that time."""
    opened = select(KeySession.key_id).where(KeySession.hash == hash, KeySession.expires_at > at)
    return await session.scalar(select(ApiKey).where(ApiKey.id == opened.scalar_subquery()))


async def any_key(session: AsyncSession) -> bool:
    """Whether a key was ever made."""
    return await session.scalar(select(ApiKey.id).limit(1)) is not None


async def has_table(session: AsyncSession) -> bool:
    """Whether the database is so far that it can hold keys."""
    connection = await session.connection()
    return await connection.run_sync(lambda sync: inspect(sync).has_table(ApiKey.__tablename__))


async def list_keys(session: AsyncSession) -> Sequence[ApiKey]:
    """All keys, oldest first."""
    return (await session.scalars(select(ApiKey).order_by(ApiKey.id))).all()


async def revoke(session: AsyncSession, key_id: UUID, at: datetime) -> None:
    """Make a key useless; one that is revoked already stays as it is."""
    await session.execute(update(ApiKey).where(ApiKey.id == key_id, ApiKey.revoked_at.is_(None)).values(revoked_at=at))


async def note_use(session: AsyncSession, key_id: UUID, at: datetime) -> None:
    """Note that a key was used."""
    await session.execute(update(ApiKey).where(ApiKey.id == key_id).values(last_used_at=at))


async def add_session(session: AsyncSession, opened: KeySession, at: datetime) -> None:
    """Store a session, and forget those that have expired `at` that time."""
    await session.execute(delete(KeySession).where(KeySession.expires_at <= at))
    session.add(opened)
    await session.flush()


async def delete_session(session: AsyncSession, hash: str) -> None:
    """End a session."""
    await session.execute(delete(KeySession).where(KeySession.hash == hash))
