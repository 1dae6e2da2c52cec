"""What the agent sees: MiniGrid's array of its view as words, and those words read again."""

import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from minigrid.core.constants import IDX_TO_COLOR, IDX_TO_OBJECT, STATE_TO_IDX
from numpy.typing import NDArray

Image = NDArray[np.uint8]
"""Column, row and (kind, color, state): the agent is at the middle of the last row and looks towards row 0."""

WALL, FREE, UNSEEN, AGENT = "#", ".", "?", "^"
CLOSED, LOCKED, OPEN = "D", "L", "O"
LAVA, GOAL = "~", "G"
SYMBOLS = {"key": "K", "ball": "B", "box": "X", "goal": GOAL, "lava": LAVA, "wall": WALL, "unseen": UNSEEN}
CHARSET = "#.?^DLOKBXG~"
DOORS = {"open": OPEN, "closed": CLOSED, "locked": LOCKED}
STATES = {index: state for state, index in STATE_TO_IDX.items()}
CARRIED = ("key", "ball", "box")

_PLACE = re.compile(r"(.+?) (\d+) (ahead|left|right)(?:, (\d+) (left|right))?")


class Thing(NamedTuple):
    """Something in view: `ahead` >= 0, and `right` of the agent, negative for its left; both in cells."""

    name: str
    ahead: int
    right: int

    def __str__(self) -> str:
        side = f"{abs(self.right)} {'right' if self.right > 0 else 'left'}" if self.right else ""
        return f"{self.name} {', '.join(part for part in (f'{self.ahead} ahead' if self.ahead else '', side) if part)}"


def rows(image: Image) -> tuple[str, ...]:
    """The view as rows of symbols, the farthest first; the agent is at the bottom, looking up."""
    size = image.shape[0]
    lines = [[_symbol(image[column, row]) for column in range(size)] for row in range(size)]
    lines[-1][size // 2] = AGENT
    return tuple("".join(line) for line in lines)


def things(image: Image) -> list[Thing]:
    """Everything in view but walls and floor, the nearest first."""
    size = image.shape[0]
    found = [
        Thing(_name(image[column, row]), size - 1 - row, column - size // 2)
        for row in range(size)
        for column in range(size)
        if (row, column) != (size - 1, size // 2) and _symbol(image[column, row]) not in (WALL, FREE, UNSEEN)
    ]
    return sorted(found, key=lambda thing: (thing.ahead + abs(thing.right), thing.ahead, thing.right))


def carried(image: Image) -> str:
    """What the agent carries: MiniGrid shows it where the agent stands."""
    cell = image[image.shape[0] // 2, -1]
    return _name(cell) if IDX_TO_OBJECT[int(cell[0])] in CARRIED else "nothing"


def in_front(image: Image) -> str:
    """What is in the cell ahead of the agent."""
    return _name(image[image.shape[0] // 2, -2])


def ray(image: Image, ahead: int, right: int) -> str:
    """How far it is free in a direction, and what comes then."""
    size = image.shape[0]
    column, row, free = size // 2 + right, size - 1 - ahead, 0
    while 0 <= column < size and 0 <= row < size and _symbol(image[column, row]) == FREE:
        column, row, free = column + right, row - ahead, free + 1
    inside = 0 <= column < size and 0 <= row < size
    end = _name(image[column, row]) if inside else "end of view"
    return f"{free} free, then {end}" if free else end


def listed(seen: Iterable[Thing]) -> str:
    """The things as one line."""
    return "; ".join(map(str, seen)) or "none"


def read_things(line: str) -> list[Thing]:
    """The things of a line that `listed` wrote."""
    return [_read(match) for match in map(_PLACE.fullmatch, line.split("; ")) if match]


def find(grid: Sequence[str], symbols: str) -> list[tuple[int, int]]:
    """The places, as (ahead, right), of every cell of `grid` with one of `symbols`."""
    size = len(grid)
    return [
        (size - 1 - row, column - size // 2)
        for row, line in enumerate(grid)
        for column, symbol in enumerate(line)
        if symbol in symbols
    ]


def _read(match: re.Match[str]) -> Thing:
    name, count, way, aside, side = match.groups()
    if way == "ahead":
        return Thing(name, int(count), int(aside or 0) * (-1 if side == "left" else 1))
    return Thing(name, 0, int(count) * (-1 if way == "left" else 1))


def _symbol(cell: Any) -> str:
    kind = IDX_TO_OBJECT[int(cell[0])]
    return DOORS[STATES[int(cell[2])]] if kind == "door" else SYMBOLS.get(kind, FREE)


def _name(cell: Any) -> str:
    kind, color = IDX_TO_OBJECT[int(cell[0])], IDX_TO_COLOR[int(cell[1])]
    match kind:
        case "wall" | "lava" | "unseen":
            return kind
        case "empty":
            return "free floor"
        case "door":
            return f"{STATES[int(cell[2])]} {color} door"
    return f"{color} {kind}"
