"""Every SQL statement about runs, episodes and steps. Each function runs in the transaction of its caller."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import and_, case, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import announce, now
from app.runs.models import ACTIVE, TERMINAL, Episode, Run, Step


async def add_run(session: AsyncSession, run: Run) -> None:
    """Store a new run."""
    session.add(run)
    await session.flush()


async def get_run(session: AsyncSession, run_id: UUID, owner: str | None = None) -> Run | None:
    """A run by its id, of `owner` where one is given."""
    query = select(Run).where(Run.id == run_id)
    if owner is not None:
        query = query.where(Run.owner == owner)
    return await session.scalar(query)


async def find_by_idempotency_key(session: AsyncSession, owner: str, key: str) -> Run | None:
    """The run that `owner` made under an idempotency key."""
    return await session.scalar(select(Run).where(Run.owner == owner, Run.idempotency_key == key))


async def list_runs(
    session: AsyncSession, owner: str | None, *, limit: int, after: UUID | None, filters: Mapping[str, str | None]
) -> Sequence[Run]:
    """Runs of `owner`, None = of everybody, newest first, older than `after`; `filters` are equalities on columns,
    None = any."""
    query = select(Run).order_by(Run.id.desc()).limit(limit)
    if owner is not None:
        query = query.where(Run.owner == owner)
    if after is not None:
        query = query.where(Run.id < after)
    for column, value in filters.items():
        if value is not None:
            query = query.where(getattr(Run, column) == value)
    return (await session.scalars(query)).all()


async def count_active(session: AsyncSession, owner: str) -> int:
    """How many runs of `owner` are not over. Until this transaction ends, nobody else can count them."""
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"gym-llm runs of {owner}"))))
    query = select(func.count()).where(Run.owner == owner, Run.status.in_(ACTIVE))
    return await session.scalar(query) or 0


async def unfinished_runs(session: AsyncSession) -> Sequence[UUID]:
    """Ids of all runs that are not over, oldest first."""
    return (await session.scalars(select(Run.id).where(Run.status.in_(ACTIVE)).order_by(Run.id))).all()


async def over_runs(session: AsyncSession, run_ids: Sequence[UUID]) -> Sequence[UUID]:
    """Which of some runs are over."""
    query = select(Run.id).where(Run.id.in_(run_ids), Run.status.in_(TERMINAL))
    return (await session.scalars(query)).all()


async def claim(session: AsyncSession, run_id: UUID, token: UUID) -> Run | None:
    """Make `token` the holder of a run that is not over, and count a worker that was lost with it.

    Returns:
        The run as it is now, or None where it is over or gone.
    """
    lost = Run.worker_token.is_not(None)
    again = and_(lost, Run.lost_at_step == Run.steps)
    claimed = await session.execute(
        update(Run)
        .where(Run.id == run_id, Run.status.in_(ACTIVE))
        .values(
            worker_token=token,
            status=case((Run.status == "queued", "running"), else_=Run.status),
            started_at=func.coalesce(Run.started_at, now()),
            losses=case((again, Run.losses + 1), (lost, 1), else_=Run.losses),
            lost_at_step=case((lost, Run.steps), else_=Run.lost_at_step),
        )
        .returning(Run.id)
    )
    if claimed.scalar() is None:
        return None
    await announce(session, run_id)
    return await get_run(session, run_id)


async def release(session: AsyncSession, run_id: UUID, token: UUID) -> None:
    """Give a run back unfinished, so that the next claim does not count this worker as lost."""
    await session.execute(update(Run).where(Run.id == run_id, Run.worker_token == token).values(worker_token=None))


async def holds(session: AsyncSession, run_id: UUID, token: UUID, *, at_step: int | None = None, **values: Any) -> bool:
    """Whether `token` still holds the run; sets `values` on it if so. Every write of a worker goes through here.

    With `at_step`, the run's log must end there, too.
    """
    query = update(Run).where(Run.id == run_id, Run.worker_token == token, Run.status.in_(ACTIVE))
    if at_step is not None:
        query = query.where(Run.steps == at_step)
    held = await session.execute(query.values(worker_token=token, **values).returning(Run.id))
    if held.scalar() is None:
        return False
    if values:
        await announce(session, run_id)
    return True


async def request_cancel(session: AsyncSession, run_id: UUID) -> bool:
    """Cancel a queued run at once, and tell a running one to stop: True where that was not told before."""
    asked = await session.execute(
        update(Run)
        .where(Run.id == run_id, Run.status.in_(("queued", "running")))
        .values(
            status=case((Run.status == "queued", "cancelled"), else_="cancelling"),
            finished_at=case((Run.status == "queued", now()), else_=None),
        )
        .returning(Run.status)
    )
    await announce(session, run_id)
    return asked.scalar() == "cancelling"


async def delete_finished(session: AsyncSession, run_id: UUID) -> bool:
    """Delete a run that is over, with all that belongs to it."""
    gone = await session.execute(delete(Run).where(Run.id == run_id, Run.status.in_(TERMINAL)).returning(Run.id))
    return gone.scalar() is not None


async def add_episodes(session: AsyncSession, rows: Sequence[Mapping[str, Any]]) -> None:
    """Store episodes that begin."""
    await session.execute(insert(Episode), list(rows))


async def forget_steps(session: AsyncSession, run_id: UUID, episode: int) -> None:
    """Drop the steps of an episode that has to start again from the beginning."""
    await session.execute(delete(Step).where(Step.run_id == run_id, Step.episode == episode))


async def add_steps(session: AsyncSession, rows: Sequence[Mapping[str, Any]]) -> None:
    """Append to step logs."""
    await session.execute(insert(Step), list(rows))


async def update_episodes(session: AsyncSession, run_id: UUID, episodes: Mapping[int, Mapping[str, Any]]) -> None:
    """Set columns of episodes, which are by index."""
    rows = [{"run_id": run_id, "episode": episode, **values} for episode, values in episodes.items()]
    await session.execute(update(Episode), rows)


async def close_episodes(session: AsyncSession, run_id: UUID, status: str) -> None:
    """End the episodes that are still open, when their run ends."""
    await session.execute(
        update(Episode).where(Episode.run_id == run_id, Episode.status == "running").values(status=status)
    )


async def list_episodes(
    session: AsyncSession, run_id: UUID, *, limit: int | None = None, after: int = -1
) -> Sequence[Episode]:
    """Episodes by index."""
    query = select(Episode).where(Episode.run_id == run_id, Episode.episode > after).order_by(Episode.episode)
    return (await session.scalars(query.limit(limit))).all()


async def get_episode(session: AsyncSession, run_id: UUID, episode: int) -> Episode | None:
    """One episode."""
    return await session.get(Episode, (run_id, episode))


async def done_episodes(session: AsyncSession, run_id: UUID, after: int, up_to_step: int) -> Sequence[Episode]:
    """Ended episodes with a `done_order` beyond `after`, of those that ended by step `up_to_step` of the log."""
    query = (
        select(Episode)
        .where(Episode.run_id == run_id, Episode.done_order > after, Episode.done_at_step <= up_to_step)
        .order_by(Episode.done_order)
    )
    return (await session.scalars(query)).all()


async def count_done_before(session: AsyncSession, run_id: UUID, step: int) -> int:
    """How many episodes had ended before step `step` of the log was its newest."""
    query = select(func.count()).where(Episode.run_id == run_id, Episode.done_at_step < step)
    return await session.scalar(query) or 0


async def list_steps(
    session: AsyncSession, run_id: UUID, *, limit: int | None, after: int = 0, episode: int | None = None
) -> Sequence[Step]:
    """Steps in the order of the log, beyond `after`."""
    query = select(Step).where(Step.run_id == run_id, Step.id > after).order_by(Step.id).limit(limit)
    if episode is not None:
        query = query.where(Step.episode == episode)
    return (await session.scalars(query)).all()


async def step_totals(session: AsyncSession, run_id: UUID) -> Mapping[str, Any]:
    """Sums over the decided steps of a run: counts by outcome, tokens, cost, latency."""
    query = select(
        func.count().label("decisions"),
        func.coalesce(func.sum(case((Step.outcome == "repaired", 1), else_=0)), 0).label("repaired"),
        func.coalesce(func.sum(case((Step.outcome == "fallback", 1), else_=0)), 0).label("fallback"),
        func.coalesce(func.sum(Step.attempts), 0).label("attempts"),
        func.coalesce(func.sum(Step.prompt_tokens), 0).label("prompt_tokens"),
        func.coalesce(func.sum(Step.cached_tokens), 0).label("cached_tokens"),
        func.coalesce(func.sum(Step.completion_tokens), 0).label("completion_tokens"),
        func.count(Step.cost_usd).label("priced"),
        func.sum(Step.cost_usd).label("cost_usd"),
        func.avg(Step.latency_ms).label("mean_latency_ms"),
        func.max(Step.latency_ms).label("max_latency_ms"),
    ).where(Step.run_id == run_id, Step.decided)
    return dict((await session.execute(query)).mappings().one())
