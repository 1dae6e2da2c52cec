"""The space of JSON values that a JSON Schema allows: actions that no Gymnasium space describes."""

import math
from collections.abc import Mapping
from typing import Any

import gymnasium as gym
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, best_match
from referencing import Registry
from referencing.exceptions import Unresolvable

from gym_llm.errors import SpaceError

UNBOUNDED = 100
"""A number without a bound is drawn from within this distance of the bound it has, or of 0."""
MAX_DEPTH = 16
"""Of a drawn value: a schema may refer to itself."""


class JsonSpace(gym.Space[Any]):
    """JSON values that are valid against `schema` (draft 2020-12). Its elements are plain JSON.

    References must lead inside the schema, and regular expressions are refused: a schema may come with a request, and
    neither may fetch anything nor compute for ever.

    Raises:
        SpaceError: `schema` is no such schema.
    """

    def __init__(self, schema: Mapping[str, Any], seed: int | None = None) -> None:
        super().__init__(seed=seed)
        self.schema = dict(schema)
        try:
            Draft202012Validator.check_schema(self.schema)
        except SchemaError as error:
            raise SpaceError(f"not a JSON Schema: {error.message:.300}") from error
        _refuse(self.schema)
        self._validator = Draft202012Validator(self.schema, registry=Registry())

    def check(self, value: Any, field: str) -> None:
        """Check that `value` is valid.

        Raises:
            SpaceError: it is not; the message names the part that is wrong.
        """
        try:
            error = best_match(self._validator.iter_errors(value))
        except (RecursionError, Unresolvable) as failure:
            raise SpaceError(f"{field} can't be checked: the schema refers to nothing or to itself") from failure
        if error is not None:
            raise SpaceError(f"{field}{error.json_path.removeprefix('$')}: {error.message:.300}")

    def contains(self, x: Any) -> bool:
        try:
            self.check(x, "value")
        except SpaceError:
            return False
        return True

    def sample(self, mask: Any | None = None, probability: Any | None = None) -> Any:
        """A random element.

        Raises:
            SpaceError: the schema uses what cannot be drawn from.
        """
        value = self._draw(self.schema, MAX_DEPTH)
        self.check(value, "a drawn value")
        return value

    @property
    def is_np_flattenable(self) -> bool:
        return False

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, JsonSpace) and self.schema == other.schema

    def __hash__(self) -> int:
        return hash(repr(self.schema))

    def __repr__(self) -> str:
        return f"JsonSpace({self.schema})"

    def _draw(self, schema: Any, depth: int) -> Any:
        match schema:
            case _ if depth == 0:
                raise SpaceError("the schema is too deep to draw a value from it")
            case {"const": value}:
                return value
            case {"enum": [*values]}:
                return values[self.np_random.integers(len(values))]
            case {"$ref": str(reference)}:
                return self._draw(self._resolve(reference), depth - 1)
            case {"anyOf": [*schemas]} | {"oneOf": [*schemas]}:
                return self._draw(schemas[self.np_random.integers(len(schemas))], depth - 1)
            case {"type": [*kinds]}:
                return self._draw({**schema, "type": kinds[self.np_random.integers(len(kinds))]}, depth - 1)
            case {"type": "null"}:
                return None
            case {"type": "boolean"}:
                return bool(self.np_random.integers(2))
            case {"type": "integer"}:
                low, high = _bounds(schema)
                return int(self.np_random.integers(math.ceil(low), math.floor(high), endpoint=True))
            case {"type": "number"}:
                return float(self.np_random.uniform(*_bounds(schema)))
            case {"type": "string"}:
                length = schema.get("minLength", 0)
                letters = self.np_random.integers(26, size=max(length, min(8, schema.get("maxLength", 8))))
                return "".join(chr(ord("a") + letter) for letter in letters)
            case {"type": "array"}:
                first = [self._draw(part, depth - 1) for part in schema.get("prefixItems", ())]
                rest = range(len(first), schema.get("minItems", len(first)))
                return first + [self._draw(schema.get("items", {"type": "null"}), depth - 1) for _ in rest]
            case {"type": "object"} | {"properties": _}:
                properties = schema.get("properties", {})
                return {
                    name: self._draw(properties.get(name, {"type": "null"}), depth - 1)
                    for name in schema.get("required", properties)
                }
        raise SpaceError(f"no value can be drawn from the schema {schema!r:.200}")

    def _resolve(self, reference: str) -> Any:
        part: Any = self.schema
        for name in reference.removeprefix("#").strip("/").split("/"):
            part = part.get(name.replace("~1", "/").replace("~0", "~")) if isinstance(part, dict) else None
        return part


def _bounds(schema: Mapping[str, Any]) -> tuple[float, float]:
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    if low is None:
        low = (high if high is not None else UNBOUNDED) - (UNBOUNDED if high is not None else 2 * UNBOUNDED)
    return float(low), float(high if high is not None else low + UNBOUNDED)


def _refuse(schema: Any) -> None:
    match schema:
        case dict():
            for name in ("pattern", "patternProperties", "$id", "$dynamicRef"):
                if isinstance(schema.get(name), str | dict):
                    raise SpaceError(f"not a JSON Schema that can be used here: {name} is not allowed")
            if isinstance(reference := schema.get("$ref"), str) and not reference.startswith("#"):
                raise SpaceError("not a JSON Schema that can be used here: $ref must lead inside the schema")
            for name, part in schema.items():
                if name not in ("const", "enum", "default", "examples"):
                    _refuse(part)
        case list():
            for part in schema:
                _refuse(part)
