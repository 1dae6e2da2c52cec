"""LLM-powered agents in Gymnasium environments."""

from gym_llm.adapt import adapt
from gym_llm.agent import Agent
from gym_llm.config import parse_config
from gym_llm.environments import get_env
from gym_llm.episode import play
from gym_llm.experiment import run_experiment
from gym_llm.llm_env import LLMEnv, get_env_definition

__all__ = ["Agent", "LLMEnv", "adapt", "get_env", "get_env_definition", "parse_config", "play", "run_experiment"]
