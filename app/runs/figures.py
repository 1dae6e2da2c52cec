"""SQL about what decisions took. It adds nothing up: the sums of a database depend on the order of its rows."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.runs.models import Step


async def decision_figures(
    session: AsyncSession, run_id: UUID, episode: int, *, after: int, up_to: int, limit: int
) -> Sequence[Row[*tuple[Any, ...]]]:
    """What the decisions of an episode took, by step, beyond `after` and up to `up_to`; inherited ones are the
    parent's."""
    query = (
        select(
            Step.step,
            Step.outcome,
            Step.attempts,
            Step.prompt_tokens,
            Step.cached_tokens,
            Step.completion_tokens,
            Step.cost_usd,
            Step.latency_ms,
        )
        .where(Step.run_id == run_id, Step.episode == episode, Step.step > after, Step.step <= up_to)
        .where(Step.decided, Step.inherited.is_(False))
        .order_by(Step.step)
        .limit(limit)
    )
    return (await session.execute(query)).all()
