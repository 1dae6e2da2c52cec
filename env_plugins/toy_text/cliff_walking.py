"""CliffWalking for language models, around Gymnasium's own environment."""

from collections.abc import Mapping
from typing import ClassVar

from gymnasium.envs.toy_text import CliffWalkingEnv

from env_plugins.toy_text import grid
from env_plugins.toy_text.grid import GridWalk

TILES = ("." * 12, "." * 12, "." * 12, "S" + "C" * 10 + "G")

GOAL = """\
Walk along a cliff from the start at row 3, column 0 to the goal at row 3, column 11, in as few steps as you can and \
without falling off the cliff between them.

{chart}

{slip}Reward: -1 for every step, but -100 for a step onto the cliff, which also puts you back to the start; the \
episode goes on then. The episode ends with success at the goal, and without it after {max_steps} steps. {best}

How to walk:
- Your place on the map is row and column of the observation; it also names the four tiles around you.
{how}- A step over the edge of the map leaves you where you are, and costs 1 like any other.
"""
SURE = """\
- Every move goes exactly where you choose. The shortest way that is safe runs right along the cliff: one step up from \
the start, 11 steps to the right in row 2, one step down onto the goal.
- Never step down in row 2 before column 11, nor to the right at the start: both lead onto the cliff.
"""
SLIPPERY = """\
- At the start choose left, over the edge: you stay or slip up, but never onto the cliff.
- In row 2, left of column 11, choose up: right and left may both slip down onto the cliff. In rows 0 and 1 choose \
right.
- In column 11 choose right, over the edge: you stay or slip up or down, and down leads to the goal. Down itself may \
slip to the left, back over the cliff.
"""


class CliffWalkingLLM(GridWalk):
    """`CliffWalkingLLM-v1`: CliffWalking-v1 with its map told, and `is_success`."""

    moves = (grid.UP, grid.RIGHT, grid.DOWN, grid.LEFT)
    legend: ClassVar[Mapping[str, str]] = {"S": "start", ".": "free tile", "C": "cliff", "G": "goal"}
    max_steps: ClassVar[int] = 200

    def __init__(self, render_mode: str | None = None, is_slippery: bool = False) -> None:
        """The keywords of CliffWalking-v1."""
        cliff = CliffWalkingEnv(render_mode=render_mode, is_slippery=is_slippery)
        super().__init__(cliff, TILES, 1 / 3 if is_slippery else 1.0)

    def goal(self, chart: str, slip: str) -> str:
        return GOAL.format(
            chart=chart,
            slip=f"{slip}\n\n" if slip else "",
            max_steps=self.max_steps,
            best="" if slip else "The best total is -13.",
            how=SLIPPERY if slip else SURE,
        )

    def safe_action(self) -> int:
        return self.moves.index(grid.UP)


class CliffWalkingSlipperyLLM(CliffWalkingLLM):
    """`CliffWalkingSlipperyLLM-v1`: every third move only goes where it should."""

    max_steps = 500

    def __init__(self, render_mode: str | None = None, is_slippery: bool = True) -> None:
        """The keywords of CliffWalking-v1."""
        super().__init__(render_mode, is_slippery)
