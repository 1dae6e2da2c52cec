"""Environments by name."""

import subprocess
import sys
from collections.abc import Iterator

import gymnasium as gym
import pytest
from gymnasium.envs.classic_control import CartPoleEnv
from gymnasium.wrappers import TransformReward

import env_plugins  # noqa: F401  (registers)
from gym_llm import get_env
from gym_llm.adapt import AdaptedEnv
from gym_llm.environments import plugin_id
from gym_llm.errors import ConfigError
from gym_llm.llm_env import find_llm_env


@pytest.fixture
def registered() -> Iterator[None]:
    """Ids that are there for one test."""
    ids = {"Room-5x5-v0": "gymnasium.envs.classic_control:CartPoleEnv", "Room-5x5LLM-v0": "tests.fakes:CountingEnv"}
    for id, entry_point in ids.items():
        gym.register(id, entry_point)
    yield
    for id in ids:
        del gym.registry[id]


@pytest.mark.parametrize(
    ("name", "plugin"),
    [
        ("CartPole-v1", "CartPoleLLM-v1"),
        ("MiniGrid-Empty-5x5-v0", "MiniGrid-Empty-5x5LLM-v0"),
        ("ALE/Pong-v5", "ALE/PongLLM-v5"),
        ("Room", "RoomLLM"),
    ],
)
def test_the_id_of_a_plugin(name: str, plugin: str) -> None:
    assert plugin_id(name) == plugin


def test_a_plugin_beats_the_adapter(registered: None) -> None:
    for name, kind in (("CartPole-v1", "CartPoleLLM"), ("Room-5x5-v0", "CountingEnv")):
        env = get_env({"name": name}, render_mode=None)
        assert type(find_llm_env(env)).__name__ == kind
        env.close()


def test_what_no_plugin_describes_is_adapted() -> None:
    env = get_env({"name": "BipedalWalker-v3", "kwargs": {"hardcore": True}}, render_mode="rgb_array")
    assert isinstance(env, AdaptedEnv)
    assert env.render_mode == "rgb_array"
    env.close()


def test_an_environment_need_not_know_render_modes() -> None:
    gym.register("Blind-v0", lambda: TransformReward(CartPoleEnv(), lambda reward: 2 * reward))
    try:
        env = get_env({"name": "Blind-v0"}, render_mode=None)
    finally:
        del gym.registry["Blind-v0"]
    env.reset(seed=0)
    assert env.step(0)[1] == 2


@pytest.mark.parametrize("name", ["Nope-v0", "CartPole-v77", "nope/CartPole-v1"])
def test_an_unknown_name_is_told(name: str) -> None:
    with pytest.raises(ConfigError, match=r"environment\.name: "):
        get_env({"name": name})


def test_drawing_is_loaded_before_there_are_threads_that_draw() -> None:
    code = """if True:
        import sys, types
        import env_plugins
        from gym_llm import get_env
        get_env({"name": "FrozenLakeLLM-v1"}, "rgb_array")
        assert type(sys.modules["pygame.surfarray"]) is types.ModuleType, "it loads at its first use"
    """
    subprocess.run([sys.executable, "-c", code], check=True)
