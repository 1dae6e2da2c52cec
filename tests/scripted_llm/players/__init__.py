"""Well-known hand-written policies, which play through nothing but the words of the conversation."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.scripted_llm.players import classic_control, grid_walks, landers, minigrid, toy_text
from tests.scripted_llm.prompt import Message, Rules, read_rules, read_turn

Answer = dict[str, Any]
Player = Callable[[Rules, Mapping[str, Any]], Answer]


def answer(messages: Sequence[Message], schema: Mapping[str, Any] | None) -> Answer:
    """The reply to a conversation. `schema` is the one the request asks for; None = the one in the prompt."""
    rules = read_rules(next((m["content"] for m in messages if m["role"] == "system"), ""))
    observation = read_turn(messages).observation
    action = ((schema or rules.schema).get("properties") or {}).get("action", {})
    if isinstance(observation, Mapping):
        # What a list of numbers decides differs from what one of a few actions does, whatever the fields are called.
        numbers = action.get("type") == "array"
        for fields, listed, player in _PLAYERS:
            if listed != numbers and rules.fields.keys() >= fields:
                return player(rules, observation)
    return {"reflection": "I do not know this environment, so I take the first action.", "action": first(action)}


def first(schema: Mapping[str, Any]) -> Any:
    """The first value that a JSON Schema allows."""
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type"):
        case "boolean":
            return False
        case "string":
            return "a" * schema.get("minLength", 0)
        case "array":
            items = schema.get("prefixItems") or [schema.get("items", {})] * schema.get("minItems", 0)
            return [first(item) for item in items]
        case "object":
            return {name: first(part) for name, part in schema.get("properties", {}).items()}
    return schema.get("minimum", 0)


_LANDER = {"x", "y", "velocity_x", "velocity_y", "angle", "angular_velocity", "left_leg_contact", "right_leg_contact"}
_PLAYERS: Sequence[tuple[set[str], bool, Player]] = [
    (_LANDER, True, landers.by_action),
    ({"lander_cartesian", "lander_angular", "legs_contact"}, True, landers.by_action),
    (_LANDER, False, landers.by_thrust),
    ({"cart_position", "cart_velocity", "pole_angle", "pole_angular_velocity"}, True, classic_control.cart_pole),
    ({"position", "velocity"}, True, classic_control.mountain_car),
    ({"position", "velocity"}, False, classic_control.mountain_car_by_force),
    ({"upper_velocity", "lower_velocity"}, True, classic_control.acrobot),
    ({"angle", "angular_velocity"}, False, classic_control.pendulum),
    ({"players_sum", "dealers_card", "usable_ace"}, True, toy_text.blackjack),
    ({"taxi_row", "taxi_column", "passenger", "destination"}, True, toy_text.taxi),
    ({"state"}, True, toy_text.taxi_by_number),
    ({"mission", "view", "things", "carrying"}, True, minigrid.play),
    ({"row", "column"}, True, grid_walks.play),
]
"""Fields, whether actions are listed, who plays."""
