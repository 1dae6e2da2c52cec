"""Whether the words of an environment are there, and match its spaces."""

from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema
import numpy as np
import orjson
from gymnasium import spaces

from gym_llm.backends.base import Reply
from gym_llm.check.finding import Finding
from gym_llm.decision import read_reply
from gym_llm.errors import ConfigError, InvalidReplyError, SpaceError
from gym_llm.llm_env import EnvDefinition
from gym_llm.prompt import reply_schema, reply_text, system_prompt
from gym_llm.spaces import check_action_space, draw, from_json, json_schema, to_json
from gym_llm.spaces.schema import MAX_ENUM

DRAWS = 20
"""Actions that are taken through JSON and back."""
SHORTEST_GOAL = 60
"""Characters; less can't tell a goal, rewards and an end."""
CACHED_FROM = 1024
"""Tokens: OpenAI caches prefixes from this length on."""
LONGEST_PROMPT = 8000
"""Tokens of a system prompt that is sent with every step."""
CHARACTERS = 4.5
"""Of English prose, per token."""


def check_observations(definition: EnvDefinition) -> Iterator[Finding]:
    """Each field of the observation space has words, and the other way round."""
    title = "observation schema"
    schema, space = definition["observation_schema"], definition.get("observation_space")
    if not isinstance(schema, Mapping) or not schema:
        yield Finding("error", title, "it is not a mapping of fields", "Return {field: {'description': ...}}.")
        return
    for name, field in schema.items():
        description = field.get("description") if isinstance(field, Mapping) else field
        if not str(description or "").strip():
            advice = "Say what the number means, where 0 is, which direction is positive, and its unit."
            yield Finding("error", title, f"{name} has no description", advice)
    if not isinstance(space, spaces.Dict):
        advice = "Make observation_space a gymnasium.spaces.Dict: models read names better than positions."
        yield Finding("warning", title, f"observations have no field names: their space is {space!s:.100}", advice)
        return
    for name in space.spaces.keys() - schema.keys():
        yield Finding("error", title, f"{name} is observed and not described", f"Add {name!r} to the schema.")
    for name in schema.keys() - space.spaces.keys():
        advice = "Spell it as in observation_space, or take it out: models look for every field that they are told of."
        yield Finding("error", title, f"{name} is described and not observed", advice)
    try:
        json_schema(space)
    except SpaceError as error:
        advice = "Observe Discrete, Box, MultiBinary, MultiDiscrete, Text, Tuple, Dict or Sequence."
        yield Finding("error", title, str(error), advice)


def check_actions(definition: EnvDefinition) -> Iterator[Finding]:
    """Each action has words, and what a model would answer is an element of the action space."""
    title = "action schema"
    schema, space = definition["action_schema"], definition["action_space"]
    assert space is not None  # noqa: S101 - get_env_definition always tells it
    if isinstance(schema, Mapping) and schema:
        yield from _described(schema, _expected(space), title)
    elif not isinstance(schema, str) or not schema.strip():
        yield Finding("error", title, "it says nothing", "Return {action: what it does}, or one text about them all.")
    elif _expected(space):
        yield Finding("error", title, "it is one text, and actions can be listed", "Return {action: what it does}.")
    try:
        check_action_space(space)
    except ConfigError as error:
        yield Finding("error", "action space", str(error), "Ask for fewer numbers: choose among named actions.")
        return
    yield from _round_trips(space)


def _described(schema: Mapping[Any, str], expected: set[Any], title: str) -> Iterator[Finding]:
    for action, effect in schema.items():
        if not str(effect or "").strip():
            yield Finding("error", title, f"{action} has no description", "Say what it does and what it costs.")
    for action in expected - schema.keys():
        yield Finding("error", title, f"{action!r} is not described", "Add it to the schema, with its effect.")
    for action in schema.keys() - expected if expected else ():
        advice = "Use the elements (of a Discrete space: int) or the fields (of a Dict) of action_space as keys."
        yield Finding("error", title, f"{action!r} is described and not in the action space", advice)


def _expected(space: Any) -> set[Any]:
    match space:
        case spaces.Discrete() if space.n <= MAX_ENUM:
            return set(range(int(space.start), int(space.start + space.n)))
        case spaces.Dict():
            return set(space.spaces)
    return set()


def _round_trips(space: Any) -> Iterator[Finding]:
    schema = json_schema(space)
    for step in range(DRAWS):
        action = draw(space, 0, step)
        plain = to_json(action)
        try:
            jsonschema.validate(plain, schema)
            _, answered = read_reply(Reply(reply_text("Because.", plain)), space)
            again = from_json(space, answered)
        except (jsonschema.ValidationError, InvalidReplyError, SpaceError) as error:
            told = f"the action {plain} does not survive the way through JSON: {error!s:.200}"
            yield Finding("error", "action space", told, "Use a space of Gymnasium as it is, without subclassing it.")
            return
        if not space.contains(again) or not np.array_equal(orjson.dumps(to_json(again)), orjson.dumps(plain)):
            told = f"the action {plain} comes back from JSON as {to_json(again)}"
            yield Finding("error", "action space", told, "Use a space of Gymnasium as it is, without subclassing it.")
            return


def check_goal(definition: EnvDefinition) -> Iterator[Finding]:
    """The goal is told."""
    goal = definition["goal_description"]
    if not isinstance(goal, str) or not goal.strip():
        advice = "Say what to reach, what each step earns or costs, and how an episode ends."
        yield Finding("error", "goal", "there is no description of the goal", advice)
    elif len(goal.strip()) < SHORTEST_GOAL:
        advice = "Say what each step earns or costs, and how an episode ends: a model has nothing else to go by."
        yield Finding("warning", "goal", f"its description has only {len(goal.strip())} characters", advice)


def check_prompt(definition: EnvDefinition) -> Iterator[Finding]:
    """The system prompt is long enough for the providers' caches, and no longer than is useful."""
    space = definition["action_space"]
    assert space is not None  # noqa: S101 - get_env_definition always tells it
    length = len(system_prompt(definition, reply_schema(json_schema(space)), 1)) / CHARACTERS
    told = f"the system prompt has about {length:.0f} tokens"
    if length < CACHED_FROM:
        advice = (
            f"Providers cache from {CACHED_FROM} tokens on, and a cached prompt costs half or less: tell more "
            "that helps it, such as the effect of each action in numbers, or how to play well."
        )
        yield Finding("warning", "prompt", told, advice)
    if length > LONGEST_PROMPT:
        yield Finding("warning", "prompt", told, "It is sent with every step: tell what decisions depend on, no more.")
