"""Every SQL statement about sessions. Each function runs in the transaction of its caller."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import and_, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import announce
from app.runs.models import ACTIVE, TERMINAL, Run, Step
from app.runs.repository import close_episodes
from app.sessions.models import Session, SessionCall


async def add_session(session: AsyncSession, run: Run, row: Session) -> None:
    """Store a new session."""
    session.add(run)
    await session.flush()
    session.add(row)
    await session.flush()


async def get_session(session: AsyncSession, session_id: UUID) -> Session:
    """The session that belongs to a run of kind `session`."""
    return (await session.scalars(select(Session).where(Session.run_id == session_id))).one()


async def list_sessions(session: AsyncSession, session_ids: Sequence[UUID]) -> dict[UUID, Session]:
    """Some sessions, by id."""
    found = await session.scalars(select(Session).where(Session.run_id.in_(session_ids)))
    return {row.run_id: row for row in found}


async def lock(session: AsyncSession, session_id: UUID, owner: str | None) -> tuple[Run, Session] | None:
    """A session, of `owner` where one is given. Until this transaction ends, nobody else can change it."""
    query = select(Run, Session).join(Session, Session.run_id == Run.id).where(Run.id == session_id)
    if owner is not None:
        query = query.where(Run.owner == owner)
    row = (await session.execute(query.with_for_update(of=Run))).one_or_none()
    return (row[0], row[1]) if row is not None else None


async def set_columns(session: AsyncSession, session_id: UUID, **columns: Any) -> None:
    """Set columns of a session."""
    await session.execute(update(Session).where(Session.run_id == session_id).values(**columns))


async def prolong_claim(session: AsyncSession, session_id: UUID, token: UUID, until: datetime) -> None:
    """Keep a session claimed, as long as `token` holds it."""
    await _set_claim(session, session_id, token, until)


async def release(session: AsyncSession, session_id: UUID, token: UUID) -> None:
    """Give a session back, if `token` still holds it."""
    if await _set_claim(session, session_id, token, None):
        await session.execute(update(Run).where(Run.id == session_id).values(worker_token=None))


async def _set_claim(session: AsyncSession, session_id: UUID, token: UUID, until: datetime | None) -> bool:
    # The run first, as everywhere: whoever locks in another order can end in a deadlock.
    held = select(Run.id).where(Run.id == session_id, Run.worker_token == token).with_for_update()
    if await session.scalar(held) is None:
        return False
    await set_columns(session, session_id, claimed_until=until)
    return True


async def release_all(session: AsyncSession) -> None:
    """End every claim, where no other process can hold one."""
    await session.execute(update(Session).values(claimed_until=None))


async def end(session: AsyncSession, run: Run, at: datetime, status: str, error: dict[str, Any] | None = None) -> None:
    """End a locked session, with the episode that is open."""
    run.status, run.error, run.finished_at = status, error, at
    await session.flush()
    await close_episodes(session, run.id, "cancelled")
    await announce(session, run.id)


async def expired(session: AsyncSession, at: datetime) -> Sequence[UUID]:
    """Open sessions whose time is over, and that no call is at work on."""
    unclaimed = or_(Session.claimed_until.is_(None), Session.claimed_until <= at)
    query = (
        select(Session.run_id)
        .join(Run, Run.id == Session.run_id)
        .where(and_(Session.expires_at <= at, unclaimed, Run.status.in_(ACTIVE)))
    )
    return (await session.scalars(query)).all()


async def over(session: AsyncSession, session_ids: Sequence[UUID]) -> Sequence[UUID]:
    """Which of some sessions are over or gone."""
    open_ = (await session.scalars(select(Run.id).where(Run.id.in_(session_ids), Run.status.not_in(TERMINAL)))).all()
    return [session_id for session_id in session_ids if session_id not in set(open_)]


async def get_call(session: AsyncSession, session_id: UUID, request_id: str) -> SessionCall | None:
    """The call that was made under a request id."""
    return await session.get(SessionCall, (session_id, request_id))


async def add_call(session: AsyncSession, call: SessionCall) -> None:
    """Store the answer of a call."""
    session.add(call)
    await session.flush()


async def tell_outcome(session: AsyncSession, run_id: UUID, episode: int, step: int, **columns: Any) -> None:
    """Complete a step whose reward and end were not known when it was stored."""
    query = update(Step).where(Step.run_id == run_id, Step.episode == episode, Step.step == step)
    await session.execute(query.values(**columns))
