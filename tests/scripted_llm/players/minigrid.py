"""Missions in a world of rooms: from the view, drawn as rows of symbols, to the next step towards what helps."""

import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.scripted_llm.prompt import Rules

Place = tuple[int, int]
"""Row and column of the view; the agent looks towards row 0."""
_LEGEND = re.compile(r"(\S) (wall|free floor|not seen|open door|goal)\b")
WORDS = {"left": r"^turn left", "right": r"^turn right", "forward": r"^move forward", "pick up": r"^pick up"}
WORDS |= {"toggle": r"^toggle", "done": r"^done"}


def play(rules: Rules, observation: Mapping[str, Any]) -> dict[str, Any]:
    """The first step to the first thing of use that can be reached; where there is none, on and to the right."""
    view, mission = observation["view"], observation["mission"]
    legend = {name: symbol for symbol, name in _LEGEND.findall(rules.fields["view"])}
    agent = len(view) - 1, len(view) // 2
    floor = {agent, *_cells(view, legend["free floor"] + legend["open door"] + legend["goal"])}
    for goal in _cells(view, legend["goal"]) if "goal" in mission else []:
        if step := _step(agent, floor, lambda place, front, goal=goal: place == goal):
            return _say(rules, step, f"I walk to the goal at {goal}")
    for deed, thing, place in _useful(observation, agent, declares="choose action 6, done" in rules.goal):
        if place == (agent[0] - 1, agent[1]):
            return _say(rules, deed, f"The {thing} is right ahead")
        if step := _step(agent, floor, lambda place, front, thing=place: front == thing):
            return _say(rules, step, f"I walk to the {thing} at {place}")
    hidden = set(_cells(view, legend["not seen"]))
    if step := _step(agent, floor, lambda place, front: place != agent and front in hidden):
        return _say(rules, step, "I look where I can't see yet")
    ahead, right = (agent[0] - 1, agent[1]) in floor, (agent[0], agent[1] + 1) in floor
    left = (agent[0], agent[1] - 1) in floor
    return _say(rules, "forward" if ahead else "left" if left and not right else "right", "I look for what I need")


def _useful(observation: Mapping[str, Any], agent: Place, declares: bool) -> list[tuple[str, str, Place]]:
    # What to do with which thing where, the best first.
    things = [
        (found[1], (agent[0] - int(found[2] or 0), agent[1] + int(found[3] or 0) * (-1 if found[4] == "left" else 1)))
        for part in observation["things"].split("; ")
        if (found := re.fullmatch(r"(.+?)(?: (\d+) ahead)?(?:,? (\d+) (left|right))?", part))
    ]
    mission, carrying = observation["mission"], observation["carrying"]
    asked = re.search(r"\b(go to|pick up|fetch|get|open) (.+)", mission)
    verb, rest = (asked[1], asked[2]) if asked else ("", "")
    wanted = {word for word in rest.split() if word in KNOWN}
    useful = []
    if wanted and "goal" not in mission:
        deed = "toggle" if verb == "open" else ("done" if declares else "forward") if verb == "go to" else "pick up"
        useful += [
            (deed, name, place)
            for name, place in things
            if wanted <= set(name.split()) and not (deed == "toggle" and name.startswith(("open", "locked")))
        ]
    if not declares:
        for name, place in things:
            if name.startswith("locked") and carrying == f"{name.split()[1]} key":
                useful.append(("toggle", name, place))
        useful += [("pick up", name, place) for name, place in things if name.endswith("key") and carrying == "nothing"]
        useful += [("toggle", name, place) for name, place in things if name.startswith("closed")]
    return useful


KNOWN = {"red", "green", "blue", "purple", "yellow", "grey", "door", "key", "ball", "box"}


def _cells(view: Sequence[str], symbols: str) -> list[Place]:
    return [(row, column) for row, line in enumerate(view) for column, symbol in enumerate(line) if symbol in symbols]


def _step(agent: Place, floor: set[Place], there: Callable[[Place, Place], bool]) -> str | None:
    start = (agent, (-1, 0))
    firsts: dict[tuple[Place, Place], str] = {start: ""}
    queue = deque([start])
    while queue:
        (row, column), (down, right) = pose = queue.popleft()
        front = row + down, column + right
        if there((row, column), front):
            return firsts[pose] or None
        for name, following in (
            ("forward", (front, (down, right))),
            ("left", ((row, column), (-right, down))),
            ("right", ((row, column), (right, -down))),
        ):
            if following not in firsts and following[0] in floor:
                firsts[following] = firsts[pose] or name
                queue.append(following)
    return None


def _say(rules: Rules, deed: str, why: str) -> dict[str, Any]:
    return {"reflection": f"{why}: {deed}.", "action": rules.action(WORDS[deed])}
