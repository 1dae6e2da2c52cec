"""What every environment of env_plugins keeps, and what happens to a plugin that is broken."""

import inspect
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import env_plugins
from gym_llm.llm_env import find_llm_env, get_env_definition
from gym_llm.spaces import check_contains, draw, from_json, json_schema, to_json
from tests.plugins_apart.loading import restored

LIMITS = {
    "LunarLanderLLM-v3": (1000, 200),
    "LunarLanderLLM-v2": (80, 200),
    "LunarLanderContinuousLLM-v3": (1000, 200),
    "CartPoleLLM-v1": (500, 475),
    "MountainCarLLM-v0": (200, -110),
    "MountainCarContinuousLLM-v0": (999, 90),
    "AcrobotLLM-v1": (500, -100),
    "PendulumLLM-v1": (200, None),
    "BlackjackLLM-v1": (None, None),
    "TaxiLLM-v3": (50, 8),
    "TaxiLLM-v4": (200, 8),
    "FrozenLakeLLM-v1": (100, 0.7),
    "FrozenLake8x8LLM-v1": (200, 0.85),
    "CliffWalkingLLM-v1": (200, None),
    "CliffWalkingSlipperyLLM-v1": (500, None),
    "MiniGrid-Empty-5x5LLM-v0": (None, None),
    "MiniGrid-DoorKey-6x6LLM-v0": (None, None),
    "MiniGrid-Dynamic-Obstacles-6x6LLM-v0": (None, None),
    "BabyAI-GoToRedBallLLM-v0": (None, None),
    "BabyAI-BossLevelLLM-v0": (None, None),
}
UNPILOTED = {"MiniGrid-Dynamic-Obstacles-6x6LLM-v0", "BabyAI-BossLevelLLM-v0"}
every_environment = pytest.mark.parametrize("id", LIMITS)
every_heuristic = pytest.mark.parametrize("id", [id for id in LIMITS if id not in UNPILOTED])


def rollout(id: str, seed: int, steps: int) -> list[tuple[Any, ...]]:
    """Random play through as many episodes as `steps` steps take."""
    env = gym.make(id)
    observation, _ = env.reset(seed=seed)
    seen: list[tuple[Any, ...]] = [(to_json(observation),)]
    for step in range(steps):
        observation, reward, terminated, truncated, _ = env.step(draw(env.action_space, seed, step))
        check_contains(env.observation_space, observation)
        seen.append((to_json(observation), reward, terminated, truncated))
        if terminated or truncated:
            observation, _ = env.reset()
            check_contains(env.observation_space, observation)
    env.close()
    return seen


def test_every_plugin_is_registered():
    assert env_plugins.failures == {}
    assert {id for ids in env_plugins.plugins.values() for id in ids} >= LIMITS.keys()
    assert env_plugins.plugins["lunar_lander"][:2] == ("LunarLanderLLM-v3", "LunarLanderLLM-v2")


@every_environment
def test_limits(id: str):
    spec = gym.make(id).spec
    assert spec is not None
    assert (spec.max_episode_steps, spec.reward_threshold) == LIMITS[id]


def test_importing_in_any_order_and_twice_warns_of_nothing():
    code = (
        "import env_plugins.classic_control, env_plugins, gymnasium\n"
        "for folder in tuple(env_plugins.__path__): env_plugins.load(folder)\n"
        f"for id in {list(LIMITS)}: gymnasium.make(id).reset(seed=0)\n"
        "assert all(env_plugins.plugins.values()) and not env_plugins.failures\n"
    )
    root = Path(env_plugins.__file__).parents[1]
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=root, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@every_environment
def test_definition_is_found_in_the_wrapper_chain_and_matches_the_spaces(id: str):
    env = gym.make(id)
    definition = get_env_definition(env)
    observation, _ = env.reset(seed=0)
    fields = list(definition["observation_schema"])
    assert fields == list(env.observation_space.spaces) == list(observation)
    assert all(field["description"] and field["type"] for field in definition["observation_schema"].values())
    actions = definition["action_schema"]
    if isinstance(env.action_space, gym.spaces.Discrete):
        assert list(actions) == list(range(env.action_space.n))
    else:
        assert isinstance(actions, str)
    assert len(definition["goal_description"]) > 1000


@every_environment
def test_spaces_and_safe_action_have_a_json_form(id: str):
    env = gym.make(id)
    assert json_schema(env.observation_space)["required"] == list(env.observation_space.spaces)
    safe = find_llm_env(env).safe_action()
    assert np.array_equal(from_json(env.action_space, to_json(safe)), safe)


