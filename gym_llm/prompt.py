"""The words an agent sends: system prompt, observation message, repair message."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from gymnasium import spaces

from gym_llm.images import name as picture_name
from gym_llm.json_space import JsonSpace
from gym_llm.llm_env import EnvDefinition
from gym_llm.spaces import JsonSchema
from gym_llm.template import fill

DECIMALS = 4
"""Of every float in an observation message: more digits cost tokens and tell a model nothing."""


@dataclass(frozen=True, slots=True)
class ReplyField:
    """A key of a reply besides its action."""

    name: str
    schema: JsonSchema
    told: str
    """What belongs in it, in words."""
    shape: str
    """What stands for it in the example of a reply, in JSON."""


@dataclass(frozen=True, slots=True)
class Words:
    """The parts of a system prompt in which one way of thinking differs from another."""

    intro: str
    fields: tuple[ReplyField, ...]
    """In the order of the reply; what comes before the action is thought before the agent acts."""
    how_to_reflect: str = ""
    keys: str = ""
    """Keys that an observation message may have beyond the usual ones, one a line."""


REFLECTION = ReplyField(
    "reflection",
    {"type": "string", "description": "Short reasoning that leads to the action."},
    "a string, one to three short sentences.",
    '"<what the newest observation shows and how it changed>. <what the useful actions would each lead to>. '
    '<which one is best, and why>."',
)

REFLECT = Words(
    intro="You are an agent that acts in an environment, one action at a time. Each turn you are shown the newest "
    "observation; you reflect on it and on the turns before it, and then choose exactly one action.",
    fields=(REFLECTION,),
    how_to_reflect="""\
- Read every field of the newest observation; do not invent values that are not in it.
- Compare it with the earlier turns: what changed, how fast, and was it your last action that caused it?
- Predict where the present trend leads in the next few steps if you change nothing.
- Weigh what each action would do to that trend, its cost included.
- Prefer actions that keep you away from states that end the episode badly, and that bring the goal closer.
- When an action did not have the effect that you expected, say so and choose differently.
- A small correction early is better than a large one late; do not repeat an action out of habit.""",
)

PICTURES = (
    "Pictures come with the message, in their order: "
    f'"{picture_name(1)}" in its text stands for the first one. Only the newest turns still show theirs.'
)
FRAME_KEY = '- "frame": a picture of the whole environment, as a person would see it.'

HEADINGS = {
    "goal": "Goal",
    "observation": "Observation",
    "actions": "Actions",
    "reply": "Reply",
    "how_to_reflect": "How to reflect",
}
"""Of the sections of the built-in system prompt, which are the fields of a template."""


def reply_schema(action: JsonSchema, fields: Sequence[ReplyField] = REFLECT.fields) -> JsonSchema:
    """The JSON Schema of a reply; the reflection comes first, so that a model thinks before it acts."""
    return {
        "type": "object",
        "properties": {field.name: field.schema for field in fields} | {"action": action},
        "required": [*(field.name for field in fields), "action"],
        "additionalProperties": False,
    }


def system_prompt(
    definition: EnvDefinition,
    reply: JsonSchema,
    action_rate: int,
    words: Words = REFLECT,
    *,
    template: str | None = None,
    vision: bool = False,
    frames: bool = False,
) -> str:
    """All that stays the same within an episode: goal, observation, actions, reply format, how to reflect.

    Args:
        definition: of the environment.
        reply: the JSON Schema of a reply.
        action_rate: for how many steps an action is taken.
        words: of the agent's strategy.
        template: a user's own, checked; None = the built-in prompt.
        vision: whether observations come with pictures.
        frames: whether the environment's frame is one of them.
    """
    keys = "".join(f"{key}\n" for key in (words.keys, FRAME_KEY if frames else "") if key)
    parts = {
        "goal": definition["goal_description"].strip(),
        "observation": _observation(definition["observation_schema"], keys) + (f"\n{PICTURES}" if vision else ""),
        "actions": _choice(definition, action_rate),
        "reply": _reply(reply, words.fields, "key" if _is_choice(definition) else "value"),
        "how_to_reflect": words.how_to_reflect,
    }
    if template is not None:
        return fill(template, parts)
    sections = [f"# {HEADINGS[name]}\n{part}\n" for name, part in parts.items() if part]
    return "\n".join([f"{words.intro}\n", *sections])


def _observation(schema: Any, keys: str) -> str:
    return f"""\
