"""Cards and taxis."""

import re
from collections import deque
from collections.abc import Mapping
from typing import Any

from tests.scripted_llm.prompt import Rules

Place = tuple[int, int]
_PLACE = re.compile(r"row (\d), column (\d)")


def blackjack(rules: Rules, observation: Mapping[str, Any]) -> dict[str, Any]:
    """Basic strategy."""
    total, dealer, ace = observation["players_sum"], observation["dealers_card"], observation["usable_ace"]
    if ace:
        enough = 18 if 2 <= dealer <= 8 else 19
    else:
        enough = 17 if dealer in (1, 7, 8, 9, 10) else 12 if dealer >= 4 else 13
    choice = "stick" if total >= enough else "hit"
    return {"reflection": f"{total} against {dealer}: I {choice}.", "action": rules.action(rf"^{choice}\b")}


def taxi(rules: Rules, observation: Mapping[str, Any]) -> dict[str, Any]:
    """The shortest way round the walls that the prompt tells of."""
    taxi = observation["taxi_row"], observation["taxi_column"]
    waits, wanted = (_PLACE.search(observation[name]) for name in ("passenger", "destination"))
    assert wanted
    return _drive(rules, taxi, (int(waits[1]), int(waits[2])) if waits else None, (int(wanted[1]), int(wanted[2])))


def taxi_by_number(rules: Rules, observation: Mapping[str, Any]) -> dict[str, Any]:
    """The same, from the number that the prompt tells how to take apart."""
    formula = re.search(r"\(\(row \* (\d+) \+ column\) \* (\d+) \+ passenger\) \* (\d+) \+ destination", rules.goal)
    assert formula
    columns, places, stops = map(int, formula.groups())
    rest, destination = divmod(observation["state"], stops)
    rest, passenger = divmod(rest, places)
    waiting = {
        int(key): name for key, name in re.findall(r"(\d) (?:waiting )?at (red|green|yellow|blue)\b", rules.goal)
    }
    wanted = re.search(r"destination is (0 .+?)\.", rules.goal, re.DOTALL)
    assert wanted
    named = {int(key): name for key, name in re.findall(r"(\d) (\w+)", wanted[1])}
    told = re.findall(r"(\w+) \(row (\d), column (\d)\)", rules.goal)
    where = {name: (int(row), int(column)) for name, row, column in told}
    waits = where[waiting[passenger]] if passenger in waiting else None
    return _drive(rules, divmod(rest, columns), waits, where[named[destination]])


def _drive(rules: Rules, taxi: Place, waits: Place | None, destination: Place) -> dict[str, Any]:
    aim, deed = (waits, r"^pick up") if waits else (destination, r"^drop off")
    if taxi == aim:
        return {"reflection": f"I am at {aim}, where I have to act.", "action": rules.action(deed)}
    walls = {
        frozenset({(int(row), int(west)), (int(row), int(east))})
        for west, east, first, second in re.findall(
            r"between column (\d) and column (\d) in rows (\d) and (\d)", rules.goal
        )
        for row in (first, second)
    }
    ways = {"south": (1, 0), "north": (-1, 0), "east": (0, 1), "west": (0, -1)}
    came = {aim: ""}
    queue = deque([aim])
    while queue:
        place = queue.popleft()
        for way, (down, right) in ways.items():
            before = place[0] - down, place[1] - right
            inside = 0 <= before[0] <= 4 and 0 <= before[1] <= 4
            if inside and before not in came and frozenset({before, place}) not in walls:
                came[before] = way
                queue.append(before)
    return {"reflection": f"From {taxi} to {aim}: {came[taxi]}.", "action": rules.action(rf"^move {came[taxi]}")}
