"""What a prompt cache is worth: the classic history (a window that slides, `str(dict of arrays)`) beside that of
gym-llm (a window cut back in blocks, lean JSON), over the same flight of LunarLander.
"""

import argparse
import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import gymnasium as gym
import numpy as np
from rich.console import Console
from rich.table import Table

import env_plugins  # noqa: F401 (registers the environments)
from gym_llm.agent import Agent
from gym_llm.backends import Backend, Message, OllamaBackend, OpenAIBackend, Question, Reply, Usage
from gym_llm.llm_env import Advice, LLMEnv, get_env_definition
from gym_llm.prompt import reply_text
from gym_llm.spaces import to_json
from tests.scripted_llm.cache import BLOCK, CHARACTERS_PER_TOKEN, MINIMUM, PrefixCache
from tests.scripted_llm.fixtures import serving

ENVIRONMENT = "LunarLanderLLM-v3"
DISCOUNTS = (0.5, 0.9)
"""What providers take off the price of a cached token."""
CLASSIC_SYSTEM_TOKENS = 939
"""Of the classic system prompt: less than the least that is cached."""


@dataclass
class Flight:
    """The prompts of one way to keep history, and what a cache would have had of them."""

    name: str
    prompts: list[list[Message]]
    replies: list[str]

    def usage(self) -> Usage:
        """By the cache's own rules, on this side."""
        cache = PrefixCache()
        total = Usage()
        for prompt, reply in zip(self.prompts, self.replies, strict=True):
            tokens = sum(len(message["content"]) for message in prompt) // CHARACTERS_PER_TOKEN
            total += Usage(tokens, cache.read(prompt), len(reply) // CHARACTERS_PER_TOKEN)
        return total


class Recorder:
    """A backend that gives the advice of a policy and keeps the questions."""

    name = "recorder"

    def __init__(self, advice: Callable[[], Advice]) -> None:
        self._advice = advice
        self.questions: list[Question] = []

    async def ask(self, question: Question) -> Reply:
        self.questions.append(question)
        advice = self._advice()
        return Reply(reply_text(advice.reflection, to_json(advice.action)))

    async def status(self) -> Any: ...

    async def aclose(self) -> None: ...


def fly(steps: int, history: int, seed: int) -> tuple[list[Question], list[Flight]]:
    """Play `steps` steps with the environment's own policy, each told in both ways. A flight that ends is followed by
    another, as one long conversation: what is measured is the window.
    """
    env = gym.make(ENVIRONMENT)
    observation, _ = env.reset(seed=seed)
    definition = get_env_definition(env)
    recorder = Recorder(lambda: _advice(definition["env"], observation))
    agent = Agent({"history": history}, **definition, backend=recorder)
    classic = Flight(f"sliding window of {history}, str(dict of arrays)", [], [])
    turns: list[Message] = []
    reward: float | None = None
    for _ in range(steps):
        output, action = agent.get_action(observation, reward)
        turns.append({"role": "user", "content": str(_arrays(observation))})
        system: Message = {
            "role": "system",
            "content": agent.system_prompt[: CLASSIC_SYSTEM_TOKENS * CHARACTERS_PER_TOKEN],
        }
        # As the classic way sends it: the newest `history` steps and the observation to decide on.
        classic.prompts.append([system, *turns[-2 * history - 1 :]])
        reply = json.dumps(output)
        classic.replies.append(reply)
        turns.append({"role": "assistant", "content": reply})
        observation, earned, terminated, truncated, _ = env.step(action)
        reward = float(earned)
        if terminated or truncated:
            seed += 1
            observation, _ = env.reset(seed=seed)
    env.close()
    lean = Flight(f"block window of {history} to {2 * history}, lean JSON", [], classic.replies)
    lean.prompts = [list(question.messages) for question in recorder.questions]
    sliding = Flight(f"sliding window of {history}, lean JSON", [], classic.replies)
    sliding.prompts = list(_sliding(lean.prompts, history))
    return recorder.questions, [classic, sliding, lean]


def _advice(env: LLMEnv, observation: Any) -> Advice:
    advice = env.heuristic(observation)
    assert advice is not None
    return advice


def _arrays(observation: dict[str, Any]) -> dict[str, Any]:
    values = [np.asarray(value, dtype=np.float32).reshape(-1) for value in observation.values()]
    x, y, velocity_x, velocity_y, angle, spin, left, right = (value[0] for value in values)
    return {
        "lander_cartesian": np.array([x, y, velocity_x, velocity_y], dtype=np.float32),
        "lander_angular": np.array([angle, spin], dtype=np.float32),
        "legs_contact": np.array([left, right], dtype=np.float32),
    }


def _sliding(prompts: Sequence[list[Message]], history: int) -> Any:
    # The same lean messages, as a window that slides would have sent them.
    told: list[Message] = []
    for prompt in prompts:
        if told:
            told.append(prompt[-2])
        told.append(prompt[-1])
        yield [prompt[0], *told[-2 * history - 1 :]]


async def ask_all(backend: Backend, questions: Sequence[Question], flight: Flight) -> Usage:
    """The backend's own count, each prompt asked in its turn."""
    total = Usage()
    for question, prompt in zip(questions, flight.prompts, strict=False):
        reply = await backend.ask(replace(question, messages=prompt))
        total += reply.usage
    return total


@asynccontextmanager
async def closing(backend: Any) -> AsyncIterator[Any]:
    try:
        yield backend
    finally:
        await backend.aclose()


async def through_the_server(questions: Sequence[Question], flight: Flight) -> Usage:
    """What OpenAI's protocol reports, from a scripted server that caches as OpenAI documents it."""
    with serving(cache=PrefixCache()) as server:
        async with closing(OpenAIBackend(base_url=server.openai_url, api_key="benchmark")) as backend:
            asked = [replace(q, agent=q.agent.model_copy(update={"model": "scripted"})) for q in questions]
            return await ask_all(backend, asked, flight)


async def through_ollama(model: str, questions: Sequence[Question], flight: Flight) -> tuple[int, float]:
    """Prompt tokens a step that a real Ollama counts, and the ms that it works on them."""
    told: list[tuple[int, float]] = []

    class Listening(OllamaBackend):
        async def _send(self, client: Any, question: Any, parameters: Any) -> Reply:
            chat = client.chat

            async def listen(*arguments: Any, **options: Any) -> Any:
                answer = await chat(*arguments, **options)
                told.append((answer.prompt_eval_count or 0, (answer.prompt_eval_duration or 0) / 1e6))
                return answer

            client.chat = listen
            try:
                return await super()._send(client, question, parameters)
            finally:
                client.chat = chat

    settings = {"model": model, "max_tokens": 4, "temperature": 0.0}
    asked = [replace(question, agent=question.agent.model_copy(update=settings)) for question in questions]
    async with closing(Listening(timeout=600.0)) as backend:
        await ask_all(backend, asked[:1], flight)  # Loads the model.
        told.clear()
        await ask_all(backend, asked, flight)
    counts, times = zip(*told, strict=True)
    return sum(counts) // len(counts), sum(times) / len(times)


def main() -> None:
    options = _options()
    console = Console(width=140)
    questions, flights = fly(options.steps, options.history, options.seed)
    result = Table(
        title=f"{options.steps} steps of {ENVIRONMENT}",
        caption=f"A token is {CHARACTERS_PER_TOKEN} characters: an estimate. The cache has blocks of {BLOCK} tokens "
        f"from {MINIMUM} on. Cost: of the prompts, at a discount on cached tokens.",
    )
    heads = ("", "prompt tokens", "cached a step", "as reported", "billed again", "x classic")
    for head in (*heads, *(f"cost -{discount:.0%}" for discount in DISCOUNTS)):
        result.add_column(head, justify="left" if not head else "right")
    first: Usage | None = None
    for flight in flights:
        used = flight.usage()
        first = first or used
        reported = asyncio.run(through_the_server(questions, flight))
        again, base = used.prompt - used.cached, first.prompt - first.cached
        costs = (f"{_cost(used, discount) / _cost(first, discount):.2f}" for discount in DISCOUNTS)
        result.add_row(
            flight.name,
            f"{used.prompt}",
            f"{used.cached / options.steps:.0f}",
            f"{reported.cached / options.steps:.0f}",
            f"{again}",
            f"{again / base:.2f}",
            *costs,
        )
    console.print(result)
    host, model = os.environ.get("OLLAMA_HOST"), options.ollama_model
    if host and model:
        table = Table(title=f"{model} on a real Ollama, {options.ollama_steps} steps, history {options.ollama_history}")
        for head in ("", "prompt_eval_count a step", "ms on the prompt a step"):
            table.add_column(head, justify="left" if not head else "right")
        questions, flights = fly(options.ollama_steps, options.ollama_history, options.seed)
        for flight in flights:
            count, ms = asyncio.run(through_ollama(model, questions, flight))
            table.add_row(flight.name, f"{count}", f"{ms:.0f}")
        console.print(table)


def _cost(used: Usage, discount: float) -> float:
    return used.prompt - discount * used.cached


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.prompt_cache", description=__doc__)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--history", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--ollama-model", default=os.environ.get("GYM_LLM_TEST_MODEL"), help="with OLLAMA_HOST")
    parser.add_argument("--ollama-steps", type=int, default=6)
    parser.add_argument("--ollama-history", type=int, default=2)
    return parser.parse_args()


if __name__ == "__main__":
    main()
