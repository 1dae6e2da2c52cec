"""An environment on an OpenEnv server: JSON objects as actions and observations."""

from collections.abc import Mapping
from typing import Any, cast

import gymnasium as gym

from gym_llm import limits
from gym_llm.errors import EnvError, SpaceError
from gym_llm.json_space import JsonSpace
from gym_llm.llm_env import ActionSchema, LLMEnv, ObservationSchema
from gym_llm.openenv.connection import Connection

ANY_OBJECT: dict[str, Any] = {"type": "object"}
_OURS = ("done", "reward", "metadata")
"""Fields of the protocol's own: they do not come with an observation, and a model has nothing to say in them."""
_REFUSED = ("pattern", "patternProperties", "$id", "$schema", "$dynamicRef", "$dynamicAnchor")
"""Parts of a schema that a JsonSpace does not take; the server checks them itself."""


class OpenEnv(gym.Env[Any, Any], LLMEnv, limits.SelfLimiting):
    """An environment that is on a server. What goes wrong there is an `EnvError` here.

    Spaces and words come from the server's `/schema` and `/metadata`. The server holds an episode from the first reset
    to `close`.
    """

    metadata = {"render_modes": []}  # noqa: RUF012 - Gymnasium's own declaration

    def __init__(self, id: str, url: str, /, render_mode: str | None = None) -> None:
        """
        Raises:
            EnvError: the server is down, or its schemas can't be used.
        """
        self.render_mode = None
        self._connection = Connection(url, limits.timeout_s(id))
        try:
            schema, about = self._connection.about("/schema"), self._connection.about("/metadata")
            self._action = _usable(schema.get("action"), closed=True)
            self._observation = _usable(schema.get("observation"), closed=False)
            self.action_space = JsonSpace(self._action)
            self.observation_space = JsonSpace(self._observation)
        except SpaceError as error:
            self._connection.close()
            raise EnvError(f"the server's /schema: {error}") from error
        except BaseException:
            self._connection.close()
            raise
        words = [about.get("description"), self._action.get("description")]
        self._goal = "\n\n".join(word.strip() for word in words if isinstance(word, str) and word.strip())

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        return _observation(self._connection.reset(seed)), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        told = self._connection.step(action)
        reward, done = told.get("reward"), told.get("done", False)
        if reward is not None and not isinstance(reward, bool | int | float):
            raise EnvError("the server's reward is no number")
        if not isinstance(done, bool):
            raise EnvError("the server's done is neither true nor false")
        # The protocol does not tell an episode that was cut from one that came to its end.
        return _observation(told), float(reward or 0), done, False, {}

    def close(self) -> None:
        self._connection.close()

    def give_up(self) -> None:
        self._connection.close()

    def get_observation_schema(self) -> ObservationSchema:
        return {name: _field(part) for name, part in self._observation.get("properties", {}).items()}

    def get_action_schema(self) -> ActionSchema:
        return {
            name: " ".join(str(word) for word in _field(part).values())
            for name, part in self._action.get("properties", {}).items()
        }

    def get_goal_description(self) -> str:
        return self._goal or "Find out what earns reward here, and earn as much of it as you can."


def _observation(told: Mapping[str, Any]) -> dict[str, Any]:
    observation = told.get("observation")
    if not isinstance(observation, dict):
        raise EnvError("the server's answer holds no observation")
    return observation


def _usable(schema: Any, *, closed: bool) -> dict[str, Any]:
    """A server's schema of an action or an observation, without what is the protocol's own."""
    if not isinstance(schema, dict):
        return ANY_OBJECT
    kept = cast(dict[str, Any], _without_refused(schema))
    if isinstance(properties := kept.get("properties"), dict):
        kept["properties"] = {name: part for name, part in properties.items() if name not in _OURS}
    if isinstance(required := kept.get("required"), list):
        kept["required"] = [name for name in required if name not in _OURS]
    if not closed:
        kept.pop("additionalProperties", None)
    return kept


def _without_refused(part: Any, *, of_names: bool = False) -> Any:
    """`of_names`: the keys are names of fields, and any will do."""
    if isinstance(part, list):
        return [_without_refused(item) for item in part]
    if not isinstance(part, dict):
        return part
    return {
        name: _without_refused(inner, of_names=not of_names and name in ("properties", "$defs"))
        for name, inner in part.items()
        if of_names or name not in _REFUSED
    }


def _field(part: Any) -> dict[str, Any]:
    if not isinstance(part, dict):
        return {"description": ""}
    told = {"description": part.get("description") or part.get("title") or ""}
    kinds = part.get("type") or [option.get("type") for option in part.get("anyOf", ()) if isinstance(option, dict)]
    names = [kind for kind in (kinds if isinstance(kinds, list) else [kinds]) if isinstance(kind, str)]
    if names:
        told["type"] = " or ".join(names)
    if "enum" in part:
        told["values"] = ", ".join(map(str, part["enum"]))
    return told
