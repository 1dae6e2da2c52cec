"""What the check finds, in environments that are broken in one way each."""

import secrets
from collections.abc import Iterator
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

import env_plugins
from gym_llm.check import check
from gym_llm.errors import ConfigError
from gym_llm.llm_env import Advice
from tests.fakes import CountingEnv

IDS = sorted(id for ids in env_plugins.plugins.values() for id in ids)


@pytest.mark.parametrize("id", IDS)
def test_every_plugin_is_fit_for_language_models(id: str) -> None:
    assert [finding for finding in check(id) if finding.severity == "error"] == []


@pytest.mark.parametrize("id", ["BipedalWalker-v3", "CarRacing-v3"])
def test_adapted_environments_are_playable_and_could_be_better(id: str) -> None:
    findings = check(id)
    assert {finding.severity for finding in findings} == {"warning"}
    told = next(finding for finding in findings if finding.check == "description")
    assert "does not describe itself" in told.problem
    assert id.replace("-v", "LLM-v") in told.advice


class Good(CountingEnv):
    def get_goal_description(self) -> str:
        return "Earn as much as you can. Each action earns its own number, and the episode ends after 5 steps. " * 30


class NoWords(Good):
    def get_observation_schema(self) -> Any:
        return {"count": {"description": "  "}, "noise": "noise"}

    def get_action_schema(self) -> Any:
        return {0: "nothing", 1: "", 2: "two"}

    def get_goal_description(self) -> str:
        return " "


class OtherWords(Good):
    def get_observation_schema(self) -> Any:
        return {"count": "steps", "colour": "not there"}

    def get_action_schema(self) -> Any:
        return {0: "nothing", 1: "one", 3: "three"}

    def get_goal_description(self) -> str:
        return "Count."


class Mute(Good):
    def get_observation_schema(self) -> Any:
        return {}

    def get_action_schema(self) -> Any:
        return "left or right"

    def get_goal_description(self) -> str:
        return "words " * 10_000


class Raising(Good):
    def get_goal_description(self) -> str:
        raise KeyError("goal")


class Unseeded(Good):
    def _see(self) -> dict[str, Any]:
        return super()._see() | {"noise": np.asarray(secrets.randbelow(1000) / 1000, np.float32)}


class UnseededReward(Good):
    def step(self, action: int) -> Any:
        observation, _, *rest = super().step(action)
        return observation, secrets.randbelow(1000) / 1000, *rest


class OutOfSpace(Good):
    def _see(self) -> dict[str, Any]:
        return super()._see() | {"noise": np.asarray(self.count * 2.0, np.float32)}


class NotANumber(Good):
    def step(self, action: int) -> Any:
        observation, _, *rest = super().step(action)
        return observation, float("nan"), *rest


class Growing(Good):
    def render(self) -> Any:
        return np.zeros((8 + self.count, 8, 3), np.uint8)


class Grey(Good):
    def render(self) -> Any:
        return np.zeros((8, 8), np.uint8)


class Frameless(Good):
    metadata: dict[str, Any] = {}  # noqa: RUF012 - Gymnasium's own declaration


class WrongHeuristic(Good):
    def heuristic(self, observation: Any) -> Any:
        return Advice(9, "Because.")

    def safe_action(self) -> int:
        return -1


class SilentHeuristic(Good):
    def heuristic(self, observation: Any) -> Advice:
        return Advice(1, " ")


class MoodyHeuristic(Good):
    def heuristic(self, observation: Any) -> Advice:
        return Advice(1, secrets.token_hex())


class TooManyNumbers(Good):
    def __init__(self, render_mode: str | None = None) -> None:
        super().__init__(render_mode)
        self.action_space = spaces.Box(-1, 1, (300,))

    def step(self, action: Any) -> Any:
        return super().step(0)


class Long(Good):
    def __init__(self, render_mode: str | None = None) -> None:
        super().__init__(render_mode)
        self.observation_space = spaces.Dict(
            {name: spaces.MultiBinary(200) for name in map(str, range(12))} | {"count": spaces.Discrete(100)}
        )

    def get_observation_schema(self) -> Any:
        return dict.fromkeys(self.observation_space, "flags")

    def _see(self) -> dict[str, Any]:
        return {name: np.zeros(200, np.int8) for name in map(str, range(12))} | {"count": np.int64(self.count)}


class SharedObservation(Good):
    def _see(self) -> dict[str, Any]:
        self.seen = getattr(self, "seen", {"noise": np.zeros((), np.float32)}) | {"count": np.int64(self.count)}
        return self.seen


