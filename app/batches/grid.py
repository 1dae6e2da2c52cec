"""From what was asked for to cells: every agent in every environment, each point of a grid one of them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, TypeVar

import orjson
from pydantic import BaseModel, ValidationError

from app.artifacts.report.labels import labels, unique
from app.batches.schemas import AgentEntry, BatchRequest, EnvironmentEntry, Grid
from app.errors import InvalidRequestError
from app.problems import invalid_request
from app.runs.schemas import RunRequest
from gym_llm.config import AgentConfig, EnvironmentConfig

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Cell:
    """One agent in one environment, and what both are called."""

    agent: str
    environment: str
    run: RunRequest


@dataclass(frozen=True, slots=True)
class _Named:
    name: str | None
    agent: AgentConfig


def count(request: BatchRequest) -> int:
    """How many cells there are to be."""
    agents = sum(_points(entry.grid) if isinstance(entry, AgentEntry) else 1 for entry in request.agents)
    return agents * sum(_points(entry.grid) for entry in request.environments)


def cells(request: BatchRequest, registered: dict[str, AgentConfig]) -> list[Cell]:
    """Every cell, agents outermost.

    Args:
        request: what was asked for.
        registered: the agents that it names.

    Raises:
        InvalidRequestError: a point of a grid is not valid, or two agents or two environments are the same.
    """
    agents = [named for index, entry in enumerate(request.agents) for named in _agents(index, entry, registered)]
    environments = [one for index, entry in enumerate(request.environments) for one in _environments(index, entry)]
    _distinct("agents", [[named.name, named.agent.model_dump()] for named in agents])
    _distinct("environments", [one.model_dump() for one in environments])
    limits = [cost for cost in (request.max_cost_usd, request.experiment.max_cost_usd) if cost is not None]
    experiment = request.experiment.model_copy(update={"name": request.name, "max_cost_usd": min(limits, default=None)})
    environment_labels = labels([one.model_dump() for one in environments], "name")
    return [
        Cell(agent, environment, RunRequest(agent=named.agent, environment=one, experiment=experiment))
        for agent, named in zip(_agent_labels(agents), agents, strict=True)
        for environment, one in zip(environment_labels, environments, strict=True)
    ]


def _agents(index: int, entry: AgentEntry | str, registered: dict[str, AgentConfig]) -> list[_Named]:
    if isinstance(entry, str):
        return [_Named(entry, registered[entry])]
    base = entry.model_dump(exclude={"name", "grid"})
    return [
        _Named(
            entry.name and _at_point(entry.name, point),
            _valid(AgentConfig, base | point, ("agents", index, "grid")),
        )
        for point in _combinations(entry.grid)
    ]


def _environments(index: int, entry: EnvironmentEntry) -> list[EnvironmentConfig]:
    base = entry.kwargs or {}
    return [
        EnvironmentConfig(name=entry.name, kwargs=base | point or entry.kwargs) for point in _combinations(entry.grid)
    ]


def _agent_labels(agents: Sequence[_Named]) -> list[str]:
    made = iter(labels([named.agent.model_dump() for named in agents if named.name is None], "model"))
    return unique([next(made) if named.name is None else named.name for named in agents])


def _at_point(name: str, point: dict[str, Any]) -> str:
    return f"{name} ({', '.join(f'{field} {value}' for field, value in point.items())})" if point else name


def _points(grid: Grid) -> int:
    return math.prod(len(values) for values in grid.values())


def _combinations(grid: Grid) -> list[dict[str, Any]]:
    return [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]


def _valid(model: type[Model], values: dict[str, Any], where: tuple[str | int, ...]) -> Model:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        problems = error.errors(include_input=False, include_url=False, include_context=False)
        for problem in problems:
            problem["loc"] = (*where, *problem["loc"])
        raise invalid_request(problems) from None


def _distinct(what: str, entries: Sequence[Any]) -> None:
    seen = {orjson.dumps(entry, option=orjson.OPT_SORT_KEYS) for entry in entries}
    if len(seen) < len(entries):
        raise InvalidRequestError(f"{what}: two of them are the same; give agents that are meant to be alike names.")
