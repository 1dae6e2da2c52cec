"""What a model is told about MiniGrid and BabyAI."""

from collections.abc import Iterable

from gym_llm.llm_env import ActionSchema, ObservationSchema

LEFT, RIGHT, FORWARD, PICK_UP, DROP, TOGGLE, DONE = range(7)
NAMES = ("turn left", "turn right", "move forward", "pick up", "drop", "toggle", "done")
DIRECTIONS = ("east", "south", "west", "north")


def fields(size: int) -> ObservationSchema:
    """The fields of an observation with a view of `size` x `size` cells."""
    return {
        "mission": {"description": "what to do in this episode", "type": "string"},
        "direction": {
            "description": "where you look: east, south, west or north",
            "type": "string",
        },
        "carrying": {"description": 'what you carry, or "nothing"; you can carry one thing only', "type": "string"},
        "ahead": {
            "description": "how many cells straight ahead of you are free, and what comes then; the same for the two "
            "sides in the next fields. A thing without a number before it is in the very next cell",
            "type": "string",
        },
        "left": {"description": "the same to your left", "type": "string"},
        "right": {"description": "the same to your right", "type": "string"},
        "things": {
            "description": "everything you see but walls and floor, the nearest first, each with its place in cells "
            'ahead of you and to your left or right, or "none"',
            "type": "string",
        },
        "view": {
            "description": f"the {size} x {size} cells in front of you as seen from above, one string per row, the "
            "farthest row first. You are the ^ in the middle of the last row and look up, whatever your direction. "
            "# wall, . free floor, ? not seen, D closed door, L locked door, O open door, K key, B ball, X box, "
            "G goal, ~ lava",
            "type": "string",
            "size": size,
        },
        "useful_actions": {
            "description": "the actions, by key and name, that change anything right now; the others only cost a step",
            "type": "string",
        },
    }


ACTIONS: dict[int, str] = {
    LEFT: "Turn left by 90 degrees, on the spot. What was to your left is then ahead of you.",
    RIGHT: "Turn right by 90 degrees, on the spot. What was to your right is then ahead of you.",
    FORWARD: (
        "Move forward by one cell, if that cell is free, an open door or the goal; else you stay. Moving into lava "
        "ends the episode without success."
    ),
    PICK_UP: "Pick up the key, ball or box in the cell ahead of you, if you carry nothing.",
    DROP: "Drop what you carry into the cell ahead of you, if that cell is free.",
    TOGGLE: (
        "Toggle what is in the cell ahead of you: open or close a door, unlock and open a locked door if you carry a "
        "key of its color, open a box, which leaves what was inside."
    ),
    DONE: "Done: say that the mission is complete. Does nothing in most missions.",
}


def actions(count: int) -> ActionSchema:
    """The first `count` actions."""
    return {action: text for action, text in ACTIONS.items() if action < count}


def useful(front: str, carrying: str, count: int, done: bool) -> str:
    """The actions that change anything, of the first `count`; `done`: action 6 is one of them."""
    return ", ".join(
        f"{action} {NAMES[action]}{' (deadly)' if action == FORWARD and front == 'lava' else ''}"
        for action in (*_effective(front, carrying), *([DONE] if done else []))
        if action < count
    )


def _effective(front: str, carrying: str) -> Iterable[int]:
    kind = front.rpartition(" ")[2]
    yield from (LEFT, RIGHT)
    if kind in ("floor", "goal", "lava") or front.startswith("open "):
        yield FORWARD
    if kind in ("key", "ball", "box") and carrying == "nothing":
        yield PICK_UP
    if front == "free floor" and carrying != "nothing":
        yield DROP
    if kind == "box" or (kind == "door" and not front.startswith("locked ")):
        yield TOGGLE
    if front.startswith("locked ") and carrying == f"{front.split()[1]} key":
        yield TOGGLE


GO_TO = (
    'To "go to" something, stand in a cell right next to it (not diagonally) and choose action 6, done; done anywhere '
    "else ends the episode without success, and so does toggling anything."
)
RULES = {
    "GoToDoorEnv": GO_TO,
    "GoToObjectEnv": GO_TO,
    "FetchEnv": "Picking up anything but what the mission asks for ends the episode without success.",
    "PutNearEnv": (
        "The first thing you drop decides: it must be the right one, and lie in one of the eight cells around the "
        "other. Picking up a wrong thing ends the episode without success."
    ),
    "RedBlueDoorEnv": "Opening the blue door before the red one ends the episode without success.",
    "MemoryEnv": (
        "In the first room you see an object. Remember it: the hallway ends with two objects, and you must stop in the "
        "cell right next to the one that matches. Reaching the other ends the episode without success."
    ),
    "DynamicObstaclesEnv": (
        "The balls move about at random, by at most one cell per step. Moving forward into a ball or a wall ends the "
        "episode with a reward of -1."
    ),
    "PlaygroundEnv": "There is no mission here and nothing to earn: look around.",
}
"""Class of MiniGrid -> what is special about its missions."""
BABYAI = """\
"go to" something is complete when you stand right next to it and look at it; "open" a door, when you toggle it open; \
"pick up", when you pick it up; "put ... next to ...", when you drop the one into a cell right next to the other. With \
"then" and "after you" the order matters. "in front of you", "behind you", "on your left" and "on your right" are \
meant from where you started. With "a" instead of "the", any one that fits will do. The mission is complete by itself: \
done is not needed.\
"""
PLAIN = """\
To get to a goal square, move onto it. "Pick up", "fetch" and "get" a thing with action 3, "open" a door with action \
5. The episode ends by itself as soon as the mission is complete.\
"""


def goal(max_steps: int, rule: str) -> str:
    """Goal, world, reward, end and advice; `max_steps` 0 = it differs from episode to episode."""
    limit = f"{max_steps} steps" if max_steps else "a number of steps that grows with the mission and the world"
    return f"""\
Complete a mission in a world of rooms, in as few steps as you can. The mission is told in the field "mission" of \
every observation, and may be another one in every episode.

The world:
- It is a grid of cells. You stand in one of them and look in one of four directions; you see only a square of cells \
in front of you, and not through walls and closed doors. What is behind you, you don't see: remember it.
- Keys, balls, boxes and closed doors block the way. A door is opened with action 5 from the cell in front of it; a \
locked one needs the key of its color, which you must carry. Things have a color, and a box may hide another thing.
- Places are told relative to you, and change when you turn or move. Turning left moves what was "2 ahead, 1 left" to \
"1 ahead, 2 right"; turning right moves what was "2 ahead, 1 right" to "1 ahead, 2 left".

Missions:
{rule}

Reward: 0 for every step but the last. When the mission is complete it is 1 - 0.9 * steps / {max_steps or "limit"}, so \
between 0.1 and 1: the fewer steps, the better. A failed mission earns 0.

The episode ends when the mission is complete or has failed, or after {limit}.

How to play:
- Say which thing the mission needs next. If you see it, read its place in "things": turn until it is in line with you \
or walk towards it, round what blocks the way, until it is "1 ahead"; then act.
- If you don't see it, explore: turn round once where you are, then walk to where "view" shows ? behind free cells or \
an open door, and open closed doors. Note what you have seen and tried, so that you don't walk in circles.
- Before you move forward look at "ahead": a wall there means that the step is lost. "useful_actions" tells what is \
possible at all.
- Count turns: to reach something 2 ahead and 3 left, move forward 2 times, turn left, move forward 3 times, one less \
if you must stop in front of it.
"""