class Bare(Good):
    def __init__(self, render_mode: str | None = None) -> None:
        super().__init__(render_mode)
        self.observation_space = spaces.Discrete(100)

    def _see(self) -> Any:
        return np.int64(self.count)

    def heuristic(self, observation: Any) -> None:
        return None


class Unmakeable(Good):
    def __init__(self, render_mode: str | None = None) -> None:
        raise RuntimeError("no display")


class Breaking(Good):
    def step(self, action: int) -> Any:
        raise RuntimeError("the gear broke")


@pytest.fixture
def found(request: pytest.FixtureRequest) -> Iterator[set[tuple[str, str, str]]]:
    """(severity, check, problem) of what is found in the environment class."""
    gym.register("CheckedLLM-v0", request.param, max_episode_steps=20, disable_env_checker=True)
    try:
        findings = check("CheckedLLM-v0")
        assert all(finding.advice for finding in findings)
        yield {(finding.severity, finding.check, finding.problem) for finding in findings}
    finally:
        del gym.registry["CheckedLLM-v0"]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (Good, []),
        (
            NoWords,
            [
                ("error", "observation schema", "count has no description"),
                ("error", "action schema", "1 has no description"),
                ("error", "goal", "no description"),
                ("warning", "prompt", "tokens"),
            ],
        ),
        (
            OtherWords,
            [
                ("error", "observation schema", "noise is observed and not described"),
                ("error", "observation schema", "colour is described and not observed"),
                ("error", "action schema", "2 is not described"),
                ("error", "action schema", "3 is described and not in the action space"),
                ("warning", "goal", "only 6 characters"),
                ("warning", "prompt", "tokens"),
            ],
        ),
        (
            Mute,
            [
                ("error", "observation schema", "not a mapping"),
                ("error", "action schema", "one text, and actions can be listed"),
                ("warning", "prompt", "the system prompt has about 1"),
            ],
        ),
        (Raising, [("error", "description", "KeyError: 'goal'")]),
        (Unseeded, [("error", "replay", "another observation at step 0"), ("error", "Gymnasium", "not equivalent")]),
        (UnseededReward, [("error", "replay", "another reward at step 1"), ("error", "Gymnasium", "reward")]),
        (
            OutOfSpace,
            [
                ("error", "observation space", "step 1: observation.noise is outside its space"),
                ("warning", "Gymnasium", "not within the observation space"),
            ],
        ),
        (
            NotANumber,
            [("error", "reward", "step 1: the reward is nan"), ("error", "Gymnasium", "")],
        ),
        (Growing, [("error", "rendering", "frames differ in size")]),
        (Grey, [("error", "rendering", "a frame is uint8 of shape (8, 8)")]),
        (Frameless, [("warning", "rendering", "no frames")]),
        (WrongHeuristic, [("error", "heuristic", "no Advice"), ("error", "safe action", "-1 is not in")]),
        (SilentHeuristic, [("error", "heuristic", "no reason")]),
        (MoodyHeuristic, [("error", "heuristic", "another advice")]),
        (TooManyNumbers, [("error", "action space", "an action of 300 numbers"), ("error", "heuristic", "no Advice")]),
        (Long, [("warning", "observation space", "bytes of JSON")]),
        (Bare, [("warning", "observation schema", "no field names")]),
        (Unmakeable, [("error", "registration", "RuntimeError: no display")]),
        (Breaking, [("error", "play", "the gear broke"), ("error", "Gymnasium", "the gear broke")]),
        (SharedObservation, [("error", "Gymnasium", "share an object")]),
    ],
    indirect=["found"],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_what_is_wrong_is_found(found: set[tuple[str, str, str]], expected: list[tuple[str, str, str]]) -> None:
    for severity, title, problem in expected:
        assert any((severity, title) == known[:2] and problem in known[2] for known in found), found
    if not expected:
        assert found == set()


def test_what_declares_itself_not_repeatable_is_not_asked_to_repeat() -> None:
    gym.register("CheckedLLM-v0", Unseeded, max_episode_steps=20, nondeterministic=True)
    try:
        assert "replay" not in {finding.check for finding in check("CheckedLLM-v0")}
    finally:
        del gym.registry["CheckedLLM-v0"]


def test_endless_episodes_are_found() -> None:
    gym.register("CheckedLLM-v0", Good)
    try:
        assert [finding.problem for finding in check("CheckedLLM-v0")] == ["no limit on the steps of an episode"]
    finally:
        del gym.registry["CheckedLLM-v0"]


def test_an_unknown_id_is_no_finding() -> None:
    with pytest.raises(ConfigError, match=r"environment\.name"):
        check("Nope-v0")
