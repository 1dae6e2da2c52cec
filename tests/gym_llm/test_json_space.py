import pytest

from gym_llm.errors import SpaceError
from gym_llm.json_space import JsonSpace
from gym_llm.spaces import draw, from_json, json_schema

MOVE = {
    "type": "object",
    "properties": {
        "direction": {"enum": ["left", "right"]},
        "speed": {"type": "number", "minimum": 0, "maximum": 2},
        "pushes": {"type": "array", "items": {"type": "integer", "maximum": 3}, "minItems": 2},
        "then": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/wait"}]},
    },
    "required": ["direction", "speed", "pushes", "then"],
    "additionalProperties": False,
    "$defs": {"wait": {"type": "object", "properties": {"s": {"type": ["integer", "boolean"]}}, "required": ["s"]}},
}


def test_a_valid_value_is_its_own_element() -> None:
    move = {"direction": "left", "speed": 0.5, "pushes": [1, 2], "then": {"s": 4}}
    assert from_json(JsonSpace(MOVE), move) == move
    assert json_schema(JsonSpace(MOVE)) == MOVE


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"direction": "up"}, r"action\.direction"),
        ({"speed": 3}, r"action\.speed: 3 is greater than the maximum of 2"),
        ({"pushes": [1, 9]}, r"action\.pushes\[1\]"),
        ({"jump": True}, r"action: .*'jump' was unexpected"),
    ],
)
def test_an_invalid_value_is_refused_by_its_field(change: dict[str, object], told: str) -> None:
    move = {"direction": "left", "speed": 0.5, "pushes": [1, 2], "then": None}
    with pytest.raises(SpaceError, match=told):
        from_json(JsonSpace(MOVE), move | change)


def test_draws_are_valid_and_follow_from_seed_and_step() -> None:
    space = JsonSpace(MOVE)
    drawn = [draw(space, 3, step) for step in range(50)]
    assert all(space.contains(value) for value in drawn)
    assert drawn == [draw(space, 3, step) for step in range(50)]
    assert {value["direction"] for value in drawn} == {"left", "right"}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "sideways"},
        {"$ref": "https://example.com/schema.json"},
        {"properties": {"a": {"type": "string", "pattern": "(a+)+$"}}},
        {"$id": "https://example.com/", "type": "string"},
    ],
)
def test_schemas_that_are_wrong_or_reach_outside_are_refused(schema: dict[str, object]) -> None:
    with pytest.raises(SpaceError, match="JSON Schema"):
        JsonSpace(schema)


@pytest.mark.parametrize("schema", [{"$ref": "#"}, {"$ref": "#/$defs/nowhere"}])
def test_a_schema_that_leads_nowhere_is_an_error_and_nothing_worse(schema: dict[str, object]) -> None:
    space = JsonSpace(schema)
    with pytest.raises(SpaceError):
        space.sample()
    with pytest.raises(SpaceError):
        from_json(space, {"a": 1})
