"""Gymnasium's environments, and odd ones, as environments that describe themselves."""

import json
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

from gym_llm import Agent, adapt, get_env_definition, play, run_experiment
from gym_llm.adapt import AdaptedEnv
from gym_llm.adapt.goal import LONGEST
from gym_llm.env_runner import EnvRunner
from gym_llm.episode import PastStep, Step
from gym_llm.errors import ConfigError, EnvError, SpaceError
from gym_llm.spaces import check_contains, draw, from_json, json_schema, to_json
from tests.fakes import CountingEnv, FakeBackend, answer

# id -> fields of the observation, and the action schema or what its keys are.
EXPECTED: dict[str, tuple[list[str], Any]] = {
    "CartPole-v1": (
        ["cart_position", "cart_velocity", "pole_angle", "pole_angular_velocity"],
        {0: "Push cart to the left", 1: "Push cart to the right"},
    ),
    "Acrobot-v1": (
        [
            "cosine_of_theta1",
            "sine_of_theta1",
            "cosine_of_theta2",
            "sine_of_theta2",
            "angular_velocity_of_theta1",
            "angular_velocity_of_theta2",
        ],
        {
            0: "apply -1 torque to the actuated joint",
            1: "apply 0 torque to the actuated joint",
            2: "apply 1 torque to the actuated joint",
        },
    ),
    "Pendulum-v1": (["x", "y", "angular_velocity"], {"torque": "Torque; a number from -2 to 2"}),
    "MountainCar-v0": (
        ["position_of_car_along_x_axis", "velocity_of_car"],
        {0: "Accelerate to the left", 1: "Don't accelerate", 2: "Accelerate to the right"},
    ),
    "MountainCarContinuous-v0": (
        ["position_of_car_along_x_axis", "velocity_of_car"],
        {"action": "a list of 1 number from -1 to 1"},
    ),
    "LunarLander-v3": (
        ["state"],
        {
            0: "do nothing",
            1: "fire left orientation engine",
            2: "fire main engine",
            3: "fire right orientation engine",
        },
    ),
    "LunarLanderContinuous-v3": (["state"], {"action": "a list of 2 numbers, each from -1 to 1"}),
    "BipedalWalker-v3": (["state"], {"action": "a list of 4 numbers, each from -1 to 1"}),
    "CarRacing-v3": (
        ["image"],
        {
            "steering": "steering, -1 is full left, +1 is full right; a number from -1 to 1",
            "gas": "gas; a number from 0 to 1",
            "braking": "braking; a number from 0 to 1",
        },
    ),
    "FrozenLake-v1": (["state"], {0: "Move left", 1: "Move down", 2: "Move right", 3: "Move up"}),
    "Taxi-v4": (["state"], range(6)),
    "Blackjack-v1": (
        ["player_current_sum", "dealer_showing_card_value", "usable_ace"],
        {0: "Stick", 1: "Hit"},
    ),
    "CliffWalking-v1": (["state"], {0: "Move up", 1: "Move right", 2: "Move down", 3: "Move left"}),
    "CliffWalkingSlippery-v1": (["state"], range(4)),
}


def steps(env: gym.Env[Any, Any], count: int) -> None:
    """Play at random, and check that all that is observed is in its space and is JSON."""
    observation, _ = env.reset(seed=0)
    for step in range(count):
        check_contains(env.observation_space, observation)
        to_json(observation)
        action = from_json(env.action_space, to_json(draw(env.action_space, 0, step)))
        observation, reward, terminated, truncated, _ = env.step(action)
        assert np.isfinite(float(reward))
        if terminated or truncated:
            observation, _ = env.reset()
    env.close()


@pytest.mark.parametrize("id", EXPECTED)
def test_gymnasium(id: str) -> None:
    env = adapt(gym.make(id))
    definition = get_env_definition(env)
    fields, actions = EXPECTED[id]
    assert list(definition["observation_schema"]) == fields == list(env.observation_space)
    assert list(definition["action_schema"]) == list(actions)
    if isinstance(actions, dict):
        assert definition["action_schema"] == actions
    goal = definition["goal_description"]
    assert id in goal
    assert "Rewards: " in goal
    assert "End: " in goal
    assert len(goal) <= LONGEST
    assert "ndarray" not in goal
    assert "`" not in goal
    steps(env, 30 if id == "CarRacing-v3" else 300)


def test_ranges_come_from_the_bounds_and_are_not_enforced() -> None:
    env = adapt(gym.make("CartPole-v1"))
    schema = get_env_definition(env)["observation_schema"]
    assert schema["cart_position"] == {"description": "Cart Position", "type": "number", "range": "from -4.8 to 4.8"}
    assert "range" not in schema["cart_velocity"]
    assert env.observation_space["cart_position"].contains(np.array(9, np.float32))


