"""The words an agent sends: system prompt, observation message, repair message."""

from collections.abc import Mapping
from typing import Any

import orjson

from gym_llm.llm_env import EnvDefinition
from gym_llm.spaces import JsonSchema

DECIMALS = 4
"""Of every float in an observation message: more digits cost tokens and tell a model nothing."""


def reply_schema(action: JsonSchema) -> JsonSchema:
    """The JSON Schema of a reply; the reflection comes first, so that a model thinks before it acts."""
    return {
        "type": "object",
        "properties": {
            "reflection": {"type": "string", "description": "Short reasoning that leads to the action."},
            "action": action,
        },
        "required": ["reflection", "action"],
        "additionalProperties": False,
    }


def system_prompt(definition: EnvDefinition, reply: JsonSchema, action_rate: int) -> str:
    """All that stays the same within an episode: goal, observation, actions, reply format, how to reflect."""
    repeated = (
        f"\nYour action is repeated for {action_rate} steps before you are asked again, "
        "so choose one that is good for all of them."
        if action_rate > 1
        else ""
    )
    return f"""\
You are an agent that acts in an environment, one action at a time. Each turn you are shown the newest observation; \
you reflect on it and on the turns before it, and then choose exactly one action.

# Goal
{definition["goal_description"].strip()}

# Observation
Each turn you receive one JSON object with these keys:
- "step": the number of the step that your action is for, starting at 1.
- "observation": what you can see of the environment right now.
- "reward": the reward earned since your last action; not there on the first turn. More is better.
The fields of "observation" are:
{_fields(definition["observation_schema"])}

# Actions
Choose one of these and answer with its key, not with its description:
{_actions(definition["action_schema"])}{repeated}

# Reply
Answer with one JSON object and nothing else: no text around it, no code fence. It has exactly two keys, in this order:
1. "reflection": a string, one to three short sentences.
2. "action": the chosen action.
It must be valid against this JSON Schema:
{_compact(reply)}
The shape of a good answer:
{{"reflection": "<what the newest observation shows and how it changed>. <what the useful actions would each lead to>. \
<which one is best, and why>.", "action": <key>}}

# How to reflect
- Read every field of the newest observation; do not invent values that are not in it.
- Compare it with the earlier turns: what changed, how fast, and was it your last action that caused it?
- Predict where the present trend leads in the next few steps if you change nothing.
- Weigh what each action would do to that trend, its cost included.
- Prefer actions that keep you away from states that end the episode badly, and that bring the goal closer.
- When an action did not have the effect that you expected, say so and choose differently.
- A small correction early is better than a large one late; do not repeat an action out of habit.
"""


def _fields(schema: Any) -> str:
    if not isinstance(schema, Mapping):
        return str(schema)
    return "\n".join(f'- "{name}"{_field(field)}' for name, field in schema.items())


def _field(field: Any) -> str:
    if not isinstance(field, Mapping):
        return f": {field}"
    rest = dict(field)
    description = rest.pop("description", "")
    kind = rest.pop("type", None)
    size = rest.pop("size", None)
    of = f" ({size} x {kind})" if kind and size else f" ({kind})" if kind else ""
    more = "".join(f"; {name}: {value if isinstance(value, str) else _compact(value)}" for name, value in rest.items())
    return f"{of}: {description}{more}"


def _actions(schema: Any) -> str:
    if not isinstance(schema, Mapping):
        return str(schema)
    return "\n".join(f"- {action}: {effect}" for action, effect in schema.items())


def observation_message(step: int, observation: Any, reward: float | None) -> str:
    """The newest observation (plain JSON) as the compact JSON of one user message."""
    message = {"step": step, "observation": _rounded(observation)}
    if reward is not None:
        message["reward"] = round(reward, DECIMALS)
    return _compact(message)


def reply_text(reflection: str, action: Any) -> str:
    """A reflection and an action as the text of a reply."""
    return _compact({"reflection": reflection, "action": action})


def repair_message(problem: str, reply: JsonSchema) -> str:
    """What is said, once, after an invalid reply."""
    return (
        f"Your reply could not be used: {problem}. Answer the same observation again, with one JSON object that is "
        f"valid against this JSON Schema and nothing else: {_compact(reply)}"
    )


def _rounded(value: Any) -> Any:
    match value:
        case float():
            return round(value, DECIMALS)
        case list():
            return [_rounded(item) for item in value]
        case dict():
            return {name: _rounded(item) for name, item in value.items()}
    return value


def _compact(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()
