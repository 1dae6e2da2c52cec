"""Policies of reinforcement learning as baselines."""

import importlib.util
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from gymnasium import spaces

import env_plugins  # noqa: F401
from gym_llm import Agent, get_env, get_env_definition, run_experiment
from gym_llm.backends import BaselineBackend
from gym_llm.errors import ConfigError
from gym_llm.trained import flat_space, flatten, train, trained_file, unseen
from tests.app.commands import invoke

CART_POLE = {"name": "CartPoleLLM-v1"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where trained policies are. Skips where none can be trained."""
    if importlib.util.find_spec("stable_baselines3") is None:
        reason = "Stable-Baselines3 is not installed: make baselines"
        if os.environ.get("GYM_LLM_REQUIRE_ALL") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return tmp_path_factory.mktemp("models")


def agent(model: str, folder: Path, environment: dict[str, Any] = CART_POLE) -> tuple[Agent, Any]:
    env = get_env(environment, None)
    made = Agent({"backend": "baseline", "model": model}, **get_env_definition(env), backend=BaselineBackend(folder))
    return made, env


def test_observations_become_vectors() -> None:
    space = spaces.Dict({"a": spaces.Discrete(3), "b": spaces.Box(-1, 1, (2,)), "c": spaces.MultiBinary(2)})
    assert flat_space(space).shape == (7,)
    assert flatten(space, {"a": 1, "b": [0.5, -0.5], "c": [1, 0]}).tolist() == [0, 1, 0, 0.5, -0.5, 1, 0]


@pytest.mark.parametrize("space", [spaces.Text(5), spaces.Sequence(spaces.Discrete(2)), spaces.Dict(m=spaces.Text(3))])
def test_texts_and_lists_are_no_vectors(space: Any) -> None:
    with pytest.raises(ConfigError, match="no vector"):
        flat_space(space)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("sb3/none", "no trained policy 'none' for CartPoleLLM-v1; gym-llm train-baseline CartPoleLLM-v1 --name none "),
        ("sb3/junk", "no zip of"),
    ],
)
async def test_a_file_that_is_none_is_told(tmp_path: Path, name: str, told: str) -> None:
    with zipfile.ZipFile(tmp_path / "junk.zip", "w") as junk:
        junk.writestr("hello.txt", "hello")
    playing, env = agent(name, tmp_path)
    observation, _ = env.reset(seed=0)
    with pytest.raises(ConfigError, match=told):
        await playing.act(observation)


def test_texts_beside_other_fields_are_left_out() -> None:
    space = spaces.Dict(
        told=spaces.Text(5), at=spaces.Discrete(2), more=spaces.Dict(words=spaces.Text(5), size=spaces.Box(0, 1, (1,)))
    )
    observation = {"told": "left", "at": 1, "more": {"words": "big", "size": [0.5]}}
    assert flat_space(space).shape == (3,)
    assert sorted(flatten(space, observation).tolist()) == [0, 0.5, 1]
    assert flat_space(space).contains(flatten(space, observation).astype("float32"))
    assert sorted(unseen(space)) == ["more", "told"]


def test_the_policy_of_the_environment_comes_first(tmp_path: Path) -> None:
    (tmp_path / "ppo").mkdir()
    for file in ("ppo.zip", "ppo/CartPoleLLM-v1.zip"):
        (tmp_path / file).touch()
    assert trained_file(tmp_path, "ppo", "CartPoleLLM-v1") == tmp_path / "ppo/CartPoleLLM-v1.zip"
    assert trained_file(tmp_path, "ppo", "TaxiLLM-v4") == tmp_path / "ppo.zip"
    assert trained_file(tmp_path, "ppo", None) == tmp_path / "ppo.zip"


@pytest.mark.parametrize("name", ["sb3/../secret", "sb3/", "sb3/a/b", "sb3/.hidden"])
async def test_no_name_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.zip").write_bytes(b"")
    playing, env = agent(name, tmp_path / "models")
    observation, _ = env.reset(seed=0)
    with pytest.raises(ConfigError, match="heuristic, random and sb3/NAME"):
        await playing.act(observation)


@pytest.mark.timeout(300)
async def test_a_trained_policy_plays_what_it_was_trained_for_and_nothing_else(folder: Path) -> None:
    train(lambda: get_env(CART_POLE, None), "ppo", 256, folder / "beginner.zip", envs=2, evaluations=1)
    playing, env = agent("sb3/beginner", folder)
    assert (await playing.backend.status()).models == ("heuristic", "random", "sb3/beginner")
    observation, _ = env.reset(seed=0)
    decisions = [await playing.act(observation) for _ in range(2)]
    assert decisions[0].action == decisions[1].action
    assert decisions[0].action in (0, 1)
    assert (decisions[0].attempts, decisions[0].cost_usd) == (0, 0.0)
    assert "% sure" in decisions[0].reflection
    playing, env = agent("sb3/beginner", folder, {"name": "MountainCarLLM-v0"})
    observation, _ = env.reset(seed=0)
    with pytest.raises(ConfigError, match="not trained for this environment"):
        await playing.act(observation)


@pytest.mark.timeout(300)
async def test_one_name_plays_every_environment_that_it_was_trained_for(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GYM_LLM_MODEL_DIR", str(tmp_path))
    arguments = ["--algo", "dqn", "--name", "dqn", "--steps", "20", "--envs", "1", "--option", "learning_starts=10"]
    told = {}
    for environment in ("CartPole-v1", "FrozenLakeLLM-v1"):
        code, out, told[environment] = invoke("train-baseline", environment, *arguments)
        assert (code, "model: sb3/dqn}" in out) == (0, True), told
    assert "It sees no texts, so none of these fields: left, down, right, up" in told["FrozenLakeLLM-v1"]
    assert "texts" not in told["CartPole-v1"]
    assert {path.name for path in (tmp_path / "dqn").iterdir()} == {"CartPoleLLM-v1.zip", "FrozenLakeLLM-v1.zip"}
    for environment in ("CartPoleLLM-v1", "FrozenLakeLLM-v1"):
        playing, env = agent("sb3/dqn", tmp_path, {"name": environment})
        observation, _ = env.reset(seed=0)
        assert env.action_space.contains((await playing.act(observation)).action)
    assert (await playing.backend.status()).models == ("heuristic", "random", "sb3/dqn")
    playing, env = agent("sb3/dqn", tmp_path, {"name": "MountainCarLLM-v0"})
    observation, _ = env.reset(seed=0)
    with pytest.raises(ConfigError, match="train-baseline MountainCarLLM-v0 --algo dqn --name dqn "):
        await playing.act(observation)


def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GYM_LLM_MODEL_DIR", str(tmp_path / "models"))
    code, _, problem = invoke("train-baseline", "CartPoleLLM-v1", "--name", "../x")
    assert (code, problem.count("\n")) == (2, 1)
    assert "--name ../x" in problem
    assert not list(tmp_path.iterdir())


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("algorithm", "environment", "options"),
    [
        ("a2c", "CartPoleLLM-v1", {}),
        ("dqn", "CartPoleLLM-v1", {"learning_starts": 10}),
        ("sac", "Pendulum-v1", {"learning_starts": 10}),
        ("td3", "Pendulum-v1", {"learning_starts": 10}),
    ],
)
def test_every_algorithm_is_known_by_its_zip(
    folder: Path, algorithm: str, environment: str, options: dict[str, Any]
) -> None:
    from gym_llm.trained import TrainedPolicy

    path = folder / f"{algorithm}.zip"
    train(lambda: gym_make(environment), algorithm, 40, path, envs=1, evaluations=1, options=options)
    env = gym_make(environment)
    observation, _ = env.reset(seed=0)
    advice = TrainedPolicy(path, algorithm).advise(observation, env.observation_space, env.action_space)
    assert env.action_space.contains(advice.action)
    assert type(TrainedPolicy(path, algorithm)._model).__name__.lower() == algorithm


def test_what_cannot_be_trained_is_told(folder: Path) -> None:
    with pytest.raises(ConfigError, match="one of ppo, a2c"):
        train(lambda: get_env(CART_POLE, None), "es", 10, folder / "x.zip")
    with pytest.raises(ConfigError, match="sac can't be trained like this"):
        train(lambda: get_env(CART_POLE, None), "sac", 10, folder / "x.zip")
    with pytest.raises(ConfigError, match="wings"):
        train(lambda: get_env(CART_POLE, None), "ppo", 10, folder / "x.zip", options={"wings": 2})
    assert not (folder / "x.zip").exists()


@pytest.mark.timeout(900)
def test_a_few_minutes_of_training_balance_the_pole(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GYM_LLM_MODEL_DIR", str(folder))
    command = [sys.executable, "-m", "app.cli", "train-baseline", "CartPoleLLM-v1", "--algo", "ppo", "--steps", "50000"]
    trained = subprocess.run(command, capture_output=True, text=True, check=False)
    assert trained.returncode == 0, trained.stderr
    assert "model: sb3/ppo_CartPoleLLM-v1" in trained.stdout
    config = {
        "agent": {"backend": "baseline", "model": "sb3/ppo_CartPoleLLM-v1"},
        "environment": CART_POLE,
        "experiment": {"parent": str(tmp_path), "num_runs": 5, "seed": 100},
    }
    assert run_experiment(config)["total_rewards"] == [500.0] * 5


def gym_make(name: str) -> Any:
    import gymnasium

    return gymnasium.make(name)
