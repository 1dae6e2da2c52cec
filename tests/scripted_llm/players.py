"""Well-known hand-written policies, which play through nothing but the words of the conversation."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.scripted_llm.prompt import Message, Rules, read_rules, read_turn

Answer = dict[str, Any]


def answer(messages: Sequence[Message], schema: Mapping[str, Any] | None) -> Answer:
    """The reply to a conversation. `schema` is the one the request asks for; None = the one in the prompt."""
    rules = read_rules(next((m["content"] for m in messages if m["role"] == "system"), ""))
    observation = read_turn(messages).observation
    if isinstance(observation, Mapping):
        for fields, player in _PLAYERS.items():
            if rules.fields.issuperset(fields):
                return player(rules, [number for field in fields for number in _numbers(observation[field])])
    action = ((schema or rules.schema).get("properties") or {}).get("action", {})
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


def _numbers(value: Any) -> list[float]:
    return [float(item) for item in (value if isinstance(value, list) else [value])]


def _lunar_lander(rules: Rules, state: list[float]) -> Answer:
    x, y, velocity_x, velocity_y, angle, spin, left_leg, right_leg = state
    target_angle = min(0.4, max(-0.4, 0.5 * x + velocity_x))
    turn = 0.5 * (target_angle - angle) - spin
    rise = 0.5 * (0.55 * abs(x) - y) - 0.5 * velocity_y
    if left_leg or right_leg:
        turn, rise = 0.0, -0.5 * velocity_y
    if rise > abs(turn) and rise > 0.05:
        engine = "main engine"
    elif turn < -0.05:
        engine = r"turns the lander to the right|right[\w -]*engine"
    elif turn > 0.05:
        engine = r"turns the lander to the left|left[\w -]*engine"
    else:
        engine = "nothing"
    text = (
        f"At ({x:.2f}, {y:.2f}), falling at {-velocity_y:.2f}, tilt {angle:.2f}: want turn {turn:.2f}, lift {rise:.2f}."
    )
    return {"reflection": text, "action": rules.action(engine)}


def _cart_pole(rules: Rules, state: list[float]) -> Answer:
    position, velocity, angle, spin = state
    lean = 0.1 * position + 0.2 * velocity + 2.0 * angle + 0.5 * spin
    side = "right" if lean > 0 else "left"
    text = f"The pole is at {angle:.3f} and turns at {spin:.3f}: I push to the {side} to get under it."
    return {"reflection": text, "action": rules.action(rf"push[\w ,-]*{side}|{side}ward")}


def _mountain_car(rules: Rules, state: list[float]) -> Answer:
    position, velocity = state
    side = "left" if velocity < 0 else "right"
    text = f"At {position:.3f} with velocity {velocity:.4f}: I gain energy by pushing the way I move, to the {side}."
    return {"reflection": text, "action": rules.action(rf"(accelerate|push)[\w ,-]*{side}|{side}ward")}


_PLAYERS: Mapping[tuple[str, ...], Callable[[Rules, list[float]], Answer]] = {
    (
        "x",
        "y",
        "velocity_x",
        "velocity_y",
        "angle",
        "angular_velocity",
        "left_leg_contact",
        "right_leg_contact",
    ): _lunar_lander,
    ("lander_cartesian", "lander_angular", "legs_contact"): _lunar_lander,
    ("cart_position", "cart_velocity", "pole_angle", "pole_angular_velocity"): _cart_pole,
    ("position", "velocity"): _mountain_car,
}
