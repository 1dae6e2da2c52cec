"""FrozenLake for language models, around Gymnasium's own environment."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from gymnasium.envs.toy_text.frozen_lake import MAPS, FrozenLakeEnv, generate_random_map
from pydantic import Field

from env_plugins.toy_text import grid
from env_plugins.toy_text.grid import GridWalk

SMALLEST, LARGEST = 3, 16
MapName = Literal["4x4", "8x8", "random"]
Size = Annotated[int, Field(ge=SMALLEST, le=LARGEST)]
Seed = Annotated[int, Field(ge=0)]
Rate = Annotated[float, Field(gt=0, le=1)]

GOAL = """\
Cross a frozen lake from the start to the goal without falling into a hole.

{chart}

{slip}Reward: 1 with the step that reaches the goal, 0 for every other step. The episode ends at the goal (success), \
in a hole (failure, total 0), or after {max_steps} steps (failure). An average of {threshold} or more \
counts as solved.

How to cross:
- Your place on the map is row and column of the observation; it also names the four tiles around you.
- Plan the whole way from there to the goal on the map, over ice only: a hole ends everything, a detour costs nothing.
- A step over the edge of the map is no loss: you stay where you are.
{careful}"""
SLIPPERY = """\
- Count what each action may lead to: the tile you choose and the two beside it. First avoid every action by which \
you may slip into a hole; among the rest take the one that leads on. Often the best move is towards the edge or away \
from a hole, with the progress left to a slip.
- When every action may lead into a hole, take the one with the smallest probability of it.
"""
SURE = """\
- The ice is not slippery: every move goes exactly where you choose, so follow your plan step by step.
"""


class FrozenLakeLLM(GridWalk):
    """`FrozenLakeLLM-v1`: FrozenLake-v1 with its map told, and `is_success`."""

    moves = (grid.LEFT, grid.DOWN, grid.RIGHT, grid.UP)
    legend: ClassVar[Mapping[str, str]] = {"S": "start", "F": "frozen ice", "H": "hole", "G": "goal"}
    discount = 0.999
    max_steps: ClassVar[int] = 100
    threshold: ClassVar[float] = 0.7

    def __init__(
        self,
        render_mode: str | None = None,
        map_name: MapName = "4x4",
        size: Size = 8,
        map_seed: Seed = 0,
        is_slippery: bool = True,
        success_rate: Rate = 1 / 3,
    ) -> None:
        """The keywords of FrozenLake-v1; `size` and `map_seed` are those of the map called `random`.

        Raises:
            ValueError: an argument is out of its range.
        """
        if map_name not in ("random", *MAPS):
            raise ValueError(f"map_name: {map_name!r} is neither random nor one of {', '.join(MAPS)}")
        if not SMALLEST <= size <= LARGEST:
            raise ValueError(f"size: {size} is not {SMALLEST} to {LARGEST}")
        if not 0 < success_rate <= 1:
            raise ValueError(f"success_rate: {success_rate} is not above 0 and at most 1")
        tiles = generate_random_map(size, seed=map_seed) if map_name == "random" else MAPS[map_name]
        lake = FrozenLakeEnv(
            render_mode=render_mode, desc=list(tiles), is_slippery=is_slippery, success_rate=success_rate
        )
        super().__init__(lake, tiles, success_rate if is_slippery else 1.0)

    def goal(self, chart: str, slip: str) -> str:
        return GOAL.format(
            chart=chart,
            slip=f"{slip}\n\n" if slip else "",
            max_steps=self.max_steps,
            threshold=self.threshold,
            careful=SLIPPERY if slip else SURE,
        )

    def safe_action(self) -> int:
        return self.moves.index(grid.UP)


class FrozenLake8x8LLM(FrozenLakeLLM):
    """`FrozenLake8x8LLM-v1`: the larger map and twice the steps."""

    max_steps = 200
    threshold = 0.85

    def __init__(
        self,
        render_mode: str | None = None,
        map_name: MapName = "8x8",
        size: Size = 8,
        map_seed: Seed = 0,
        is_slippery: bool = True,
        success_rate: Rate = 1 / 3,
    ) -> None:
        """The keywords of `FrozenLakeLLM`."""
        super().__init__(render_mode, map_name, size, map_seed, is_slippery, success_rate)
