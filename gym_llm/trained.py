"""Policies trained with Stable-Baselines3: what reinforcement learning reaches. Needs the extra `sb3`."""

import json
import math
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from gym_llm.errors import ConfigError
from gym_llm.llm_env import Advice

ALGORITHMS = ("ppo", "a2c", "dqn", "sac", "td3")
NAME = r"\w[\w.-]*"
"""Of a policy: nothing that leads out of their folder."""
EPISODES_A_LOOK = 10
ONE_ROLLOUT = 2048
"""Steps that PPO learns from at a time."""
MISSING = "agent.model: trained policies need the extra sb3: pip install 'gym-llm[sb3]'"
_TELLTALES = {"clip_range": "ppo", "exploration_rate": "dqn", "target_entropy": "sac", "policy_delay": "td3"}
"""What Stable-Baselines3 stores of one algorithm only; the one that is left, A2C, shares all of PPO's but this."""


def flat_space(space: gym.Space[Any]) -> spaces.Box:
    """The vector that a policy sees in place of an observation of `space`: of all but the texts among its fields.
    Pictures stay what they are.

    Raises:
        ConfigError: observations of this space are no vector, as texts and sequences are none.
    """
    if isinstance(space, spaces.Box) and _is_picture(space):
        return space
    seen = _without_texts(space)
    flat = spaces.flatten_space(seen) if seen is not None and seen.is_np_flattenable else None
    if not isinstance(flat, spaces.Box) or _holds_text(seen):
        raise ConfigError(f"agent.model: no vector can be made of the observations of {type(space).__name__} {space}")
    return flat


def flatten(space: gym.Space[Any], observation: Any) -> Any:
    """An observation as the element of `flat_space(space)`."""
    if _is_picture(space):
        return observation
    # Flattening takes the fields that the space has, whatever else there is.
    return np.asarray(spaces.flatten(_without_texts(space) or space, observation))


def unseen(space: gym.Space[Any]) -> list[str]:
    """The fields of an observation that are no part of its vector, as they hold texts."""
    fields = space.spaces if isinstance(space, spaces.Dict) else {}
    return [name for name, field in fields.items() if _without_texts(field) is not field]


def trained_file(folder: Path, name: str, environment: str | None) -> Path:
    """Where the policy `name` for an environment is: in `NAME/<environment>.zip`, else in `NAME.zip`.

    Args:
        folder: of all policies.
        name: of one; it may stand for several, each trained for another environment.
        environment: the id; None = not known, as of one that lives elsewhere.

    Raises:
        ConfigError: it is in neither; the message tells how to train it.
    """
    own = folder / name / f"{environment}.zip"
    if environment is not None and own.is_file():
        return own
    if (shared := folder / f"{name}.zip").is_file():
        return shared
    algorithm = f" --algo {name}" if name in ALGORITHMS else ""
    told = f" for {environment}" if environment is not None else ""
    raise ConfigError(
        f"agent.model: there is no trained policy {name!r:.80}{told}; "
        f"gym-llm train-baseline {environment or 'ENVIRONMENT'}{algorithm} --name {name:.80} trains it"
    )


def trained_names(folder: Path) -> list[str]:
    """The policies in a folder, each name once."""
    alone = {path.stem for path in folder.glob("*.zip")}
    return sorted(alone | {path.relative_to(folder).parts[0] for path in folder.glob("*/**/*.zip")})


class TrainedPolicy:
    """A policy from a zip that Stable-Baselines3 wrote. The zip holds pickled code: it must be the operator's own.

    Args:
        path: of the zip.
        name: that it goes by.

    Raises:
        ConfigError: not such a zip, or the extra is not installed.
    """

    def __init__(self, path: Path, name: str) -> None:
        self.name = name
        self._model = _algorithm(_stored_algorithm(path)).load(path, device="cpu")

    def advise(self, observation: Any, observation_space: gym.Space[Any], action_space: gym.Space[Any]) -> Advice:
        """The action that the policy holds for the best; it is the same every time.

        Raises:
            ConfigError: it was trained on other observations or actions.
        """
        flat = flat_space(observation_space)
        if flat.shape != self._model.observation_space.shape or not _same_actions(
            action_space, self._model.action_space
        ):
            raise ConfigError(f"agent.model: {self.name} was not trained for this environment: its spaces are others")
        seen = flatten(observation_space, observation).astype(self._model.observation_space.dtype)
        action, _ = self._model.predict(seen, deterministic=True)
        chosen = action.item() if isinstance(action_space, spaces.Discrete) else np.asarray(action)
        return Advice(
            chosen, f"The trained policy {self.name} chose this{self._sureness(seen, action)}; it has no words."
        )

    def _sureness(self, seen: Any, action: Any) -> str:
        distribution = getattr(self._model.policy, "get_distribution", None)
        if distribution is None or not isinstance(self._model.action_space, spaces.Discrete):
            return ""
        tensor, _ = self._model.policy.obs_to_tensor(seen)
        probability = distribution(tensor).distribution.probs[0, int(action)].item()
        return f", {probability:.0%} sure"


