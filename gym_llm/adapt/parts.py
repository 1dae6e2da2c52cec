"""The parts of a vector or a tuple, and the names that a docstring gives them."""

import re
import unicodedata
from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from gym_llm.adapt.docstring import Section
from gym_llm.spaces import LARGE

LONGEST_NAME = 40
_ARTICLES = {"a", "an", "the"}


def parts_of(space: gym.Space[Any]) -> list[gym.Space[Any]]:
    """The spaces of the single numbers of a vector, or of the parts of a tuple; empty for any other space."""
    match space:
        case spaces.Tuple():
            return list(space.spaces)
        case spaces.Box(shape=(length,)) if length <= LARGE:
            bounds = zip(space.low, space.high, strict=True)
            return [spaces.Box(low, high, shape=(), dtype=space.dtype.type) for low, high in bounds]
        case spaces.MultiDiscrete(shape=(length,)) if length <= LARGE:
            sizes = zip(space.nvec.tolist(), space.start.tolist(), strict=True)
            return [spaces.Discrete(size, start=start) for size, start in sizes]
    return []


def together(space: gym.Space[Any], values: Sequence[Any]) -> Any:
    """The element of `space` that has these parts."""
    return tuple(values) if isinstance(space, spaces.Tuple) else np.array(values, dtype=space.dtype)


def documented_parts(told: list[Section], what: str, count: int) -> list[dict[str, str]]:
    """What the docstring tells of each of `count` parts, in their order; empty where it does not tell of just so many.

    Args:
        told: the sections of the docstring.
        what: `observation` or `action`: the section, and the column of a table.
        count: of the parts.

    Returns:
        For each part its `name`, a `description`, and where there is one a `unit`.
    """
    tables = [table for section in told for table in section.tables if table and what in table[0]]
    for table in tables:
        rows = [row for row in table if "num" not in row or row["num"].isdigit()]
        if len(rows) == count and all(int(row.get("num", index)) == index for index, row in enumerate(rows)):
            return _named([(row[what], row.get("unit") or row.get("type (unit)", "")) for row in rows])
    for listed in lists_of(told, what):
        if list(listed) == list(range(count)):
            return _named([(text, "") for text in listed.values()])
    return []


def lists_of(told: list[Section], what: str) -> list[dict[int, str]]:
    """The numbered lists of the sections about `what`."""
    return [listed for section in told if what in section.heading for listed in section.lists()]


def _named(parts: list[tuple[str, str]]) -> list[dict[str, str]]:
    named: list[dict[str, str]] = []
    taken: set[str] = set()
    for index, (text, unit) in enumerate(parts):
        first = name = field_name(text) or f"value_{index}"
        number = 2
        while name in taken:
            name, number = f"{first}_{number}", number + 1
        taken.add(name)
        named.append({"name": name, "description": text or name, "unit": unit})
    return named


def field_name(text: str) -> str:
    """A name for what `text` describes: `pole_angle` of "Pole Angle (rad)"."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    plain = re.split(r"[=,;:(\[]", plain, maxsplit=1)[0]
    words = [word for word in re.findall(r"[a-z0-9]+", plain) if word not in _ARTICLES]
    name = ""
    for word in words:
        if len(name) + len(word) >= LONGEST_NAME:
            break
        name += f"_{word}" if name else word
    return f"n_{name}" if name[:1].isdigit() else name
