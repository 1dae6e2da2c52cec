"""A walk over a map of tiles: what FrozenLake and CliffWalking have in common."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar, NamedTuple, SupportsFloat

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from env_plugins.toy_text.table import Plan, Table, plan
from env_plugins.toy_text.text import listed, one_of
from gym_llm.llm_env import ActionSchema, Advice, LLMEnv, ObservationSchema

Place = dict[str, Any]


class Move(NamedTuple):
    """A way to go, and what it changes."""

    way: str
    row: int
    column: int


LEFT, DOWN, RIGHT, UP = Move("left", 0, -1), Move("down", 1, 0), Move("right", 0, 1), Move("up", -1, 0)
EDGE = "edge of the map"


class GridWalk(gym.ObservationWrapper[Place, Any, Any], LLMEnv):
    """Row, column and the four tiles around them, instead of the number of a tile.

    Args:
        env: an environment of Gymnasium whose observation is `row * columns + column`, with its dynamics in `P`.
        tiles: the map, a letter per tile.
        success_rate: probability of going the way that is chosen; the rest is shared by the two ways beside it.
    """

    moves: ClassVar[Sequence[Move]]
    """By action."""
    legend: ClassVar[Mapping[str, str]]
    """Letter of a tile -> what it is, in a word or two."""
    discount: ClassVar[float] = 1.0
    """Of the heuristic's plan."""

    def __init__(self, env: gym.Env[Any, Any], tiles: Sequence[str], success_rate: float) -> None:
        super().__init__(env)
        self.tiles = tiles
        self.success_rate = success_rate
        self.rows, self.columns = len(tiles), len(tiles[0])
        around = {move.way: one_of([*self.legend.values(), EDGE]) for move in self.moves}
        self.observation_space = spaces.Dict(
            {"row": spaces.Discrete(self.rows), "column": spaces.Discrete(self.columns), **around}, sort_keys=False
        )

    def observation(self, observation: int) -> Place:
        row, column = divmod(int(observation), self.columns)
        around = {move.way: self.tile(row + move.row, column + move.column) for move in self.moves}
        return {"row": np.int64(row), "column": np.int64(column), **around}

    def step(self, action: int) -> tuple[Place, SupportsFloat, bool, bool, dict[str, Any]]:
        """As Gymnasium's, with `is_success`: the goal is reached."""
        observation, reward, terminated, truncated, info = super().step(action)
        arrived = self.tiles[observation["row"]][observation["column"]] == "G"
        return observation, reward, terminated, truncated, {**info, "is_success": arrived}

    def tile(self, row: int, column: int) -> str:
        """What lies at a place of the map, or beyond it."""
        inside = 0 <= row < self.rows and 0 <= column < self.columns
        return self.legend[self.tiles[row][column]] if inside else EDGE

    def get_observation_schema(self) -> ObservationSchema:
        kinds = listed(f'"{tile}"' for tile in [*self.legend.values(), EDGE])
        return {
            "row": {"description": "your row, 0 is the top", "type": "integer", "range": f"0 to {self.rows - 1}"},
            "column": {
                "description": "your column, 0 is the left side",
                "type": "integer",
                "range": f"0 to {self.columns - 1}",
            },
            **{
                move.way: {"description": f"what lies one step {_direction(move)}; one of {kinds}", "type": "string"}
                for move in self.moves
            },
        }

    def get_action_schema(self) -> ActionSchema:
        return {action: self._effect(move) for action, move in enumerate(self.moves)}

    def get_goal_description(self) -> str:
        letters = listed(f"{letter} {tile}" for letter, tile in self.legend.items())
        rows = "\n".join(f"row {row}: {' '.join(tiles)}" for row, tiles in enumerate(self.tiles))
        columns = f"columns 0 to {self.columns - 1} from left to right"
        return self.goal(f"The map ({letters}), {columns}:\n{rows}", self._slip())

    @abstractmethod
    def goal(self, chart: str, slip: str) -> str:
        """The goal description, around the map and what is said of slipping (nothing where nothing slips)."""

    @cached_property
    def plan(self) -> Plan:
        """The best policy."""
        table: Table = self.env.unwrapped.P  # type: ignore[attr-defined]
        return plan(table, self.discount)

    def heuristic(self, observation: Any) -> Advice:
        """The best policy, computed from the dynamics: also where chance has a say."""
        row, column = int(observation["row"]), int(observation["column"])
        action = self.plan.best(row * self.columns + column)
        way = self.moves[action].way
        ahead = f"{way} lies {_article(observation[way])}"
        if self.success_rate == 1:
            return Advice(action, f"At row {row}, column {column}, {ahead}: it is on the shortest safe way.")
        beside = [self.moves[(action + turn) % 4].way for turn in (-1, 1)]
        slips = f"a slip would lead to {_article(observation[beside[0]])} or {_article(observation[beside[1]])}"
        return Advice(action, f"At row {row}, column {column}, {ahead} and {slips}: {way} is the best bet.")

    def _effect(self, move: Move) -> str:
        axis, change = ("row", move.row) if move.row else ("column", move.column)
        effect = f"{axis} {'rises' if change > 0 else 'falls'} by 1, unless you are at the edge: then you stay."
        if self.success_rate == 1:
            return f"Move {move.way}: {effect}"
        return f"Try to move {move.way}: {effect} You may slip and move to one of the two sides instead."

    def _slip(self) -> str:
        if self.success_rate == 1:
            return ""
        chance, side = self.success_rate, (1 - self.success_rate) / 2
        return (
            f"You slip: a move goes the way you choose with probability {chance:.3f}, and to each of the two ways "
            f"beside it with probability {side:.3f}; never backwards. Left and right are beside up and down, up and "
            "down are beside left and right. So choose by where all three may lead, not only the one you want."
        )


def _direction(move: Move) -> str:
    return f"to your {move.way}" if move.column else move.way


def _article(tile: str) -> str:
    if tile == "frozen ice":
        return tile
    return f"the {tile}" if tile in (EDGE, "goal", "start", "cliff") else f"a {tile}"