Each turn you receive one JSON object with these keys:
- "step": the number of the step that your action is for, starting at 1.
- "observation": what you can see of the environment right now.
- "reward": the reward earned since your last action; not there on the first turn. More is better.
{keys}The fields of "observation" are:
{_fields(schema)}"""


def _choice(definition: EnvDefinition, action_rate: int) -> str:
    repeated = (
        f"\nYour action is repeated for {action_rate} steps before you are asked again, "
        "so choose one that is good for all of them."
        if action_rate > 1
        else ""
    )
    return f"""\
{_how_to_act(definition)}
{_actions(definition["action_schema"])}{repeated}"""


def _reply(schema: JsonSchema, fields: Sequence[ReplyField], action: str) -> str:
    count = {0: "one key", 1: "two keys, in this order"}.get(len(fields), f"{len(fields) + 1} keys, in this order")
    told = [*((field.name, field.told) for field in fields), ("action", "the chosen action.")]
    numbered = "\n".join(f'{number}. "{name}": {what}' for number, (name, what) in enumerate(told, 1))
    shape = ", ".join([*(f'"{field.name}": {field.shape}' for field in fields), f'"action": <{action}>'])
    return f"""\
Answer with one JSON object and nothing else: no text around it, no code fence. It has exactly {count}:
{numbered}
It must be valid against this JSON Schema:
{compact(schema)}
The shape of a good answer:
{{{shape}}}"""


def _is_choice(definition: EnvDefinition) -> bool:
    match definition.get("action_space"):
        case JsonSpace(schema=schema):
            return "enum" in schema
        case None:
            return True
        case space:
            keys = definition["action_schema"]
            return isinstance(space, spaces.Discrete) and "action" not in keys


def _how_to_act(definition: EnvDefinition) -> str:
    if _is_choice(definition):
        return "Choose one of these and answer with its key, not with its description:"
    if isinstance(definition.get("action_space"), spaces.Dict):
        return "An action is one JSON object with these fields:"
    return "An action is one JSON value, made up like this:"


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
    more = "".join(f"; {name}: {value if isinstance(value, str) else compact(value)}" for name, value in rest.items())
    return f"{of}: {description}{more}"


def _actions(schema: Any) -> str:
    if not isinstance(schema, Mapping):
        return str(schema)
    return "\n".join(f"- {action}: {effect}" for action, effect in schema.items())


def observation_message(step: int, observation: Any, reward: float | None, frame: str | None = None) -> str:
    """The newest observation (plain JSON) as the compact JSON of one user message; `frame` names its picture."""
    message = {"step": step, "observation": _rounded(observation)}
    if frame is not None:
        message["frame"] = frame
    if reward is not None:
        message["reward"] = round(reward, DECIMALS)
    return compact(message)


def with_keys(more: Mapping[str, Any], message: str) -> str:
    """An observation message with `more` keys before its own."""
    return f"{compact(more)[:-1]},{message[1:]}"


def reply_text(reflection: str, action: Any) -> str:
    """A reflection and an action as the text of a reply."""
    return compact({"reflection": reflection, "action": action})


def repair_message(problem: str, reply: JsonSchema) -> str:
    """What is said, once, after an invalid reply."""
    return (
        f"Your reply could not be used: {problem}. Answer the same observation again, with one JSON object that is "
        f"valid against this JSON Schema and nothing else: {compact(reply)}"
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


def compact(value: Any) -> str:
    """`value` as JSON without a space too many."""
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()
