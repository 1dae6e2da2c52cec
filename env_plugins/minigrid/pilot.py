"""A policy for the simpler missions, from nothing but what one observation tells: it remembers nothing."""

import re
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from env_plugins.minigrid import view
from env_plugins.minigrid.view import Thing
from env_plugins.minigrid.words import DONE, FORWARD, LEFT, NAMES, PICK_UP, RIGHT, TOGGLE
from gym_llm.llm_env import Advice

FAMILIES = re.compile(
    r"MiniGrid-(Empty|DoorKey|Fetch|GoToDoor|GoToObject|LavaGap|MultiRoom|Unlock-)"
    r"|BabyAI-(GoToRedB|GoToObj(S\d)?-|GoToObjDoor|GoToLocal|GoToDoor|PickupDist|OneRoom)"
)
"""Ids of the environments that it plays well: where one room, or one after the other, is all there is to search."""

_MISSION = re.compile(r"(?P<verb>goal|go to|pick up|fetch|get|open)\b(?: (?:the|a|an) )?(?P<thing>[\w ]*)")
_COLORS = {"red", "green", "blue", "purple", "yellow", "grey"}
_KINDS = {"door", "key", "ball", "box"}
_AIMS = {"go to": DONE, "pick up": PICK_UP, "fetch": PICK_UP, "get": PICK_UP, "open": TOGGLE}

Place = tuple[int, int]
"""Cells ahead of the agent and to its right."""


class Pose(NamedTuple):
    """A place and the direction of a look: cells ahead and to the right by one step forward."""

    place: Place
    way: Place

    def front(self) -> Place:
        """The place one step forward."""
        return self.place[0] + self.way[0], self.place[1] + self.way[1]


START = Pose((0, 0), (1, 0))


class Aim(NamedTuple):
    """A thing to stand in front of, what to do there, and why."""

    thing: Thing
    action: int
    why: str


def advise(observation: Any, needs_done: bool) -> Advice:
    """The first action of the shortest way to what helps most, of all that is in view."""
    grid, seen = observation["view"], view.read_things(observation["things"])
    mission, carrying = observation["mission"], observation["carrying"]
    if "goal" in mission:
        for thing in seen:
            if thing.name.endswith(" goal"):
                action = _first(grid, _stands_at((thing.ahead, thing.right)))
                if action is not None:
                    return _say(action, f"The goal is {_place(thing)}: going there.")
    for aim in _aims(mission, seen, carrying, needs_done):
        target = (aim.thing.ahead, aim.thing.right)
        if needs_done and abs(aim.thing.ahead) + abs(aim.thing.right) == 1:
            return _say(DONE, f"The {aim.thing.name} is right next to me, as the mission wants: done.")
        if target == (1, 0):
            return _say(aim.action, f"The {aim.thing.name} is right ahead, {aim.why}.")
        action = _first(grid, _faces(target))
        if action is not None:
            return _say(action, f"The {aim.thing.name} is {_place(aim.thing)}, {aim.why}: on my way to it.")
    return _explore(grid)


def _aims(mission: str, seen: Sequence[Thing], carrying: str, needs_done: bool) -> list[Aim]:
    aims = []
    found = _MISSION.search(mission)
    if found and found["verb"] in _AIMS and "goal" not in mission:
        wanted = set(found["thing"].split()) & (_COLORS | _KINDS)
        action = _AIMS[found["verb"]]
        for thing in seen:
            fits = wanted <= set(thing.name.split())
            locked = thing.name.startswith("locked ") and carrying != f"{thing.name.split()[1]} key"
            done = action == TOGGLE and thing.name.startswith("open ")
            if fits and not (action == TOGGLE and locked) and not done:
                aims.append(Aim(thing, action, "which the mission asks for"))
    if needs_done:
        return aims
    for thing in seen:
        if thing.name.startswith("locked ") and carrying == f"{thing.name.split()[1]} key":
            aims.append(Aim(thing, TOGGLE, "and I carry its key"))
    for thing in seen:
        if thing.name.endswith(" key") and carrying == "nothing":
            aims.append(Aim(thing, PICK_UP, "and may unlock a door"))
    aims += [Aim(thing, TOGGLE, "and something may be behind it") for thing in seen if thing.name.startswith("closed ")]
    return aims


def _explore(grid: Sequence[str]) -> Advice:
    hidden = set(view.find(grid, view.UNSEEN))
    action = _first(grid, lambda pose: pose.place != START.place and pose.front() in hidden)
    if action is not None:
        return _say(action, "What the mission needs is not in view: going to where I can't see yet")
    free = set(view.find(grid, view.FREE + view.OPEN))
    if (1, 0) in free:
        return _say(FORWARD, "What the mission needs is not in view: going on as far as it is free")
    side = RIGHT if (0, 1) in free or (0, -1) not in free else LEFT
    return _say(side, "What the mission needs is not in view, and there is no way ahead: looking to the side")


def _stands_at(place: Place) -> Callable[[Pose], bool]:
    return lambda pose: pose.place == place


def _faces(place: Place) -> Callable[[Pose], bool]:
    return lambda pose: pose.front() == place


def _first(grid: Sequence[str], there: Callable[[Pose], bool]) -> int | None:
    # The first action of the shortest way to a pose that is `there`.
    free = {START.place, *view.find(grid, view.FREE + view.OPEN + view.GOAL)}
    firsts: dict[Pose, int | None] = {START: None}
    queue = deque([START])
    while queue:
        pose = queue.popleft()
        if there(pose):
            return firsts[pose]
        (ahead, right), first = pose.way, firsts[pose]
        steps = {
            FORWARD: Pose(pose.front(), pose.way),
            LEFT: Pose(pose.place, (right, -ahead)),
            RIGHT: Pose(pose.place, (-right, ahead)),
        }
        for action, following in steps.items():
            if following not in firsts and following.place in free:
                firsts[following] = action if first is None else first
                queue.append(following)
    return None


def _place(thing: Thing) -> str:
    return str(thing).removeprefix(thing.name).strip()


def _say(action: int, reason: str) -> Advice:
    return Advice(action, f"{reason.removesuffix('.')}, so {NAMES[action]}.")
