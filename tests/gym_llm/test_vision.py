"""Agents that are shown pictures."""

import io
import json
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from PIL import Image

from gym_llm import Agent, get_env_definition, play
from gym_llm.backends import Question
from gym_llm.env_runner import EnvRunner
from gym_llm.episode import PastStep, Step
from gym_llm.errors import ConfigError
from tests.fakes import CountingEnv, FakeBackend, asks_for, obedient


class Camera(CountingEnv):
    """Shows its count as a shade of grey, too."""

    def __init__(self, render_mode: str | None = None, length: int = 12) -> None:
        super().__init__(render_mode, length)
        fields = {**self.observation_space.spaces, "view": gym.spaces.Box(0, 255, (8, 10, 3), np.uint8)}
        self.observation_space = gym.spaces.Dict(fields)

    def _see(self) -> dict[str, Any]:
        return {**super()._see(), "view": np.full((8, 10, 3), 10 * self.count, np.uint8)}


def make(env: gym.Env[Any, Any], backend: FakeBackend, **config: Any) -> Agent:
    return Agent({"backend": "openai", "vision": True, **config}, **get_env_definition(env), backend=backend)


async def steps_of(env: gym.Env[Any, Any], agent: Agent, past: list[PastStep] | None = None) -> list[Step]:
    return [step async for step in play(EnvRunner(env), agent, seed=3, past=past or [])]


def shades(question: Question) -> list[list[int]]:
    """The grey of each picture, message by message of the user's."""
    shown = [message.get("images", ()) for message in question.messages if message["role"] == "user"]
    return [[int(np.asarray(Image.open(io.BytesIO(png)))[0, 0, 0]) for png in pngs] for pngs in shown]


async def test_images_go_as_pictures_and_leave_their_names_in_the_text() -> None:
    backend = FakeBackend(obedient)
    agent = make(Camera(), backend)
    await steps_of(Camera(length=3), agent)
    assert [shades(question) for question in backend.questions] == [[[0]], [[], [10]], [[], [], [20]]]
    told = json.loads(backend.questions[-1].messages[-1]["content"])
    assert told["observation"]["view"] == "(picture 1)"
    assert told["observation"]["count"] == 2
    assert '"(picture 1)" in its text stands for the first one' in agent.system_prompt
    assert '"frame"' not in agent.system_prompt


async def test_without_vision_nothing_is_shown() -> None:
    backend = FakeBackend(obedient)
    agent = make(Camera(), backend, vision=False)
    await steps_of(Camera(length=2), agent)
    assert not any("images" in message for question in backend.questions for message in question.messages)
    assert "picture" not in agent.system_prompt


async def test_frames_are_shown_from_the_first_on() -> None:
    backend = FakeBackend(obedient)
    env = Camera("rgb_array", length=3)
    agent = make(env, backend, frames=True)
    await steps_of(env, agent)
    # Each with what the observation holds, then the frame of the same moment (its shade is the count itself).
    assert [shades(question)[-1] for question in backend.questions] == [[0, 0], [10, 1], [20, 2]]
    assert json.loads(backend.questions[-1].messages[-1]["content"])["frame"] == "(picture 2)"
    assert '"frame": a picture of the whole environment' in agent.system_prompt


async def test_frames_need_an_environment_that_renders() -> None:
    with pytest.raises(ConfigError, match=r"agent\.frames: the environment renders no frames"):
        await steps_of(Camera(), make(Camera(), FakeBackend(obedient), frames=True))


def test_frames_need_vision() -> None:
    with pytest.raises(ConfigError, match="agent: frames needs vision"):
        make(Camera(), FakeBackend(obedient), vision=False, frames=True)


@pytest.mark.parametrize(("image_history", "most"), [(1, 1), (2, 3), (3, 5)])
async def test_the_newest_turns_keep_their_pictures(image_history: int, most: int) -> None:
    backend = FakeBackend(obedient)
    await steps_of(Camera(length=20), make(Camera(), backend, image_history=image_history, history=4))
    for step, question in enumerate(backend.questions):
        shown = sum(bool(pictures) for pictures in shades(question))
        assert min(step + 1, image_history) <= shown <= most
        assert shades(question)[-1] == [10 * step]


@pytest.mark.parametrize("strategy", ["reflect", "memory"])
async def test_an_interrupted_episode_goes_on_with_the_same_pictures(strategy: str) -> None:
    config = {"strategy": strategy, "image_history": 2, "history": 3, "frames": True}
    first = FakeBackend(obedient)
    env = Camera("rgb_array")
    steps = await steps_of(env, make(env, first, **config))
    for interrupted in (1, 2, 5, 9, 11):
        past = [PastStep(step.digest, step.decision, step.reward) for step in steps[:interrupted]]
        second = FakeBackend(obedient)
        env = Camera("rgb_array")
        await steps_of(env, make(env, second, **config), past)
        assert [asks_for(question) for question in second.questions].count("action") == 12 - interrupted
        asked_before = len(first.questions) - len(second.questions)
        assert [q.messages for q in second.questions] == [q.messages for q in first.questions[asked_before:]]
