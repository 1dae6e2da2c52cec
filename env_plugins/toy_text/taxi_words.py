"""What a model is told about Taxi. The tests walk the map again."""

from collections.abc import Iterable

from env_plugins.toy_text.text import listed
from gym_llm.llm_env import ActionSchema, ObservationSchema

SOUTH, NORTH, EAST, WEST, PICK_UP, DROP_OFF = range(6)
WAYS = {SOUTH: "south", NORTH: "north", EAST: "east", WEST: "west"}
BLOCKABLE = (NORTH, EAST, SOUTH, WEST)
NAMES = {**WAYS, PICK_UP: "pick up", DROP_OFF: "drop off"}
STOPS = {"red": (0, 0), "green": (0, 4), "yellow": (4, 0), "blue": (4, 3)}
"""Name -> row and column, in Gymnasium's order."""
IN_TAXI = len(STOPS)
NONE = "none"


def stop(index: int) -> str:
    """A stop by name and place."""
    name, (row, column) = list(STOPS.items())[index]
    return f"{name} (row {row}, column {column})"


def waiting(index: int) -> str:
    """The field `passenger` before the ride."""
    return f"waits at {stop(index)}"


RIDING = "in the taxi"


def walls(sides: Iterable[int]) -> str:
    """The field `walls`."""
    return ", ".join(WAYS[side] for side in sides) or NONE


def useful(actions: Iterable[int]) -> str:
    """The field `useful_actions`."""
    return ", ".join(f"{action} {NAMES[action]}" for action in actions) or NONE


FIELDS: ObservationSchema = {
    "taxi_row": {"description": "row of the taxi, 0 is the north side", "type": "integer", "range": "0 to 4"},
    "taxi_column": {"description": "column of the taxi, 0 is the west side", "type": "integer", "range": "0 to 4"},
    "passenger": {"description": f'the stop where the passenger waits, or "{RIDING}"', "type": "string"},
    "destination": {"description": "the stop that the passenger wants to go to", "type": "string"},
    "walls": {"description": f'sides of the taxi with a wall or the edge in the way, or "{NONE}"', "type": "string"},
    "useful_actions": {
        "description": "the actions, by key and name, that change anything right now; all others only cost",
        "type": "string",
    },
}
"""The fields of `TaxiLLM-v4`."""
STATE: ObservationSchema = {
    "state": {
        "description": (
            "the whole situation as one number: ((row * 5 + column) * 5 + passenger) * 4 + destination, as explained "
            "in the goal"
        ),
        "type": "integer",
        "range": "0 to 499",
    }
}
"""The field of `TaxiLLM-v3`."""

_BLOCKED = "With a wall or the edge there, the taxi stays and the step is lost."
ACTIONS: ActionSchema = {
    SOUTH: f"Move south: the row rises by 1. {_BLOCKED} Costs 1.",
    NORTH: f"Move north: the row falls by 1. {_BLOCKED} Costs 1.",
    EAST: f"Move east: the column rises by 1. {_BLOCKED} Costs 1.",
    WEST: f"Move west: the column falls by 1. {_BLOCKED} Costs 1.",
    PICK_UP: "Pick up the passenger, who must wait where the taxi is. Costs 1, or 10 if no passenger waits there.",
    DROP_OFF: (
        "Drop off the passenger, who must be in the taxi. At the destination it earns 20 and ends the episode; at "
        "another stop the passenger gets out there and waits, which costs 1; elsewhere it does nothing and costs 10."
    ),
}

AS_FIELDS = """\
- The observation tells where the taxi is, where the passenger waits or that the ride has begun, and where to go. \
"walls" and "useful_actions" tell what is possible right where you are.\
"""
AS_STATE = """\
- The observation is one number, state = ((row * 5 + column) * 5 + passenger) * 4 + destination. So destination is the \
remainder of state by 4; let q be the quotient: passenger is the remainder of q by 5; let p be that quotient: column \
is the remainder of p by 5, and row its quotient.
- passenger is 0 waiting at red, 1 at green, 2 at yellow, 3 at blue, 4 in the taxi; destination is 0 red, 1 green, \
2 yellow, 3 blue. For example, 328 = ((3 * 5 + 1) * 5 + 2) * 4 + 0 is a taxi at row 3, column 1, a passenger who waits \
at yellow, and red as the destination.\
"""


def chances(rain: float | None, fickle: float | None) -> str:
    """The sentences about chance, where it has a say; probabilities, None = no such thing."""
    told = ""
    if rain is not None:
        told += (
            f"\n- It rains: a move goes the way you choose with probability {rain:.2f}, and swerves to each of the two "
            f"sides with probability {(1 - rain) / 2:.2f}; a swerve into a wall leaves the taxi where it is."
        )
    if fickle is not None:
        told += (
            f"\n- The passenger is fickle: with probability {fickle:.2f} they choose another destination once, when "
            "the taxi first moves with them. Look at the destination after every step."
        )
    return told


def goal(max_steps: int, reading: str, chance: str) -> str:
    """Goal, map, reward, end and driving advice. `reading` says how to read an observation."""
    stops = listed(stop(index) for index in range(len(STOPS)))
    return f"""\
Drive a taxi in a town of 5 x 5 places: fetch the passenger at one of four stops and deliver them to another one, in \
as few steps as you can.

The town:
- Rows are 0 (north) to 4 (south), columns 0 (west) to 4 (east). The stops are {stops}.
- Walls stand between column 0 and column 1 in rows 3 and 4, between column 1 and column 2 in rows 0 and 1, and \
between column 2 and column 3 in rows 3 and 4. They stop moves to the east and west only; north and south is free \
everywhere.
{reading}{chance}

Reward, per step: -1 for moving, also against a wall, for picking up, and for dropping off at a stop that is not the \
destination; -10 for picking up or dropping off where that is not possible; 20 for the delivery, with which the \
episode ends successfully. Without it the episode ends after {max_steps} steps. An average total of 8 or more counts \
as solved; the best play earns 8 or 9 on average.

How to drive:
- Until the passenger is in the taxi: go to the stop where they wait, then pick up, once. After that: go to the \
destination, then drop off, once.
- Plan the whole way on the map before you move, so that you go round walls early: row 2 has no walls, so you can \
always change columns there.
- If your last move changed nothing, there was a wall: do not try it again.
"""
