"""Every SQL statement about registered agents. Each function runs in the transaction of its caller."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.agents.models import RegisteredAgent


async def add_agent(session: AsyncSession, agent: RegisteredAgent) -> None:
    """Store a new agent."""
    session.add(agent)
    await session.flush()


async def get_agent(session: AsyncSession, owner: str, name: str) -> RegisteredAgent | None:
    """The agent that `owner` has under this name."""
    return await session.scalar(
        select(RegisteredAgent).where(RegisteredAgent.owner == owner, RegisteredAgent.name == name)
    )


async def list_agents(
    session: AsyncSession, owner: str | None, *, limit: int, after: UUID | None
) -> Sequence[RegisteredAgent]:
    """Agents of `owner`, None = of everybody, newest first, older than `after`."""
    query = select(RegisteredAgent).order_by(RegisteredAgent.id.desc()).limit(limit)
    if owner is not None:
        query = query.where(RegisteredAgent.owner == owner)
    if after is not None:
        query = query.where(RegisteredAgent.id < after)
    return (await session.scalars(query)).all()


async def replace_agent(session: AsyncSession, owner: str, name: str, agent: dict[str, Any], at: datetime) -> bool:
    """Put another section in the place of the one that there is; False where there is none."""
    replaced = await session.execute(
        update(RegisteredAgent)
        .where(RegisteredAgent.owner == owner, RegisteredAgent.name == name)
        .values(agent=agent, updated_at=at)
        .returning(RegisteredAgent.id)
    )
    return replaced.scalar() is not None


async def delete_agent(session: AsyncSession, owner: str, name: str) -> bool:
    """Delete an agent; False where there is none."""
    gone = await session.execute(
        delete(RegisteredAgent)
        .where(RegisteredAgent.owner == owner, RegisteredAgent.name == name)
        .returning(RegisteredAgent.id)
    )
    return gone.scalar() is not None
