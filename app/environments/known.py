"""Which environments there are beside those of the plugins: all that Gymnasium knows and that can be made here."""

from collections.abc import Iterable
from importlib.util import find_spec

import gymnasium as gym
from gymnasium.envs.registration import EnvSpec

from app.environments.arguments import creator
from gym_llm.environments import plugin_id
from gym_llm.llm_env import LLMEnv

NEEDS = {
    "gymnasium.envs.box2d": "Box2D",
    "gymnasium.envs.mujoco": "mujoco",
    "gymnasium.envs.phys2d": "jax",
    "gymnasium.envs.tabular": "jax",
}
"""What Gymnasium's own environments need that need not be installed."""
GYMNASIUM = "gymnasium"


def can_be_made(spec: EnvSpec) -> bool:
    """Whether what the environment needs is installed. Imports nothing."""
    if spec.entry_point is None:
        return False
    if not isinstance(spec.entry_point, str):
        # Gymnasium's own functions only say that something is missing.
        return getattr(spec.entry_point, "__module__", "").partition(".")[0] != GYMNASIUM
    module = spec.entry_point.partition(":")[0]
    family = next((needed for package, needed in NEEDS.items() if module.startswith(f"{package}.")), None)
    return find_spec(family or module.partition(".")[0]) is not None


def stand_in(id: str) -> str:
    """The environment that is made under this id: a `CartPoleLLM-v1`, where there is one, in place of `CartPole-v1`."""
    hand_written = plugin_id(id)
    return hand_written if hand_written in gym.registry else id


def package(spec: EnvSpec) -> str:
    """The installed package that an environment comes from."""
    if isinstance(spec.entry_point, str):
        return spec.entry_point.partition(".")[0].partition(":")[0]
    return str(getattr(spec.entry_point, "__module__", "")).partition(".")[0]


def newest(ids: Iterable[str]) -> set[str]:
    """Of ids that differ in their version only, the one with the highest."""
    latest: dict[tuple[str | None, str], EnvSpec] = {}
    for spec in map(gym.registry.__getitem__, ids):
        rival = latest.setdefault((spec.namespace, spec.name), spec)
        if (spec.version or 0) > (rival.version or 0):
            latest[spec.namespace, spec.name] = spec
    return {spec.id for spec in latest.values()}


def adapted(spec: EnvSpec, *, of_plugin: bool) -> bool:
    """Whether its author did not write the environment for language models, as far as can be told without making it."""
    try:
        made_by = creator(spec)
    except Exception:  # noqa: BLE001 - whoever makes it will be told
        return not of_plugin
    if not isinstance(made_by, type) or spec.additional_wrappers:
        return not of_plugin
    return not issubclass(made_by, LLMEnv)