def train(
    make: Callable[[], gym.Env[Any, Any]],
    algorithm: str,
    steps: int,
    path: Path,
    *,
    seed: int = 0,
    envs: int = 8,
    options: dict[str, Any] | None = None,
    evaluations: int = 10,
    progress: Callable[[int, float], None] = lambda steps, reward: None,
) -> float:
    """Train a policy and store the best that it was at any of `evaluations` looks.

    Args:
        make: makes the environment; called several times.
        algorithm: one of `ALGORITHMS`.
        steps: of all environments together.
        path: of the zip.
        seed: of weights, environments and draws.
        envs: played at the same time.
        options: of the algorithm, by the names of Stable-Baselines3 (`n_steps`, `gamma`, ...).
        evaluations: looks at how good it is, spread over the training: `EPISODES_A_LOOK` each, with the best actions.
        progress: is told the steps done, and the best mean reward of an evaluation so far.

    Returns:
        The mean reward of the evaluation that was the best.

    Raises:
        ConfigError: the extra is not installed, an option is wrong, or the spaces can't be learned on.
    """
    kind = _algorithm(algorithm)
    from stable_baselines3.common.callbacks import BaseCallback
    from stable_baselines3.common.env_util import make_vec_env
    from stable_baselines3.common.evaluation import evaluate_policy
    from torch import set_num_threads

    set_num_threads(1)  # Such small networks only wait for the other threads.
    learning = make_vec_env(lambda: _Flat(make()), n_envs=envs, seed=seed)
    judging = make_vec_env(lambda: _Flat(make()), n_envs=EPISODES_A_LOOK, seed=seed + 10_000)

    class Judge(BaseCallback):  # type: ignore[misc]
        """Looks now and then, and keeps the best."""

        best = -math.inf
        next_look = 0

        def _on_step(self) -> bool:
            if self.num_timesteps >= self.next_look:
                self.look()
                self.next_look = self.num_timesteps + max(1, steps // evaluations)
            progress(min(steps, self.num_timesteps), self.best)
            return True

        def look(self) -> None:
            reward = float(evaluate_policy(self.model, judging, n_eval_episodes=EPISODES_A_LOOK, deterministic=True)[0])
            if reward > self.best:
                self.best = reward
                self.model.save(path)

    policy = "CnnPolicy" if _is_picture(learning.observation_space) else "MlpPolicy"
    judge = Judge()
    try:
        model = kind(policy, learning, seed=seed, device="cpu", **_defaults(algorithm, envs) | (options or {}))
        path.parent.mkdir(parents=True, exist_ok=True)
        model.learn(steps, callback=judge)
    except (AssertionError, TypeError, ValueError) as error:
        raise ConfigError(f"{algorithm} can't be trained like this: {error}") from error
    finally:
        learning.close()
    judge.look()
    judging.close()
    return judge.best


def _defaults(algorithm: str, envs: int) -> dict[str, Any]:
    # Stable-Baselines3's own are meant for one environment: with more, it would learn from as much less often.
    return {"n_steps": max(32, ONE_ROLLOUT // envs)} if algorithm == "ppo" else {}


class _Flat(gym.ObservationWrapper[Any, Any, Any]):
    def __init__(self, env: gym.Env[Any, Any]) -> None:
        super().__init__(env)
        self.observation_space = flat_space(env.observation_space)

    def observation(self, observation: Any) -> Any:
        return flatten(self.env.observation_space, observation)


def _algorithm(name: str) -> Any:
    try:
        import stable_baselines3
    except ImportError as error:
        raise ConfigError(MISSING) from error
    if name not in ALGORITHMS:
        raise ConfigError(f"the algorithm must be one of {', '.join(ALGORITHMS)}")
    return getattr(stable_baselines3, name.upper())


def _stored_algorithm(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as stored:
            told = json.loads(stored.read("data"))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise ConfigError(f"agent.model: {path.name} is no zip of Stable-Baselines3") from error
    return next((algorithm for name, algorithm in _TELLTALES.items() if name in told), "a2c")


def _is_picture(space: gym.Space[Any]) -> bool:
    return isinstance(space, spaces.Box) and space.dtype == np.uint8 and len(space.shape) == 3


def _without_texts(space: gym.Space[Any]) -> gym.Space[Any] | None:
    # What they say is lost on a policy; fields beside them may say enough. None = there is nothing else.
    if isinstance(space, spaces.Text):
        return None
    if not isinstance(space, spaces.Dict) or not _holds_text(space):
        return space
    left = {name: seen for name, field in space.spaces.items() if (seen := _without_texts(field)) is not None}
    return spaces.Dict(left) if left else None


def _holds_text(space: gym.Space[Any] | None) -> bool:
    match space:
        case spaces.Text():
            return True
        case spaces.Dict():
            return any(map(_holds_text, space.spaces.values()))
        case spaces.Tuple():
            return any(map(_holds_text, space.spaces))
    return False


def _same_actions(one: gym.Space[Any], other: gym.Space[Any]) -> bool:
    if isinstance(one, spaces.Discrete) and isinstance(other, spaces.Discrete):
        return bool(one.n == other.n and one.start == other.start)
    return type(one) is type(other) and one.shape == other.shape
