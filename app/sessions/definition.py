"""What comes with a request, as what an agent works with."""

from typing import Any

from app.errors import InvalidRequestError
from app.sessions.schemas import WHOLE, SessionDefinition
from gym_llm.agent import Agent
from gym_llm.backends import Backend
from gym_llm.config import AgentConfig
from gym_llm.errors import SpaceError
from gym_llm.json_space import JsonSpace
from gym_llm.spaces import to_json

BY_SCHEMA = 'Any JSON value that the schema of "action" below allows.'


def plain_json(value: Any, field: str) -> Any:
    """A value of a request, checked to be plain and finite JSON.

    Raises:
        InvalidRequestError: it is not; the message names the field.
    """
    try:
        return to_json(value)
    except SpaceError as error:
        raise InvalidRequestError(f"{error}") from None
    except RecursionError:
        raise InvalidRequestError(f"{field}: nested too deeply.") from None


def in_order(observation: Any, definition: SessionDefinition) -> Any:
    """A plain observation with its fields in the order of their schema, then of their names.

    A database may give them back in any order, and an agent is to be told the same from there as from a request.
    """
    if not isinstance(observation, dict):
        return _sorted(observation)
    first = [name for name in definition.observation_schema if name in observation]
    return {name: _sorted(observation[name]) for name in dict.fromkeys([*first, *sorted(observation)])}


def _sorted(value: Any) -> Any:
    match value:
        case dict():
            return {name: _sorted(value[name]) for name in sorted(value)}
        case list():
            return [_sorted(item) for item in value]
    return value


def make_agent(config: AgentConfig, definition: SessionDefinition, backend: Backend) -> Agent:
    """An agent for an environment that lives elsewhere.

    Raises:
        InvalidRequestError: the definition or the agent can't be used; the message names the field.
    """
    if config.backend == "baseline" and config.model != "random":
        raise InvalidRequestError("agent.model: of the baselines, only `random` needs no environment here.")
    schema: Any = BY_SCHEMA
    try:
        if definition.action_json_schema is not None:
            space = JsonSpace(definition.action_json_schema)
        else:
            schema = _keyed(definition.action_schema or {})
            kind = "integer" if isinstance(next(iter(schema)), int) else "string"
            space = JsonSpace({"type": kind, "enum": list(schema)})
        observations: Any = definition.observation_schema  # Words will do for a field, too.
        return Agent(config, observations, schema, definition.goal_description, action_space=space, backend=backend)
    except SpaceError as error:
        raise InvalidRequestError(f"definition.action_json_schema: {error}") from None


def _keyed(actions: dict[str, str]) -> dict[Any, str]:
    # JSON has no other keys than strings; where all are whole numbers, numbers are meant.
    whole = all(WHOLE.fullmatch(key) for key in actions)
    return {int(key) if whole else key: does for key, does in actions.items()}
