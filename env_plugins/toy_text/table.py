"""The best policy of an environment whose whole dynamics is a table, as Gymnasium's toy-text environments have it."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Table = Mapping[int, Mapping[int, Sequence[tuple[float, int, float, bool]]]]
"""State -> action -> outcomes: probability, next state, reward, whether the episode ends."""
TOLERANCE = 1e-8
ITERATIONS = 50_000
"""Far more than any of the tables needs."""


class Plan(NamedTuple):
    """What each action in each state is worth: the return to expect when the best policy goes on from there."""

    worth: NDArray[np.float64]
    """By state and action."""

    def best(self, state: int) -> int:
        """The best action; of equally good ones, the first."""
        return int(np.argmax(self.worth[state] > self.worth[state].max() - 1e-6))

    def value(self, state: int) -> float:
        """The return to expect from `state` on."""
        return float(self.worth[state].max())


def plan(table: Table, discount: float = 1.0) -> Plan:
    """The best policy by value iteration. A `discount` below 1 prefers short ways where ways cost nothing."""
    most = max(len(outcomes) for actions in table.values() for outcomes in actions.values())
    padded = [
        [[*outcomes, *[(0.0, 0, 0.0, True)] * (most - len(outcomes))] for _, outcomes in sorted(actions.items())]
        for _, actions in sorted(table.items())
    ]
    outcomes = np.array(padded, dtype=np.float64)
    probability, reward = outcomes[..., 0], outcomes[..., 2]
    following, goes_on = outcomes[..., 1].astype(np.intp), discount * (1.0 - outcomes[..., 3])
    value = np.zeros(len(table))
    for _ in range(ITERATIONS):
        worth = (probability * (reward + goes_on * value[following])).sum(axis=-1)
        change, value = np.abs(worth.max(axis=-1) - value).max(), worth.max(axis=-1)
        if change < TOLERANCE:
            break
    return Plan(worth)
