"""Every family of environments, played by a real model: posted by Gymnasium's own id, each run ends as it should.

With GYM_LLM_ENVIRONMENTS=every, it is every id of MiniGrid and BabyAI too, which takes most of an hour on two cores.
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
        # A model of random weights seldom gives an action that is allowed: short answers, and the run goes on.
        agent = {"backend": "ollama", "model": model, "history": 1, "max_tokens": 24, "num_ctx": 8192}
        runs = {
            id: client.post(
                "/runs", json={"agent": agent, "environment": {"name": id}, "experiment": {"max_steps": STEPS}}
            )
            for id in CLASSIC_CONTROL + TOY_TEXT + BOX2D + OURS + MINIGRID
        }
        assert {id: answer.status_code for id, answer in runs.items()} == dict.fromkeys(runs, 202)
        ends = {id: _end(server, answer.json()["id"]) for id, answer in runs.items()}
    assert ends == dict.fromkeys(runs, ("succeeded", None))


def _end(server: Server, run_id: str) -> tuple[str, str | None]:
    run = [event.data for event in watch(server, run_id) if event.kind == "run"][-1]
    return run["status"], run["error"] and run["error"]["message"]
