"""Both language-model backends, and questions for them."""

import os
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from gymnasium import spaces

from gym_llm.backends.base import Question
from gym_llm.backends.llm import LLMBackend
from gym_llm.backends.ollama import OllamaBackend
from gym_llm.backends.openai import OpenAIBackend
from gym_llm.config import AgentConfig
from gym_llm.llm_env import EnvDefinition
from gym_llm.prompt import observation_message, reply_schema, system_prompt
from gym_llm.spaces import json_schema
from tests.scripted_llm.fixtures import scripted_llm as scripted_llm

SECRET = "a-key-that-nobody-may-see"
Connect = Callable[..., LLMBackend[Any]]
Ask = Callable[..., Question]

DEFINITION = EnvDefinition(
    observation_schema={
        name: {"description": name.replace("_", " "), "type": "float"}
        for name in ("cart_position", "cart_velocity", "pole_angle", "pole_angular_velocity")
    },
    action_schema={0: "Push the cart to the left.", 1: "Push the cart to the right."},
    goal_description="Keep the pole upright.",
)
OBSERVATION = {"cart_position": 0.0, "cart_velocity": 0.0, "pole_angle": 0.1, "pole_angular_velocity": 0.0}


@pytest.fixture
def question() -> Ask:
    """Makes a question about a pole that falls to the right; keywords replace fields of the agent's configuration."""
    schema = reply_schema(json_schema(spaces.Discrete(2)))

    def make(step: int = 1, *, seed: int = 7, **agent: Any) -> Question:
        return Question(
            messages=[
                {"role": "system", "content": system_prompt(DEFINITION, schema, 1)},
                {"role": "user", "content": observation_message(step, OBSERVATION, None)},
            ],
            reply_schema=schema,
            agent=AgentConfig(**({"model": "scripted", "temperature": 0.5} | agent)),
            seed=seed,
            step=step,
            observation=OBSERVATION,
            definition=DEFINITION,
        )

    return make


@pytest.fixture(params=["openai", "ollama"])
def backend_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def connect(backend_name: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Connect]:
    """Makes a backend for the server at `url`, with a key; retries come at once unless told otherwise."""
    backends: list[LLMBackend[Any]] = []
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    monkeypatch.setenv("OLLAMA_API_KEY", SECRET)

    def make(url: str, **limits: Any) -> LLMBackend[Any]:
        limits = {"backoff": 0.0, "timeout": 20.0} | limits
        backend: LLMBackend[Any] = (
            OpenAIBackend(base_url=f"{url}/v1", **limits)
            if backend_name == "openai"
            else OllamaBackend(host=url, **limits)
        )
        backends.append(backend)
        return backend

    yield make
    for backend in backends:
        await backend.aclose()


@pytest.fixture(scope="session")
def real_server() -> tuple[str, str]:
    """Address and model of a real Ollama server, from `OLLAMA_HOST` and `GYM_LLM_TEST_MODEL`."""
    host, model = os.environ.get("OLLAMA_HOST"), os.environ.get("GYM_LLM_TEST_MODEL")
    if not host or not model:
        reason = "no real server: OLLAMA_HOST and GYM_LLM_TEST_MODEL are not both set"
        if os.environ.get("GYM_LLM_REQUIRE_ALL") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return host if "://" in host else f"http://{host}", model
