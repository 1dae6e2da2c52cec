"""What one writes without gym-llm: the SDK's asynchronous client, an environment each, `asyncio.gather`.

It stores nothing, streams nothing, checks nothing and retries nothing that the SDK does not. Its prompt is gym-llm's,
so that what is sent is the same size, and its window is a plain list of the last ten turns.
"""

import argparse
import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import gymnasium as gym
from ollama import AsyncClient
from openai import AsyncOpenAI

import env_plugins  # noqa: F401 (registers the environments)
from benchmarks.children import MODEL, play_on_command
from gym_llm.llm_env import get_env_definition
from gym_llm.prompt import reply_schema, system_prompt
from gym_llm.spaces import json_schema

Messages = list[dict[str, str]]
Ask = Callable[[Messages, dict[str, Any]], Awaitable[str]]
HISTORY = 10


def openai_asker() -> Ask:
    client = AsyncOpenAI()

    async def ask(messages: Messages, schema: dict[str, Any]) -> str:
        answer = await client.chat.completions.create(  # type: ignore[call-overload]
            model=MODEL,
            messages=messages,
            temperature=0.2,
            response_format={"type": "json_schema", "json_schema": {"name": "reply", "schema": schema, "strict": True}},
        )
        return answer.choices[0].message.content or ""

    return ask


def ollama_asker() -> Ask:
    client = AsyncClient()

    async def ask(messages: Messages, schema: dict[str, Any]) -> str:
        answer = await client.chat(MODEL, messages, format=schema, options={"temperature": 0.2})
        return answer.message.content or ""

    return ask


async def play_episode(ask: Ask, name: str, seed: int, max_steps: int) -> int:
    env = gym.make(name)
    definition = get_env_definition(env)
    schema = reply_schema(json_schema(env.action_space))
    system = {"role": "system", "content": system_prompt(definition, schema, 1)}
    history: Messages = []
    observation, _ = env.reset(seed=seed)
    step, ended = 0, False
    while not ended and step < max_steps:
        step += 1
        plain = {field: round(float(value), 4) for field, value in observation.items()}
        history.append({"role": "user", "content": json.dumps({"step": step, "observation": plain})})
        reply = await ask([system, *history], schema)
        history = [*history, {"role": "assistant", "content": reply}][-2 * HISTORY :]
        observation, _, terminated, truncated, _ = env.step(json.loads(reply)["action"])
        ended = terminated or truncated
    env.close()
    return step


async def play_all(ask: Ask, name: str, episodes: int, max_steps: int) -> dict[str, Any]:
    return {"steps": sum(await asyncio.gather(*(play_episode(ask, name, i, max_steps) for i in range(episodes))))}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--backend", choices=("openai", "ollama"), required=True)
    parser.add_argument("--environment", required=True)
    parser.add_argument("--episodes", type=int, required=True)
    parser.add_argument("--max-steps", type=int, required=True)
    options = parser.parse_args()

    async def play() -> dict[str, Any]:
        ask = openai_asker() if options.backend == "openai" else ollama_asker()
        return await play_all(ask, options.environment, options.episodes, options.max_steps)

    play_on_command(lambda: asyncio.run(play()))


if __name__ == "__main__":
    main()
