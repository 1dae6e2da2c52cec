"""The rules of registered agents."""

from uuid import UUID

from sqlalchemy.exc import IntegrityError
from uuid_utils.compat import uuid7

from app.access import Caller
from app.agents import repository
from app.agents.models import RegisteredAgent
from app.agents.schemas import AgentList, AgentRequest, AgentView
from app.db import Database, now
from app.errors import ConflictError, InvalidRequestError, NotFoundError
from gym_llm.config import AgentConfig


class AgentService:
    """Agents by name. Names are unique per owner; whatever used an agent keeps the section as it was then."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, caller: Caller, request: AgentRequest) -> AgentView:
        """Register an agent.

        Raises:
            ConflictError: the name is taken.
        """
        at = now()
        agent = RegisteredAgent(
            id=uuid7(),
            owner=caller.owner,
            name=request.name,
            agent=request.agent.model_dump(),
            created_at=at,
            updated_at=at,
        )
        try:
            async with self._database.writing() as session:
                await repository.add_agent(session, agent)
        except IntegrityError:
            raise ConflictError("name: there is an agent of this name; PUT /agents/{name} replaces it.") from None
        return AgentView.model_validate(agent)

    async def list(self, caller: Caller, *, limit: int, after: UUID | None) -> AgentList:
        """Agents, newest first."""
        async with self._database.reading() as session:
            rows = await repository.list_agents(session, caller.sees, limit=limit + 1, after=after)
        return AgentList(data=[AgentView.model_validate(row) for row in rows[:limit]], has_more=len(rows) > limit)

    async def get(self, caller: Caller, name: str, owner: str | None = None) -> AgentView:
        """An agent.

        Args:
            caller: who asks.
            name: of the agent.
            owner: whose agent it is; None = the caller's own.

        Raises:
            NotFoundError: there is none that the caller sees.
        """
        async with self._database.reading() as session:
            row = await repository.get_agent(session, _owner(caller, owner), name)
        if row is None:
            raise _not_found()
        return AgentView.model_validate(row)

    async def replace(self, caller: Caller, name: str, agent: AgentConfig, owner: str | None = None) -> AgentView:
        """Put another section in the place of the one that there is; `get` tells the arguments and what is raised."""
        async with self._database.writing() as session:
            found = await repository.replace_agent(session, _owner(caller, owner), name, agent.model_dump(), now())
        if not found:
            raise _not_found()
        return await self.get(caller, name, owner)

    async def delete(self, caller: Caller, name: str, owner: str | None = None) -> None:
        """Delete an agent; `get` tells the arguments and what is raised."""
        async with self._database.writing() as session:
            if not await repository.delete_agent(session, _owner(caller, owner), name):
                raise _not_found()

    async def find(self, caller: Caller, agent: AgentConfig | str) -> AgentConfig:
        """The section that the `agent` of a request stands for.

        Raises:
            InvalidRequestError: it is a name that the caller has given to no agent.
        """
        if isinstance(agent, AgentConfig):
            return agent
        async with self._database.reading() as session:
            row = await repository.get_agent(session, caller.owner, agent)
        if row is None:
            raise InvalidRequestError("agent: you have no registered agent of this name; GET /agents lists them.")
        return AgentConfig.model_validate(row.agent)


def _owner(caller: Caller, owner: str | None) -> str:
    if owner is not None and caller.sees not in (None, owner):
        raise _not_found()
    return caller.owner if owner is None else owner


def _not_found() -> NotFoundError:
    return NotFoundError("There is no such agent.")