def test_limits_and_variants_are_told() -> None:
    goal = get_env_definition(adapt(gym.make("LunarLanderContinuous-v3")))["goal_description"]
    assert "An episode is cut off after 1000 steps." in goal
    assert "A total reward of 200 or more counts as success." in goal
    assert "Here continuous = True: determines if discrete or continuous" in goal
    slippery = get_env_definition(adapt(gym.make("FrozenLake-v1", is_slippery=False)))["goal_description"]
    assert "Here is_slippery = False: If true the player will move" in slippery


def test_maps_survive() -> None:
    assert "|R: | : :G|\n| : | : : |" in get_env_definition(adapt(gym.make("Taxi-v4")))["goal_description"]


def test_minigrid() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        minigrid = pytest.importorskip("minigrid")
    assert minigrid
    env = adapt(gym.make("MiniGrid-Empty-5x5-v0"))
    definition = get_env_definition(env)
    assert set(definition["observation_schema"]) == {"direction", "image", "mission"}
    assert definition["observation_schema"]["mission"] == {"description": "a text", "type": "string"}
    assert definition["action_schema"][2] == "forward: Move forward"
    assert "get to the green goal square" in definition["goal_description"]
    steps(env, 50)


def test_who_describes_itself_is_left_alone() -> None:
    env = CountingEnv()
    assert adapt(env) is env
    wrapped = gym.wrappers.TimeLimit(CountingEnv(), 3)
    assert adapt(wrapped) is wrapped
    adapted = adapt(gym.make("CartPole-v1"))
    assert adapt(adapted) is adapted


class Odd(gym.Env[Any, Any]):
    # No docstring, on purpose.

    def __init__(self, observation_space: Any, action_space: Any, observation: Any = None) -> None:
        self.observation_space, self.action_space = observation_space, action_space
        self.observation = observation
        self.taken: list[Any] = []

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        return self._see(), {}

    def step(self, action: Any) -> Any:
        assert self.action_space.contains(action)
        self.taken.append(action)
        return self._see(), 0.0, False, False, {}

    def _see(self) -> Any:
        return self.observation if self.observation is not None else self.observation_space.sample()


ODD_SPACES = [
    spaces.Box(-np.inf, np.inf, (3,)),
    spaces.Box(0, 1, ()),
    spaces.Box(0, 255, (40, 30), np.uint8),
    spaces.Discrete(5, start=2),
    spaces.Discrete(1000),
    spaces.MultiDiscrete([[2, 3], [4, 5]]),
    spaces.MultiBinary(6),
    spaces.Text(9, charset="äß "),
    spaces.Tuple([spaces.Discrete(2), spaces.Box(-1, 1, (2,), np.float64)]),
    spaces.Dict({"near by": spaces.Dict(x=spaces.Discrete(3)), "far": spaces.Text(3)}),
    spaces.Sequence(spaces.Box(-1, 1, (2,))),
    spaces.Sequence(spaces.Discrete(3), stack=True),
    spaces.OneOf([spaces.Discrete(2), spaces.Text(2)]),
]


@pytest.mark.parametrize("space", ODD_SPACES, ids=str)
def test_any_space_is_observed(space: gym.Space[Any]) -> None:
    env = adapt(Odd(space, spaces.Discrete(2)))
    definition = get_env_definition(env)
    assert all(field["description"] for field in definition["observation_schema"].values())
    assert set(definition["observation_schema"]) == set(env.observation_space)
    json_schema(env.observation_space)
    steps(env, 20)


def test_a_graph_is_observed_as_json() -> None:
    env = adapt(Odd(spaces.Graph(spaces.Discrete(3), spaces.Discrete(2)), spaces.Discrete(2)))
    steps(env, 5)


@pytest.mark.parametrize("space", [space for space in ODD_SPACES if space.shape != (40, 30)], ids=str)
async def test_any_space_is_acted_in(space: gym.Space[Any]) -> None:
    inner = Odd(spaces.Discrete(2), space)
    env = adapt(inner)
    action = to_json(draw(env.action_space, 0, 0))
    agent = Agent(
        {"backend": "openai", "model": "any"}, **get_env_definition(env), backend=FakeBackend([answer(action)])
    )
    observation, _ = env.reset(seed=0)
    decision = await agent.act(observation)
    assert decision.outcome == "valid"
    env.step(agent.element(decision))
    assert len(inner.taken) == 1


def test_an_action_of_too_many_numbers_is_refused_when_the_agent_is_made() -> None:
    env = adapt(Odd(spaces.Discrete(2), spaces.Box(0, 255, (40, 30), np.uint8)))
    with pytest.raises(ConfigError, match="action_space: an action of 1200 numbers"):
        Agent({"backend": "baseline", "model": "random"}, **get_env_definition(env))


