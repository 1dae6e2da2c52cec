"""MiniGrid and BabyAI: the view in words is the view."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import env_plugins
from env_plugins.minigrid import view
from env_plugins.minigrid.env import llm_id
from gym_llm.llm_env import LLMEnv, find_llm_env, get_env_definition
from gym_llm.spaces import check_contains, to_json

ALL = [id for id in env_plugins.plugins["minigrid"] if "LLM-v" in id]
ORIGINALS = [id for id in gym.registry if id.startswith(("MiniGrid-", "BabyAI-")) and "LLM-v" not in id]


def at_start(id: str, seed: int = 0) -> tuple[Any, dict[str, Any]]:
    env = gym.make(id)
    return env, env.reset(seed=seed)[0]


def test_there_is_one_for_each_original():
    assert len(ORIGINALS) > 150
    assert {llm_id(id) for id in ORIGINALS} == set(ALL)
    assert llm_id("MiniGrid-Empty-5x5-v0") == "MiniGrid-Empty-5x5LLM-v0"


@pytest.mark.parametrize("id", [id for id in ALL if "WFC" not in id][::6])
def test_many_of_them_play_and_repeat_themselves(id: str):
    episodes = []
    for _ in range(2):
        env, observation = at_start(id, seed=7)
        seen = [to_json(observation)]
        actions = np.random.default_rng(1)
        for _ in range(40):
            observation, _, terminated, truncated, info = env.step(int(actions.integers(env.action_space.n)))
            check_contains(env.observation_space, observation)
            seen.append(to_json(observation))
            if terminated or truncated:
                break
        assert info["is_success"] in (True, False)
        episodes.append(seen)
    assert episodes[0] == episodes[1]


def test_view_is_what_the_simulator_has():
    env, observation = at_start("BabyAI-GoToLocalLLM-v0", seed=3)
    inner = env.unwrapped
    for action in (0, 2, 1, 2, 2, 0, 2, 0):
        for thing in view.read_things(observation["things"]):
            x, y = inner.agent_pos + inner.dir_vec * thing.ahead + inner.right_vec * thing.right
            there = inner.grid.get(x, y)
            assert thing.name.split()[-2:] == [there.color, there.type]
        for ahead, right in view.find(observation["view"], view.WALL):
            x, y = inner.agent_pos + inner.dir_vec * ahead + inner.right_vec * right
            outside = not (0 <= x < inner.width and 0 <= y < inner.height)
            assert outside or inner.grid.get(x, y).type == "wall"
        assert observation["direction"] == ("east", "south", "west", "north")[inner.agent_dir]
        assert observation["mission"] == inner.mission
        observation, *_ = env.step(action)


@pytest.mark.parametrize("seed", range(3))
def test_things_are_read_as_they_were_written(seed: int):
    env, _ = at_start("BabyAI-BossLevelLLM-v0", seed)
    image = env.unwrapped.gen_obs()["image"]
    assert view.read_things(view.listed(view.things(image))) == view.things(image)


def test_useful_actions_are_those_that_change_anything():
    actions = np.random.default_rng(0)
    changing = 0
    for seed in range(30):
        env, observation = at_start("BabyAI-SynthLocLLM-v0" if seed % 2 else "MiniGrid-DoorKey-5x5LLM-v0", seed)
        inner = env.unwrapped
        for _ in range(60):
            action = int(actions.integers(7))
            before = inner.hash(), inner.carrying
            useful = {int(part.split()[0]) for part in observation["useful_actions"].split(", ")}
            observation, _, terminated, truncated, _ = env.step(action)
            changed = (inner.hash(), inner.carrying) != before
            assert changed == (action in useful), (action, useful)
            changing += changed and action > 2
            if terminated or truncated:
                break
    assert changing > 10


def test_turns_move_things_as_the_goal_says():
    for seed in range(5):
        for action, turned in ((0, lambda a, r: (-r, a)), (1, lambda a, r: (r, -a))):
            env, before = at_start("MiniGrid-Fetch-8x8-N3LLM-v0", seed)
            after = {(t.name, t.ahead, t.right) for t in view.read_things(env.step(action)[0]["things"])}
            for thing in view.read_things(before["things"]):
                place = turned(thing.ahead, thing.right)
                if 0 <= place[0] <= 6 and abs(place[1]) <= 3:
                    assert (thing.name, *place) in after


@pytest.mark.parametrize(
    ("id", "share"),
    [
        ("MiniGrid-Empty-16x16LLM-v0", 1.0),
        ("MiniGrid-DoorKey-8x8LLM-v0", 1.0),
        ("MiniGrid-MultiRoom-N6LLM-v0", 1.0),
        ("MiniGrid-GoToDoor-6x6LLM-v0", 1.0),
        ("MiniGrid-UnlockLLM-v0", 1.0),
        ("BabyAI-GoToRedBallLLM-v0", 0.8),
        ("BabyAI-OneRoomS8LLM-v0", 0.8),
    ],
)
def test_heuristic_completes_missions(id: str, share: float):
    done = []
    for seed in range(10):
        env, observation = at_start(id, seed)
        layer = find_llm_env(env)
        over = False
        while not over:
            observation, _, terminated, truncated, info = env.step(layer.heuristic(observation).action)
            over = terminated or truncated
        done.append(info["is_success"])
    assert np.mean(done) >= share


def test_a_heuristic_is_only_claimed_where_there_is_one():
    env, observation = at_start("BabyAI-BossLevelLLM-v0")
    assert type(find_llm_env(env)).heuristic is LLMEnv.heuristic
    assert find_llm_env(env).heuristic(observation) is None


def test_special_rules_are_told_where_they_hold():
    goals = {id: get_env_definition(gym.make(id))["goal_description"] for id in ALL[:40] + ALL[-40:]}
    assert "choose action 6, done" in get_env_definition(gym.make("MiniGrid-GoToDoor-5x5LLM-v0"))["goal_description"]
    assert all(("after you" in goal) == id.startswith("BabyAI") for id, goal in goals.items())


def test_without_the_extra_the_plugin_says_what_to_install():
    code = (
        "import sys\nsys.modules['minigrid'] = None\nimport env_plugins, gymnasium\n"
        "print(env_plugins.failures['minigrid'])\n"
        "assert 'CartPoleLLM-v1' in gymnasium.registry and 'minigrid' not in env_plugins.plugins\n"
    )
    root = Path(env_plugins.__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "needs the extra minigrid: pip install 'gym-llm[minigrid]'\n")
