"""Backends by name."""

from collections.abc import Callable

from gym_llm.backends.base import Backend, BackendStatus, Message, Question, Reply, Usage
from gym_llm.backends.baseline import BaselineBackend
from gym_llm.backends.ollama import OllamaBackend
from gym_llm.backends.openai import OpenAIBackend
from gym_llm.errors import ConfigError

BACKENDS: dict[str, Callable[[], Backend]] = {
    "openai": OpenAIBackend,
    "ollama": OllamaBackend,
    "baseline": BaselineBackend,
}


def create_backend(name: str) -> Backend:
    """A backend with its default settings; keys and addresses come from the variables that its client reads.

    Raises:
        ConfigError: no backend bears this name.
    """
    if name not in BACKENDS:
        raise ConfigError(f"agent.backend: must be one of {', '.join(BACKENDS)}")
    return BACKENDS[name]()


__all__ = [
    "BACKENDS",
    "Backend",
    "BackendStatus",
    "BaselineBackend",
    "Message",
    "OllamaBackend",
    "OpenAIBackend",
    "Question",
    "Reply",
    "Usage",
    "create_backend",
]
