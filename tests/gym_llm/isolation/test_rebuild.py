"""Spaces and signatures are the same on both sides of the line."""

import inspect
from typing import Any, Literal

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

from gym_llm.isolation import describe, rebuild
from gym_llm.isolation.wire import WireError
from gym_llm.json_space import JsonSpace
from tests.gym_llm.isolation.test_wire import crossed

SPACES = [
    spaces.Discrete(5),
    spaces.Discrete(3, start=-1),
    spaces.Box(-1, 1, (2, 3), np.float32),
    spaces.Box(np.array([0, -np.inf]), np.array([np.inf, 3.5]), dtype=np.float64),
    spaces.Box(0, 255, (4, 4, 3), np.uint8),
    spaces.Box(0, 1, (), np.float32),
    spaces.MultiDiscrete([3, 4], start=[1, 0]),
    spaces.MultiDiscrete(np.array([[2, 3], [4, 5]])),
    spaces.MultiBinary(4),
    spaces.MultiBinary([2, 3]),
    spaces.Text(8, min_length=2, charset="xyz"),
    spaces.Dict([("zebra", spaces.Discrete(2)), ("ape", spaces.Box(0, 1, (2,)))]),
    spaces.Tuple([spaces.Discrete(2), spaces.Text(3)]),
    spaces.Sequence(spaces.Box(0, 1, (2,)), stack=True),
    spaces.OneOf([spaces.Discrete(2), spaces.MultiBinary(2)]),
    JsonSpace({"type": "object", "properties": {"message": {"type": "string"}}}),
]


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_a_space_is_the_same_on_the_other_side(space: gym.Space[Any]) -> None:
    again = rebuild.space(crossed(describe.space(space)))
    assert again == space
    if isinstance(space, spaces.Dict):
        assert list(again.spaces) == list(space.spaces)  # type: ignore[attr-defined]
    space.seed(0)
    for _ in range(5):
        element = crossed(space.sample())
        assert again.contains(element)


class Odd(gym.Space[int]): ...


def test_a_space_that_nobody_knows_says_so() -> None:
    with pytest.raises(WireError, match="of a kind that cannot cross"):
        describe.space(spaces.Dict({"odd": Odd()}))
    with pytest.raises(WireError, match="not the description of a space"):
        rebuild.space({"kind": "Odd"})


class Made:
    def __init__(
        self,
        render_mode: str | None = None,
        size: int = 5,
        mode: Literal["a", "b"] = "a",
        names: list[str] | None = None,
        odd: object = None,
        *,
        speed: float,
        untold=3,  # type: ignore[no-untyped-def]
        **rest: Any,
    ) -> None: ...


def test_a_constructor_is_the_same_on_the_other_side() -> None:
    parameters = rebuild.signature(crossed(describe.parameters(Made))).parameters
    assert {name: (parameter.annotation, parameter.default) for name, parameter in parameters.items()} == {
        "size": (int, 5),
        "mode": (Literal["a", "b"], "a"),
        "names": (list[str] | None, None),
        "speed": (float, inspect.Parameter.empty),
    }
