"""The words that are sent."""

import gymnasium as gym
import orjson
import pytest
from gymnasium import spaces

import env_plugins
from gym_llm import get_env_definition
from gym_llm.json_space import JsonSpace
from gym_llm.prompt import observation_message, reply_schema, system_prompt
from gym_llm.spaces import json_schema
from tests.fakes import CountingEnv

IDS = [id for ids in env_plugins.plugins.values() for id in ids]


@pytest.mark.parametrize("id", IDS)
def test_it_tells_every_field_and_every_action(id: str) -> None:
    env = gym.make(id)
    definition = get_env_definition(env)
    prompt = system_prompt(definition, reply_schema(json_schema(env.action_space)), 1)
    for name, field in definition["observation_schema"].items():
        assert f'"{name}"' in prompt
        assert field["description"] in prompt
    actions = definition["action_schema"]
    told = [actions] if isinstance(actions, str) else [f"- {action}: {effect}" for action, effect in actions.items()]
    assert all(words in prompt for words in told)
    assert definition["goal_description"].strip() in prompt
    env.close()


def test_the_lander_reaches_what_prompt_caches_need() -> None:
    env = gym.make("LunarLanderLLM-v3")
    prompt = system_prompt(get_env_definition(env), reply_schema(json_schema(env.action_space)), 1)
    # OpenAI caches prefixes of 1,024 tokens and more; English prose has fewer than 5 characters a token.
    assert len(prompt) / 5 > 1024
    env.close()


def test_it_does_not_change_and_brings_the_schema() -> None:
    definition = get_env_definition(CountingEnv())
    schema = reply_schema({"type": "integer", "enum": [0, 1]})
    assert system_prompt(definition, schema, 1) == system_prompt(definition, schema, 1)
    assert orjson.dumps(schema).decode() in system_prompt(definition, schema, 1)
    assert list(schema["properties"]) == ["reflection", "action"]


def test_schemas_may_be_plain_text() -> None:
    definition = get_env_definition(CountingEnv()) | {"observation_schema": "a number", "action_schema": "0 or 1"}
    prompt = system_prompt(definition, reply_schema({}), 1)  # type: ignore[arg-type]
    assert "a number" in prompt
    assert "0 or 1" in prompt


@pytest.mark.parametrize(
    ("space", "schema", "told", "value"),
    [
        (spaces.Discrete(3), {0: "a", 1: "b", 2: "c"}, "answer with its key", "<key>"),
        (
            spaces.Dict(torque=spaces.Box(-2, 2, ())),
            {"torque": "a number"},
            "one JSON object with these fields",
            "<value>",
        ),
        (spaces.Box(-1, 1, (4,)), {"action": "a list of 4 numbers"}, "one JSON value, made up like this", "<value>"),
        (spaces.Discrete(1000), {"action": "a whole number from 0 to 999"}, "one JSON value", "<value>"),
        (JsonSpace({"enum": ["left", "right"]}), {"left": "l", "right": "r"}, "answer with its key", "<key>"),
    ],
)
def test_how_to_act_depends_on_the_action_space(
    space: gym.Space[object], schema: dict[object, str], told: str, value: str
) -> None:
    definition = get_env_definition(CountingEnv()) | {"action_space": space, "action_schema": schema}
    prompt = system_prompt(definition, reply_schema(json_schema(space)), 1)
    assert told in prompt
    assert f'"action": {value}}}' in prompt


def test_observations_are_compact_and_rounded_in_depth() -> None:
    message = observation_message(3, {"a": [0.123456, {"b": 1.0}], "c": True, "d": "x"}, -0.000012345)
    assert message == '{"step":3,"observation":{"a":[0.1235,{"b":1.0}],"c":true,"d":"x"},"reward":-0.0}'