def test_observations_in_other_types_than_declared_are_taken() -> None:
    vector = adapt(Odd(spaces.Box(-1, 1, (2,)), spaces.Discrete(2), [0.5, 7]))
    observation, _ = vector.reset(seed=0)
    check_contains(vector.observation_space, observation)
    assert to_json(observation) == {"state": [0.5, 7.0]}
    double = adapt(Odd(spaces.Dict(x=spaces.Box(-1, 1, ())), spaces.Discrete(2), {"x": np.float64(0.1)}))
    observation, _ = double.reset(seed=0)
    check_contains(double.observation_space, observation)


@pytest.mark.parametrize(
    ("space", "observation", "told"),
    [
        (spaces.Dict(x=spaces.Discrete(2)), {"y": 1}, r"\['x', 'y'\] are missing or unknown"),
        (spaces.Box(-1, 1, (2,)), np.zeros(3, np.float32), r"observation\.state is outside its space"),
        (spaces.Tuple([spaces.Discrete(2)] * 2), (1,), "observation is outside its space"),
        (spaces.Discrete(2), 5, r"observation\.state is outside its space"),
    ],
)
def test_observations_of_another_shape_are_named(space: gym.Space[Any], observation: Any, told: str) -> None:
    env = adapt(Odd(space, spaces.Discrete(2), observation))
    seen, _ = env.reset(seed=0)
    with pytest.raises(SpaceError, match=told):
        check_contains(env.observation_space, seen)


def test_without_a_docstring_there_is_a_goal_all_the_same() -> None:
    definition = get_env_definition(adapt(Odd(spaces.Discrete(2), spaces.Discrete(2, start=-1))))
    assert "comes without a description" in definition["goal_description"]
    assert definition["action_schema"] == dict.fromkeys([-1, 0], "The effect is not documented.")


class Long(Odd):
    __doc__ = f"""## Description
{"A very long story. " * 300}

## Rewards
1 at the door.
"""

    def get_action_meanings(self) -> list[str]:
        return ["NOOP", "FIRE"]


def test_a_long_docstring_is_cut_where_it_is_longest() -> None:
    definition = get_env_definition(adapt(Long(spaces.Discrete(2), spaces.Discrete(2))))
    assert LONGEST - 100 < len(definition["goal_description"]) <= LONGEST
    assert "A very long story. ...\n\nRewards" in definition["goal_description"]
    assert definition["goal_description"].endswith("Rewards: 1 at the door.")
    assert definition["action_schema"] == {0: "NOOP", 1: "FIRE"}


def test_a_wrapped_environment_is_read_to_its_core() -> None:
    env = adapt(gym.wrappers.TimeAwareObservation(gym.make("CartPole-v1"), flatten=False))
    assert set(get_env_definition(env)["observation_schema"]) == {"obs", "time"}
    assert "cart-pole" in get_env_definition(env)["goal_description"]
    steps(env, 20)


class Camera(Odd):
    """A picture of noise."""

    def __init__(self, render_mode: str | None = None) -> None:
        super().__init__(spaces.Box(0, 255, (64, 64, 3), np.uint8), spaces.Box(-1, 1, (2,)))

    def _see(self) -> Any:
        return self.np_random.integers(0, 256, (64, 64, 3), np.uint8)


async def test_a_picture_is_played_and_replayed() -> None:
    async def episode(past: Sequence[PastStep] = ()) -> list[Step]:
        env = await EnvRunner.make(lambda: adapt(Camera()))
        agent = Agent({"backend": "baseline", "model": "random"}, **env.definition)
        steps = [step async for step in play(env, agent, seed=3, max_steps=4, past=past)]
        await env.close()
        return steps

    first = await episode()
    past = [PastStep(step.digest, step.decision, step.reward) for step in first]
    assert [step.digest for step in await episode(past)] == [step.digest for step in first]
    assert first[0].observation["image"]["shape"] == [64, 64, 3]
    past[2] = replace(past[2], digest=past[1].digest)
    with pytest.raises(EnvError, match="step 3: not deterministic"):
        await episode(past)


def test_an_experiment_by_the_id_alone(tmp_path: Path) -> None:
    config = {
        "agent": {"backend": "baseline", "model": "random"},
        "environment": {"name": "BipedalWalker-v3"},
        "experiment": {"parent": str(tmp_path), "max_steps": 3, "save_gif": True, "caption": True},
    }
    folder = Path(run_experiment(config)["folder"])
    outputs = json.loads((folder / "run_0_seed_0_raw_outputs.json").read_text())
    assert [len(output["action"]) for output in outputs.values()] == [4] * 3  # Of each motor.
    assert (folder / "run_0_seed_0.gif").stat().st_size > 0


def test_its_spec_makes_it_again() -> None:
    env = adapt(gym.make("Acrobot-v1"))
    assert env.spec is not None
    again = env.spec.make()
    assert isinstance(again, AdaptedEnv)
    assert get_env_definition(again)["goal_description"] == get_env_definition(env)["goal_description"]
