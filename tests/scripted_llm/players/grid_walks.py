"""Walks over a map that the prompt draws: every move is weighed by where it may lead."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from tests.scripted_llm.prompt import Rules

Place = tuple[int, int]


def play(rules: Rules, observation: Mapping[str, Any]) -> dict[str, Any]:
    """The move of the best plan."""
    place = observation["row"], observation["column"]
    action = _plan(rules.goal, tuple(rules.actions.items()))[place]
    return {"reflection": f"From {place} my plan says: {rules.actions[action]}", "action": action}


@lru_cache(maxsize=16)
def _plan(goal: str, actions: tuple[tuple[Any, str], ...]) -> dict[Place, Any]:
    drawn = re.search(r"The map \((.+?)\)", goal)
    assert drawn, "no map is drawn"
    legend = dict(part.split(" ", 1) for part in re.split(r", | and ", drawn[1]))
    rows = [line.split() for line in re.findall(r"^row \d+: (.+)$", goal, re.MULTILINE)]
    tiles = {(row, column): legend[letter] for row, line in enumerate(rows) for column, letter in enumerate(line)}
    (start,) = (place for place, tile in tiles.items() if tile == "start")
    sure = re.search(r"the way you choose with probability ([\d.]+)", goal)
    chance = float(sure[1]) if sure else 1.0
    cost, fall = (
        -1.0 if "-1 for every step" in goal else 0.0,
        -100.0 if "-100 for a step onto the cliff" in goal else 0.0,
    )
    moves = {action: _move(text) for action, text in actions}

    def outcome(place: Place, move: Place, value: Mapping[Place, float]) -> float:
        to = place[0] + move[0], place[1] + move[1]
        to = to if to in tiles else place
        match tiles[to]:
            case "cliff":
                return fall + value[start]
            case "goal":
                return cost + (1.0 if cost == 0 else 0.0)
            case "hole":
                return 0.0
        return cost + 0.9999 * value[to]

    def worth(place: Place, move: Place, value: Mapping[Place, float]) -> float:
        beside = [(move[1], move[0]), (-move[1], -move[0])]
        slips = sum(outcome(place, aside, value) for aside in beside) * (1 - chance) / 2
        return chance * outcome(place, move, value) + slips

    value = dict.fromkeys(tiles, 0.0)
    for _ in range(600):
        value = {place: max(worth(place, move, value) for move in moves.values()) for place in tiles}
    return {place: max(moves, key=lambda action: worth(place, moves[action], value)) for place in tiles}


def _move(text: str) -> Place:
    found = re.search(r"(row|column) (rises|falls) by 1", text)
    assert found
    step = 1 if found[2] == "rises" else -1
    return (step, 0) if found[1] == "row" else (0, step)
