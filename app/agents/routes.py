"""HTTP of registered agents."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from app.agents.schemas import AgentChange, AgentList, AgentRequest, AgentView
from app.agents.service import AgentService
from app.body import REFUSALS, body_of, documented_body
from app.deps import AfterId, CurrentCaller, Limit
from app.errors import ConflictError, InvalidRequestError, NotFoundError
from app.problems import documented


def agent_service(request: Request) -> AgentService:
    service: AgentService = request.app.state.agents
    return service


Agents = Annotated[AgentService, Depends(agent_service)]
Name = Annotated[str, Path(pattern=r"^[a-z0-9_-]{1,64}$", description="Of the agent.")]
Owner = Annotated[
    str | None,
    Query(pattern=r"^[\w.@+-]{1,64}$", description="For admins: whose agent it is; without it, one's own."),
]

AGENT_YAML = """\
name: 'careful-llama'
agent:
    backend: 'ollama'
    model: 'llama3.1'
    temperature: .2
    history: 20
"""

router = APIRouter(prefix="/agents", tags=["agents"])


@router.post(
    "",
    status_code=201,
    summary="Register an agent",
    openapi_extra=documented_body(AgentRequest, AGENT_YAML),
    responses=documented(*REFUSALS, InvalidRequestError, ConflictError),
)
async def create_agent(
    body: Annotated[AgentRequest, Depends(body_of(AgentRequest))],
    agents: Agents,
    caller: CurrentCaller,
    request: Request,
    response: Response,
) -> AgentView:
    """Give an `agent` section a name: runs and sessions take the name in place of the section."""
    agent = await agents.create(caller, body)
    response.headers["Location"] = str(request.url_for("get_agent", name=agent.name).path)
    return agent


@router.get("", summary="List agents, newest first", responses=documented(InvalidRequestError))
async def list_agents(agents: Agents, caller: CurrentCaller, limit: Limit = 20, after: AfterId = None) -> AgentList:
    """One's own; an admin sees those of everybody."""
    return await agents.list(caller, limit=limit, after=after)


@router.get("/{name}", summary="Get an agent", responses=documented(NotFoundError, InvalidRequestError))
async def get_agent(name: Name, agents: Agents, caller: CurrentCaller, owner: Owner = None) -> AgentView:
    """Its section, every default filled in."""
    return await agents.get(caller, name, owner)


@router.put(
    "/{name}",
    summary="Replace an agent",
    openapi_extra=documented_body(AgentChange),
    responses=documented(*REFUSALS, NotFoundError, InvalidRequestError),
)
async def replace_agent(
    name: Name,
    body: Annotated[AgentChange, Depends(body_of(AgentChange))],
    agents: Agents,
    caller: CurrentCaller,
    owner: Owner = None,
) -> AgentView:
    """Runs and sessions that have used it keep the section as it was then."""
    return await agents.replace(caller, name, body.agent, owner)


@router.delete(
    "/{name}", status_code=204, summary="Delete an agent", responses=documented(NotFoundError, InvalidRequestError)
)
async def delete_agent(name: Name, agents: Agents, caller: CurrentCaller, owner: Owner = None) -> None:
    """Runs and sessions that have used it keep the section as it was then."""
    await agents.delete(caller, name, owner)
