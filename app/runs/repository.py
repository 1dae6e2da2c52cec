"""Every SQL statement about runs, episodes and steps. Each function runs in the transaction of its caller."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Uuid, and_, case, delete, func, insert, literal, select, true, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import announce, now
from app.runs.models import ACTIVE, RUN, TERMINAL, Episode, Run, Step


async def add_runs(session: AsyncSession, runs: Sequence[Run]) -> None:
    """Store new runs."""
    session.add_all(runs)
    await session.flush()


async def get_run(session: AsyncSession, run_id: UUID, owner: str | None = None, kind: str | None = None) -> Run | None:
    """A run by its id, of `owner` and of `kind` where one is given."""
    query = select(Run).where(Run.id == run_id)
    if kind is not None:
        query = query.where(Run.kind == kind)
    if owner is not None:
        query = query.where(Run.owner == owner)
    return await session.scalar(query)


async def find_by_idempotency_key(session: AsyncSession, owner: str, key: str) -> Run | None:
    """The run that `owner` made under an idempotency key."""
    return await session.scalar(select(Run).where(Run.owner == owner, Run.idempotency_key == key))


async def list_runs(
    session: AsyncSession,
    owner: str | None,
    *,
    kind: str,
    limit: int,
    after: UUID | None,
    filters: Mapping[str, str | UUID | None],
) -> Sequence[Run]:
    """Runs of one kind and of `owner`, None = of everybody, newest first, older than `after`; `filters` are equalities
    on columns, None = any."""
    query = select(Run).where(Run.kind == kind).order_by(Run.id.desc()).limit(limit)
    if owner is not None:
        query = query.where(Run.owner == owner)
    if after is not None:
        query = query.where(Run.id < after)
    for column, value in filters.items():
        if value is not None:
            query = query.where(getattr(Run, column) == value)
    return (await session.scalars(query)).all()


async def count_active(session: AsyncSession, owner: str, kind: str) -> int:
    """How many runs of `kind` and `owner` are not over. Until this transaction ends, nobody else can count them."""
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"gym-llm runs of {owner}"))))
    query = select(func.count()).where(Run.owner == owner, Run.kind == kind, Run.status.in_(ACTIVE))
    return await session.scalar(query) or 0


async def unfinished_runs(session: AsyncSession) -> Sequence[UUID]:
    """Ids of all runs that play by themselves and are not over, oldest first."""
    query = select(Run.id).where(Run.kind == RUN, Run.status.in_(ACTIVE)).order_by(Run.id)
    return (await session.scalars(query)).all()


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


async def coming_losses(session: AsyncSession, run_id: UUID) -> int:
    """How many workers the coming claim of a run will count as lost at the step where it is."""
    before = case((Run.lost_at_step == Run.steps, Run.losses), else_=0)
    query = select(before + case((Run.worker_token.is_not(None), 1), else_=0)).where(Run.id == run_id)
    return await session.scalar(query) or 0


async def release(session: AsyncSession, run_id: UUID, token: UUID) -> bool:
    """Give a run that is not over back, so that the next claim does not count this worker as lost; False where it was
    not held by `token`."""
    held = (Run.id == run_id, Run.worker_token == token, Run.status.in_(ACTIVE))
    released = await session.execute(update(Run).where(*held).values(worker_token=None).returning(Run.id))
    return released.scalar() is not None


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
    status = asked.scalar()
    if status == "cancelled":  # One that has not been played yet may be a fork, with an episode that it inherited.
        await close_episodes(session, run_id, status)
    await announce(session, run_id)
    return status == "cancelling"


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


async def last_episode(session: AsyncSession, run_id: UUID) -> Episode | None:
    """The episode that began last."""
    query = select(Episode).where(Episode.run_id == run_id).order_by(Episode.episode.desc()).limit(1)
    return await session.scalar(query)


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


async def list_episode_steps(
    session: AsyncSession, run_id: UUID, episode: int, *, after: int, up_to: int, limit: int
) -> Sequence[Row[Any]]:
    """Steps of an episode by number, beyond `after` and up to `up_to`, as plain rows."""
    query = (
        select(*Step.__table__.c)
        .where(Step.run_id == run_id, Step.episode == episode, Step.step > after, Step.step <= up_to)
        .order_by(Step.step)
        .limit(limit)
    )
    return (await session.execute(query)).all()


async def inherit(session: AsyncSession, run: Run, parent_id: UUID, episode: int) -> None:
    """Begin an episode of a new run as one of another run began, with as many of its steps as the new log is said to
    have.

    The parent has paid for them: what they cost is 0 here.
    """
    free = {"attempts": 0, "latency_ms": 0.0, "prompt_tokens": 0, "cached_tokens": 0, "completion_tokens": 0}
    changed: dict[str, Any] = {
        **{name: literal(value) for name, value in free.items()},
        "cost_usd": case((Step.decided, 0.0), else_=None),
        "run_id": literal(run.id, Uuid),
        "id": Step.step,
        "episode": literal(0),
        "inherited": true(),
    }
    copied = select(*(changed.get(column.name, column) for column in Step.__table__.c)).where(
        Step.run_id == parent_id, Step.episode == episode, Step.step <= run.steps
    )
    await session.execute(insert(Step).from_select([column.name for column in Step.__table__.c], copied))
    totals = select(func.coalesce(func.sum(Step.reward), 0.0)).where(Step.run_id == run.id)
    told = select(Episode.lessons_before).where(Episode.run_id == parent_id, Episode.episode == episode)
    values = {
        "status": "running",
        "num_steps": run.steps,
        "total_reward": await session.scalar(totals),
        "lessons_before": await session.scalar(told),
    }
    await add_episodes(session, [{"run_id": run.id, "episode": 0, "seed": run.experiment["seed"], **values}])


async def step_totals(session: AsyncSession, run_id: UUID) -> Mapping[str, Any]:
    """Sums over the steps that a run has decided itself: counts by outcome, tokens, cost, latency."""
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
    ).where(Step.run_id == run_id, Step.decided, Step.inherited.is_(False))
    return dict((await session.execute(query)).mappings().one())
