"""Whether an environment does what it says: episodes played, repeated and looked at."""

import math
import re
import warnings
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import gymnasium as gym
import numpy as np
import orjson
from gymnasium.utils.env_checker import check_env

from gym_llm.check.finding import Finding
from gym_llm.errors import SpaceError
from gym_llm.llm_env import Advice, find_llm_env
from gym_llm.spaces import check_contains, digest, draw, to_json

Make = Callable[..., gym.Env[Any, Any]]

STEPS = 60
"""Taken by each check that plays."""
LARGEST_OBSERVATION = 4000
"""Bytes of JSON, sent with every step of the window."""
# What Gymnasium's checker says about trainable networks and about wrappers; neither is of concern here.
_NOT_OURS = ("different from the unwrapped version", "infinity", "symmetric and normalized")
_ADVICE = {
    "share an object": "Return a copy: what is returned now must not change with the next step.",
    "seed": "Call super().reset(seed=seed) first in reset, and draw from self.np_random only.",
    "determinis": "Call super().reset(seed=seed) first in reset, and draw from self.np_random only.",
    "observation space": "Make observation_space wide enough for all that is returned, and return its dtype.",
    "action space": "Mend action_space.",
    "reward": "Return the reward as a finite float.",
}


def check_play(env: gym.Env[Any, Any]) -> Iterator[Finding]:
    """Observations are in their space and are JSON of sensible size; rewards are numbers; an episode can end."""
    longest = 0
    seed = 0
    observation, _ = env.reset(seed=seed)
    for step in range(STEPS):
        try:
            check_contains(env.observation_space, observation)
            longest = max(longest, len(orjson.dumps(to_json(observation))))
        except (SpaceError, TypeError) as error:
            advice = "Widen observation_space, or return what it declares: a run ends as env_error here."
            yield Finding("error", "observation space", f"step {step}: {error}", advice)
            return
        observation, reward, terminated, truncated, _ = env.step(draw(env.action_space, seed, step))
        if not math.isfinite(float(reward)):
            advice = "Return the reward as a finite float: a run ends as env_error here."
            yield Finding("error", "reward", f"step {step + 1}: the reward is {reward}", advice)
            return
        if terminated or truncated:
            seed += 1
            observation, _ = env.reset(seed=seed)
    if longest > LARGEST_OBSERVATION:
        advice = "It is sent with every step of the window: leave out what decisions do not depend on."
        yield Finding("warning", "observation space", f"an observation has {longest} bytes of JSON", advice)
    if env.spec is None or env.spec.max_episode_steps is None:
        advice = "Give max_episode_steps to gymnasium.register: an agent that is stuck plays for ever."
        yield Finding("warning", "registration", "no limit on the steps of an episode", advice)


def check_replay(make: Make) -> Iterator[Finding]:
    """The same seed and the same actions give the same episode, in an environment made anew."""
    one = make()
    if one.spec is not None and one.spec.nondeterministic:
        one.close()
        return
    first, second = _record(one), _record(make())
    if first == second:
        return
    step, what = next(
        (index, name)
        for index, (a, b) in enumerate(zip(first, second, strict=True))
        for name, x, y in zip(("observation", "reward", "end"), a, b, strict=True)
        if x != y
    )
    advice = (
        "Interrupted runs are taken up by repeating their actions. Draw from self.np_random, seeded by "
        "super().reset(seed=seed), and from nothing else: no clock, no global random numbers, no order of a set. What "
        "can't be repeated must be registered with nondeterministic=True."
    )
    yield Finding("error", "replay", f"the same seed and actions give another {what} at step {step}", advice)


def _record(env: gym.Env[Any, Any]) -> list[tuple[str, float, bool]]:
    observation, _ = env.reset(seed=7)
    record = [(digest(to_json(observation)), 0.0, False)]
    for step in range(STEPS):
        observation, reward, terminated, truncated, _ = env.step(draw(env.action_space, 7, step))
        record.append((digest(to_json(observation)), float(reward), bool(terminated or truncated)))
        if terminated or truncated:
            env.reset()
    env.close()
    return record


