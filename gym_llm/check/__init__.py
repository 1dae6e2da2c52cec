"""Whether an environment is fit for language models: what is wrong with it, and how to mend it."""

import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import gymnasium as gym

from gym_llm.adapt import AdaptedEnv
from gym_llm.check.finding import Finding
from gym_llm.check.play import check_api, check_play, check_policy, check_rendering, check_replay
from gym_llm.check.words import check_actions, check_goal, check_observations, check_prompt
from gym_llm.environments import get_env, plugin_id
from gym_llm.errors import ConfigError
from gym_llm.llm_env import EnvDefinition, get_env_definition

__all__ = ["Finding", "check"]

BY_HAND = (
    "It can be played as it is. A plugin that describes it by hand, registered as {id}, is used instead of it as soon "
    "as there is one: gym-llm new-environment writes a first version."
)
Make = Callable[..., gym.Env[Any, Any]]
Check = Callable[[], Iterator[Finding]]


def check(name: str, kwargs: Mapping[str, Any] | None = None) -> list[Finding]:
    """Check the environment that `environment.name: name` of a configuration gives.

    Gymnasium's own checker, and: words for every field and action, schemas that match spaces, actions that survive the
    way through JSON, observations inside their space, the same episode from the same seed, frames, a prompt of
    sensible length, and a heuristic that gives actions.

    Args:
        name: a registered id.
        kwargs: of the environment.

    Returns:
        What is wrong, errors first; nothing where all is well.

    Raises:
        ConfigError: no such environment is registered.
    """

    def make(render_mode: str | None = None) -> gym.Env[Any, Any]:
        return get_env({"name": name, "kwargs": dict(kwargs) if kwargs else None}, render_mode)

    with warnings.catch_warnings():
        # What Gymnasium warns of is found once, by its own checker.
        warnings.simplefilter("ignore")
        findings = _findings(name, make)
    return sorted(dict.fromkeys(findings), key=lambda finding: finding.severity)


def _findings(name: str, make: Make) -> list[Finding]:
    findings: list[Finding] = []
    try:
        env = make()
    except ConfigError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it raises is the finding
        return [_raised("registration", "it can't be made", error)]
    try:
        findings += _by_hand(name, env)
        definition = get_env_definition(env)
    except Exception as error:  # noqa: BLE001
        return [*findings, _raised("description", "it can't describe itself", error)]
    for title, run in _checks(make, env, definition).items():
        try:
            findings += run()
        except Exception as error:  # noqa: BLE001
            findings.append(_raised(title, "the check could not be finished", error))
    env.close()
    return findings


def _checks(make: Make, env: gym.Env[Any, Any], definition: EnvDefinition) -> dict[str, Check]:
    return {
        "observation schema": lambda: check_observations(definition),
        "action schema": lambda: check_actions(definition),
        "goal": lambda: check_goal(definition),
        "prompt": lambda: check_prompt(definition),
        "play": lambda: check_play(env),
        "heuristic": lambda: check_policy(env),
        "replay": lambda: check_replay(make),
        "rendering": lambda: check_rendering(make),
        "Gymnasium": lambda: check_api(make()),
    }


def _by_hand(name: str, env: gym.Env[Any, Any]) -> list[Finding]:
    if not isinstance(env, AdaptedEnv):
        return []
    problem = "it does not describe itself: its words were taken from its spaces and its docstring"
    return [Finding("warning", "description", problem, BY_HAND.format(id=plugin_id(name)))]


def _raised(title: str, problem: str, error: Exception) -> Finding:
    told = f"{problem}: {type(error).__name__}: {error!s:.300}"
    return Finding("error", title, told, "Run it by hand (gym_llm.get_env, reset, step) and mend what it raises.")
