"""Gymnasium spaces and JSON: the schema of a space, observations as plain JSON, JSON actions as elements of a space."""

from gym_llm.spaces.elements import draw, from_json
from gym_llm.spaces.listed import listed_space
from gym_llm.spaces.plain import check_contains, digest, to_json
from gym_llm.spaces.schema import JsonSchema, check_action_space, json_schema
from gym_llm.spaces.summary import LARGE
from gym_llm.spaces.words import bounds, describe

__all__ = [
    "LARGE",
    "JsonSchema",
    "bounds",
    "check_action_space",
    "check_contains",
    "describe",
    "digest",
    "draw",
    "from_json",
    "json_schema",
    "listed_space",
    "to_json",
]