@every_environment
def test_goal_states_the_registered_limits(id: str):
    goal = get_env_definition(gym.make(id))["goal_description"]
    for number in LIMITS[id]:
        assert number is None or str(number) in goal


@every_environment
def test_gymnasiums_own_check(id: str):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*is different from the unwrapped version")
        warnings.filterwarnings("ignore", message=".*A Box observation space m.*imum value is .*infinity")
        warnings.filterwarnings("ignore", message=".*we recommend using a symmetric and normalized space")
        check_env(find_llm_env(gym.make(id)), skip_render_check=True)


@every_environment
def test_random_play_stays_within_the_space_and_is_the_same_again(id: str):
    steps = 1500 if id.startswith("Lunar") else 500
    assert rollout(id, 1, steps) == rollout(id, 1, steps)


@every_environment
def test_environment_can_be_made_again_from_its_spec(id: str):
    assert str(gym.make(gym.make(id).spec)) == str(gym.make(id))


@every_environment
def test_rendering(id: str):
    env = gym.make(id, render_mode="rgb_array")
    env.reset(seed=0)
    frame = env.render()
    assert isinstance(frame, np.ndarray)
    assert (frame.dtype, frame.ndim) == (np.uint8, 3)
    env.close()


@every_environment
def test_keywords_can_be_read_from_the_signature(id: str):
    layer = type(find_llm_env(gym.make(id)))
    keywords = inspect.signature(layer).parameters.values()
    assert all(keyword.annotation is not inspect.Parameter.empty for keyword in keywords)
    assert all(keyword.default is not inspect.Parameter.empty for keyword in keywords)


@every_heuristic
def test_advice_is_a_function_of_the_observation_in_either_form(id: str):
    env = gym.make(id)
    layer = find_llm_env(env)
    observation, _ = env.reset(seed=3)
    for _ in range(30):
        advice = layer.heuristic(observation)
        for other in (layer.heuristic(to_json(observation)), find_llm_env(gym.make(id)).heuristic(observation)):
            assert (to_json(other.action), other.reflection) == (to_json(advice.action), advice.reflection)
        assert env.action_space.contains(advice.action)
        assert advice.reflection.endswith(".")
        observation, _, terminated, truncated, _ = env.step(advice.action)
        if terminated or truncated:
            observation, _ = env.reset()


@every_environment
def test_safe_action_is_an_action(id: str):
    env = gym.make(id)
    assert env.action_space.contains(find_llm_env(env).safe_action())


@pytest.fixture(name="restored")
def _restored() -> Iterator[None]:
    with restored():
        yield


def plugin(folder: Path, name: str, id: str, last_line: str = "") -> None:
    (folder / name).mkdir()
    code = f"import gymnasium\ngymnasium.register(id={id!r}, entry_point='env_plugins.{name}:Env')\n{last_line}\n"
    (folder / name / "__init__.py").write_text(code)


@pytest.mark.usefixtures("restored")
def test_broken_plugin_is_recorded_and_the_others_still_register(tmp_path: Path):
    plugin(tmp_path, "a_broken_one", "Broken-v0", "raise RuntimeError('no simulator here')")
    plugin(tmp_path, "a_misspelt_one", "Misspelt-v0", "import gymnasiun")
    plugin(tmp_path, "b_good_one", "Good-v0")
    (tmp_path / "no_plugin").mkdir()
    env_plugins.load(tmp_path)
    env_plugins.load(tmp_path)
    assert env_plugins.plugins["b_good_one"] == ("Good-v0",)
    assert env_plugins.failures.keys() == {"a_broken_one", "a_misspelt_one"}
    assert str(env_plugins.failures["a_broken_one"]) == "no simulator here"
    assert isinstance(env_plugins.failures["a_misspelt_one"], ModuleNotFoundError)
    assert "Good-v0" in gym.registry
    assert not {"Broken-v0", "Misspelt-v0"} & gym.registry.keys()
    assert LIMITS.keys() <= gym.registry.keys()


@pytest.mark.usefixtures("restored")
def test_plugin_cannot_take_the_name_of_another(tmp_path: Path):
    plugin(tmp_path, "lunar_lander", "Impostor-v0")
    before = dict(env_plugins.plugins)
    env_plugins.load(tmp_path)
    assert env_plugins.plugins == before
    assert "Impostor-v0" not in gym.registry
