"""Every family of environments, played by a real model: posted by Gymnasium's own id, each run ends as it should.

With GYM_LLM_ENVIRONMENTS=every, it is every id of MiniGrid and BabyAI too: some minutes more.
"""

import os

import gymnasium as gym
import pytest

import env_plugins  # noqa: F401 - registers MiniGrid's, as far as they can be made
from tests.app.watching import watch
from tests.conftest import Serve
from tests.gym_llm.backends.conftest import real_server as real_server
from tests.processes import Server

CLASSIC_CONTROL = ("Acrobot-v1", "CartPole-v1", "MountainCar-v0", "MountainCarContinuous-v0", "Pendulum-v1")
TOY_TEXT = (
    "Blackjack-v1",
    "CliffWalking-v1",
    "CliffWalkingSlippery-v1",
    "FrozenLake-v1",
    "FrozenLake8x8-v1",
    "Taxi-v4",
)
BOX2D = ("LunarLander-v3", "LunarLanderContinuous-v3", "BipedalWalker-v3", "BipedalWalkerHardcore-v3", "CarRacing-v3")
CONTINUOUS = (
    "BipedalWalker-v3",
    "BipedalWalkerHardcore-v3",
    "CarRacing-v3",
    "LunarLanderContinuous-v3",
    "MountainCarContinuous-v0",
    "Pendulum-v1",
)
OURS = ("LunarLanderLLM-v2", "TaxiLLM-v3")
MINIGRID = ("MiniGrid-Empty-5x5-v0", "MiniGrid-DoorKey-6x6-v0", "BabyAI-GoToRedBall-v0", "BabyAI-BossLevel-v0")
if os.environ.get("GYM_LLM_ENVIRONMENTS") == "every":
    MINIGRID = tuple(sorted(id for id in gym.registry if id.startswith(("MiniGrid-", "BabyAI-")) and "LLM" not in id))
STEPS = 2


@pytest.mark.timeout(5000)
def test_a_real_model_plays_every_family(serve: Serve, real_server: tuple[str, str]) -> None:
    host, model = real_server
    # One run after the other, with a context of the same size for all: the server keeps what it has read of a prompt.
    server = serve(OLLAMA_HOST=host, llm_timeout_s=900, max_running_runs=1)
    with server.client() as client:
        # Held to the schema of its answer, even a model of random weights acts by the rules, unless it has to think
        # first, in words that never end.
        agent = {"backend": "ollama", "model": model, "strategy": "act", "history": 1, "max_tokens": 200}
        agent |= {"num_ctx": 8192}
        runs = {
            id: client.post(
                "/runs", json={"agent": agent, "environment": {"name": id}, "experiment": {"max_steps": STEPS}}
            )
            for id in CLASSIC_CONTROL + TOY_TEXT + BOX2D + OURS + MINIGRID
        }
        assert {id: answer.status_code for id, answer in runs.items()} == dict.fromkeys(runs, 202)
        played = {id: _play(server, answer.json()["id"]) for id, answer in runs.items()}
    assert {id: end for id, (end, _) in played.items()} == dict.fromkeys(runs, ("succeeded", None))
    # The numbers of continuous actions are of any length, and beyond all bounds.
    discrete = {id: outcomes for id, (_, outcomes) in played.items() if id not in CONTINUOUS}
    assert {id: outcomes for id, outcomes in discrete.items() if outcomes != {"valid"}} == {}


def _play(server: Server, run_id: str) -> tuple[tuple[str, str | None], set[str]]:
    events = list(watch(server, run_id))
    run = [event.data for event in events if event.kind == "run"][-1]
    outcomes = {event.data["outcome"] for event in events if event.kind == "step"}
    return (run["status"], run["error"] and run["error"]["message"]), outcomes
