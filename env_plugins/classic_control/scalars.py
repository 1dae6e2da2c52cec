"""A vector observation as named scalars: models read names better than positions."""

from collections.abc import Sequence
from typing import Any, cast

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

Vector = NDArray[np.float32]
Scalars = dict[str, Any]
"""Name -> a float32 array of shape ()."""


def named_space(names: Sequence[str], vector: gym.Space[Any]) -> spaces.Dict:
    """The space of `named` observations, with the bounds of the Box `vector`."""
    box = cast(spaces.Box, vector)
    bounds = zip(names, box.low, box.high, strict=True)
    parts = [(name, spaces.Box(low, high, shape=(), dtype=np.float32)) for name, low, high in bounds]
    return spaces.Dict(parts)


def named(names: Sequence[str], vector: Vector) -> Scalars:
    """Each number of `vector` under its name."""
    return {name: np.array(number, dtype=np.float32) for name, number in zip(names, vector, strict=True)}