def check_rendering(make: Make) -> Iterator[Finding]:
    """Frames are pictures of equal size."""
    env = make()
    modes = env.metadata.get("render_modes", [])
    env.close()
    if "rgb_array" not in modes:
        advice = "List rgb_array in metadata['render_modes'] and return frames from render(): they become GIFs."
        yield Finding("warning", "rendering", "it renders no frames", advice)
        return
    env = make("rgb_array")
    env.reset(seed=0)
    frames = [env.render()]
    for step in range(3):
        _, _, terminated, truncated, _ = env.step(draw(env.action_space, 0, step))
        frames.append(env.render())
        if terminated or truncated:
            env.reset()
    env.close()
    for frame in frames:
        if not isinstance(frame, np.ndarray) or frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
            told = f"{frame.dtype} of shape {frame.shape}" if isinstance(frame, np.ndarray) else type(frame).__name__
            advice = "Return an array of uint8 and shape (height, width, 3) under render_mode='rgb_array'."
            yield Finding("error", "rendering", f"a frame is {told}", advice)
            return
    if any(a.shape != b.shape for a, b in pairwise(np.asarray(frame) for frame in frames)):
        yield Finding("error", "rendering", "frames differ in size", "Draw on a canvas of one size: a GIF has one.")


def check_policy(env: gym.Env[Any, Any]) -> Iterator[Finding]:
    """The heuristic and the safe action are elements of the action space."""
    layer = find_llm_env(env)
    observation, _ = env.reset(seed=0)
    safe = layer.safe_action()
    if safe is not None and not env.action_space.contains(safe):
        yield Finding("error", "safe action", f"{safe!r} is not in the action space", "Return an element, or None.")
    for _ in range(STEPS):
        advice = layer.heuristic(observation)
        if advice is None:
            return
        if not isinstance(advice, Advice) or not env.action_space.contains(advice.action):
            told = f"{advice!r:.200} is no Advice with an element of the action space"
            yield Finding("error", "heuristic", told, "Return Advice(action, reflection) with an action of the space.")
            return
        if not advice.reflection.strip():
            yield Finding("error", "heuristic", "it gives no reason", "Say in one sentence why it acts as it does.")
            return
        again = layer.heuristic(observation)
        if again is None or _words(again) != _words(advice):
            mend = "Make it a function of the observation alone: an interrupted run asks it in another process."
            yield Finding("error", "heuristic", "the same observation gives another advice", mend)
            return
        observation, _, terminated, truncated, _ = env.step(advice.action)
        if terminated or truncated:
            observation, _ = env.reset()


def _words(advice: Advice) -> tuple[Any, str]:
    return to_json(advice.action), advice.reflection


def check_api(env: gym.Env[Any, Any]) -> Iterator[Finding]:
    """What Gymnasium's own checker says."""
    failure: Exception | None = None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            check_env(env, skip_render_check=True, skip_close_check=True)
        except Exception as error:  # noqa: BLE001 - it raises assertions, and whatever the environment does
            failure = error
    env.close()
    for warning in caught:
        told = _plain(str(warning.message))
        if not any(phrase in told for phrase in _NOT_OURS):
            yield Finding("warning", "Gymnasium", told, _advice(told))
    if failure is not None:
        told = _plain(f"{type(failure).__name__}: {failure}")
        yield Finding("error", "Gymnasium", told, _advice(told))


def _plain(text: str) -> str:
    return re.sub(r"\x1b\[\d+m|WARN: ", "", text)[:400]


def _advice(told: str) -> str:
    found = [advice for phrase, advice in _ADVICE.items() if phrase in told]
    return found[0] if found else "Gymnasium's own checker asks for it: see gymnasium.utils.env_checker.check_env."
