"""Agents that are no language model: the yardstick that every model is measured against."""

import asyncio
import os
import re
from pathlib import Path

from gym_llm.backends.base import BackendStatus, Question, Reply
from gym_llm.errors import ConfigError
from gym_llm.isolation.env import IsolatedEnv
from gym_llm.llm_env import Advice
from gym_llm.prompt import reply_text
from gym_llm.spaces import draw, to_json
from gym_llm.trained import NAME, TrainedPolicy, trained_file, trained_names

MODELS = ("heuristic", "random")
MODEL_DIR_VARIABLE = "GYM_LLM_MODEL_DIR"
_TRAINED = re.compile(f"sb3/({NAME})")


class BaselineBackend:
    """`heuristic`: the policy that the environment brings. `random`: a uniform draw, seeded by episode and step.
    `sb3/NAME`: the policy in `NAME/<id of the environment>.zip`, else in `NAME.zip`, trained with Stable-Baselines3.

    Args:
        folder: of the trained policies; None = what `GYM_LLM_MODEL_DIR` names, else `models`.
    """

    name = "baseline"

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or Path(os.environ.get(MODEL_DIR_VARIABLE) or "models")
        self._policies: dict[tuple[str, str | None], TrainedPolicy] = {}
        self._loading = asyncio.Lock()

    async def ask(self, question: Question) -> Reply:
        """The policy's advice, in the form of a model's reply.

        Raises:
            ConfigError: no such policy, or the environment brings none.
        """
        advice = await self._advice(question)
        return Reply(text=reply_text(advice.reflection, to_json(advice.action)), requests=0, cost_usd=0.0)

    async def status(self) -> BackendStatus:
        models = (*MODELS, *(f"sb3/{name}" for name in trained_names(self._folder)))
        return BackendStatus(name=self.name, configured=True, reachable=True, models=models)

    async def aclose(self) -> None:
        """Nothing is held."""

    async def _advice(self, question: Question) -> Advice:
        model = question.agent.model
        if model == "random":
            return _draw(question)
        if model == "heuristic":
            # An isolated environment is asked over its line, and may not answer.
            apart = isinstance(question.definition.get("env"), IsolatedEnv)
            return await asyncio.to_thread(_heuristic, question) if apart else _heuristic(question)
        if trained := _TRAINED.fullmatch(model):
            return await self._trained(question, trained[1])
        raise ConfigError(f"agent.model: the baseline backend has {', '.join(MODELS)} and sb3/NAME, not {model!r:.60}")

    async def _trained(self, question: Question, name: str) -> Advice:
        observation_space = question.definition.get("observation_space")
        action_space = question.definition.get("action_space")
        if observation_space is None or action_space is None:
            raise ConfigError("agent.model: a trained policy needs the spaces of the environment")
        which = name, _environment_id(question)
        async with self._loading:
            policy = self._policies.get(which)
            if policy is None:
                path = trained_file(self._folder, *which)
                policy = self._policies[which] = await asyncio.to_thread(TrainedPolicy, path, name)
        return policy.advise(question.observation, observation_space, action_space)


def _environment_id(question: Question) -> str | None:
    # None where the environment lives elsewhere.
    spec = getattr(question.definition.get("env"), "spec", None)
    return None if spec is None else spec.id


def _heuristic(question: Question) -> Advice:
    env = question.definition.get("env")
    advice = env.heuristic(question.observation) if env is not None else None
    if advice is None:
        raise ConfigError("agent.model: this environment brings no heuristic policy; the random baseline plays any")
    return advice


def _draw(question: Question) -> Advice:
    action_space = question.definition.get("action_space")
    if action_space is None:
        raise ConfigError("agent.model: the random baseline needs the action space")
    action = draw(action_space, question.seed, question.step)
    return Advice(action, "Drawn at random from all actions; the observation was not looked at.")
