"""Agents that are no language model: the yardstick that every model is measured against."""

from gym_llm.backends.base import BackendStatus, Question, Reply
from gym_llm.errors import ConfigError
from gym_llm.llm_env import Advice
from gym_llm.prompt import reply_text
from gym_llm.spaces import draw, to_json

MODELS = ("heuristic", "random")


class BaselineBackend:
    """`heuristic`: the policy that the environment brings. `random`: a uniform draw, seeded by episode and step."""

    name = "baseline"

    async def ask(self, question: Question) -> Reply:
        """The policy's advice, in the form of a model's reply.

        Raises:
            ConfigError: no such policy, or the environment brings none.
        """
        advice = _advice(question)
        return Reply(text=reply_text(advice.reflection, to_json(advice.action)), requests=0, cost_usd=0.0)

    async def status(self) -> BackendStatus:
        return BackendStatus(name=self.name, configured=True, reachable=True, models=MODELS)

    async def aclose(self) -> None:
        """Nothing is held."""


def _advice(question: Question) -> Advice:
    if question.model == "random":
        return _draw(question)
    if question.model != "heuristic":
        raise ConfigError(f"agent.model: the baseline backend has {' and '.join(MODELS)}, not {question.model!r:.60}")
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
