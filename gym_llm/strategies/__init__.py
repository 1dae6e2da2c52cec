"""Ways of thinking by name: what an agent is asked for besides its action, and what it keeps in view."""

from gym_llm.config import AgentConfig
from gym_llm.strategies.act import Act
from gym_llm.strategies.base import Strategy
from gym_llm.strategies.memory import Memory
from gym_llm.strategies.plan import Plan

STRATEGIES: dict[str, type[Strategy]] = {"reflect": Strategy, "act": Act, "plan": Plan, "memory": Memory}


def create_strategy(config: AgentConfig) -> Strategy:
    """The strategy that `config` names; a baseline, which reads no messages, has none but the default."""
    return STRATEGIES["reflect" if config.backend == "baseline" else config.strategy]()


__all__ = ["STRATEGIES", "Strategy", "create_strategy"]
