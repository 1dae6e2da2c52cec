"""Every SQL statement about batches. Each function runs in the transaction of its caller."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.batches.models import Batch
from app.runs.models import Episode, Run


async def add_batch(session: AsyncSession, batch: Batch) -> None:
    """Store a new batch."""
    session.add(batch)
    await session.flush()


async def get_batch(
    session: AsyncSession, batch_id: UUID, owner: str | None = None, *, lock: bool = False
) -> Batch | None:
    """A batch by its id, of `owner` where one is given; with `lock`, nobody else can have it so meanwhile."""
    query = select(Batch).where(Batch.id == batch_id)
    if owner is not None:
        query = query.where(Batch.owner == owner)
    return await session.scalar(query.with_for_update() if lock else query)


async def find_by_idempotency_key(session: AsyncSession, owner: str, key: str) -> Batch | None:
    """The batch that `owner` made under an idempotency key."""
    return await session.scalar(select(Batch).where(Batch.owner == owner, Batch.idempotency_key == key))


async def list_batches(session: AsyncSession, owner: str | None, *, limit: int, after: UUID | None) -> Sequence[Batch]:
    """Batches of `owner`, None = of everybody, newest first, older than `after`."""
    query = select(Batch).order_by(Batch.id.desc()).limit(limit)
    if owner is not None:
        query = query.where(Batch.owner == owner)
    if after is not None:
        query = query.where(Batch.id < after)
    return (await session.scalars(query)).all()


async def delete_batch(session: AsyncSession, batch_id: UUID) -> None:
    """Delete a batch; its runs are the caller's."""
    await session.execute(delete(Batch).where(Batch.id == batch_id))


async def set_limit(session: AsyncSession, batch_id: UUID, max_cost_usd: float) -> None:
    """Allow a batch to cost so much."""
    await session.execute(update(Batch).where(Batch.id == batch_id).values(max_cost_usd=max_cost_usd))


async def budget(session: AsyncSession, batch_id: UUID, run_id: UUID) -> tuple[float | None, float]:
    """What a batch may cost, and what its runs but one have cost."""
    limit = await session.scalar(select(Batch.max_cost_usd).where(Batch.id == batch_id))
    spent = await session.scalar(select(func.sum(Run.cost_usd)).where(Run.batch_id == batch_id, Run.id != run_id))
    return limit, spent or 0.0


async def runs_of(session: AsyncSession, batch_ids: Sequence[UUID]) -> Sequence[Run]:
    """All runs of some batches, oldest first."""
    return (await session.scalars(select(Run).where(Run.batch_id.in_(batch_ids)).order_by(Run.id))).all()


async def leave_cell(session: AsyncSession, batch_id: UUID, cell: int) -> None:
    """Take all runs out of a cell: others take their place."""
    await session.execute(update(Run).where(Run.batch_id == batch_id, Run.cell == cell).values(cell=None))


async def tallies(session: AsyncSession, batch_ids: Sequence[UUID]) -> Sequence[Row[Any]]:
    """By batch, cell and status: how many episodes count, and the sum of their rewards."""
    found = _by_place(batch_ids).subquery()
    query = (
        select(
            found.c.batch_id,
            found.c.cell,
            found.c.status,
            func.count().label("episodes"),
            func.sum(found.c.total_reward).label("reward"),
        )
        .where(found.c.place == 1)
        .group_by(found.c.batch_id, found.c.cell, found.c.status)
    )
    return (await session.execute(query)).all()


async def counted_episodes(session: AsyncSession, batch_id: UUID) -> Sequence[Row[*tuple[Any, ...]]]:
    """The episodes that count: their run, index, cell, seed and status."""
    found = _by_place([batch_id]).subquery()
    columns = (found.c.run_id, found.c.episode, found.c.cell, found.c.seed, found.c.status)
    return (await session.execute(select(*columns).where(found.c.place == 1))).all()


def _by_place(batch_ids: Sequence[UUID]) -> Select[Any]:
    # Of the episodes with the same seed in a cell, the newest has the first place, and is the one that counts.
    newest = func.row_number().over(
        partition_by=(Run.batch_id, Run.cell, Episode.seed), order_by=(Run.id.desc(), Episode.episode)
    )
    return (
        select(
            Run.batch_id,
            Run.cell,
            Episode.run_id,
            Episode.episode,
            Episode.seed,
            Episode.status,
            Episode.total_reward,
            newest.label("place"),
        )
        .join(Episode, Episode.run_id == Run.id)
        .where(Run.batch_id.in_(batch_ids), Run.cell.is_not(None))
    )
