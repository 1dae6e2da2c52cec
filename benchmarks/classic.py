"""The classic way, after the description of the library that gym-llm follows: one episode after the other, one step
after the other, a synchronous call for each, observations as `str(dict of arrays)`, all frames of an episode in a list
until `imageio.mimsave` writes them at its end.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import imageio
import numpy as np
from ollama import Client
from openai import OpenAI

import env_plugins  # noqa: F401 (registers the environments)
from benchmarks.children import MODEL, play_on_command
from gym_llm.llm_env import get_env_definition
from gym_llm.prompt import reply_schema, system_prompt
from gym_llm.results import GIF, RAW_OUTPUTS, RESULTS_FILE, episode_file, results
from gym_llm.spaces import json_schema, to_json

ENVIRONMENT = "LunarLanderLLM-v2"
"""The shape of the observations that the classic way has: arrays."""
MAX_STEPS = 1000
"""As in `LunarLanderLLM-v3`, so that the episodes are the same; `LunarLanderLLM-v2` by itself ends much earlier."""
Messages = list[dict[str, str]]
Ask = Callable[[Messages, dict[str, Any]], str]
HISTORY = 10


def openai_asker() -> Ask:
    client = OpenAI()

    def ask(messages: Messages, schema: dict[str, Any]) -> str:
        answer = client.chat.completions.create(  # type: ignore[call-overload]
            model=MODEL,
            messages=messages,
            temperature=0.2,
            response_format={"type": "json_schema", "json_schema": {"name": "reply", "schema": schema, "strict": True}},
        )
        return answer.choices[0].message.content or ""

    return ask


def ollama_asker() -> Ask:
    client = Client()

    def ask(messages: Messages, schema: dict[str, Any]) -> str:
        return client.chat(MODEL, messages, format=schema, options={"temperature": 0.2}).message.content or ""

    return ask


def for_the_server(observation: Any) -> dict[str, str]:
    # The scripted server reads JSON only. With this message beside the classic one, it flies the same way for all.
    rounded = {name: np.asarray(value, dtype=float).round(4).tolist() for name, value in to_json(observation).items()}
    return {"role": "user", "content": json.dumps({"observation": rounded})}


def play_episode(ask: Ask, folder: Path, episode: int, seed: int, fps: int, max_steps: int | None) -> tuple[float, int]:
    env = gym.make(ENVIRONMENT, render_mode="rgb_array", max_episode_steps=MAX_STEPS)
    schema = reply_schema(json_schema(env.action_space))
    system = {"role": "system", "content": system_prompt(get_env_definition(env), schema, 1)}
    history: Messages = []
    frames: list[Any] = []
    outputs: dict[int, Any] = {}
    total_reward = 0.0
    observation, _ = env.reset(seed=seed)
    ended = False
    while not ended and len(frames) != max_steps:
        history.append({"role": "user", "content": str(observation)})
        reply = ask([system, *history[:-1], for_the_server(observation), history[-1]], schema)
        history = [*history, {"role": "assistant", "content": reply}][-2 * HISTORY :]
        output = json.loads(reply)
        observation, reward, terminated, truncated, _ = env.step(output["action"])
        frames.append(env.render())
        outputs[len(frames)] = output
        total_reward += float(reward)
        ended = terminated or truncated
    env.close()
    imageio.mimsave(folder / episode_file(episode, seed, GIF), frames, duration=1000 / fps, loop=0)
    (folder / episode_file(episode, seed, RAW_OUTPUTS)).write_text(json.dumps(outputs, indent=4))
    return total_reward, len(frames)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--backend", choices=("openai", "ollama"), required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--episodes", type=int, required=True)
    parser.add_argument("--fps", type=int, required=True)
    parser.add_argument("--max-steps", type=int)
    options = parser.parse_args()

    def play() -> dict[str, Any]:
        ask = openai_asker() if options.backend == "openai" else ollama_asker()
        played = [
            play_episode(ask, options.folder, episode, episode, options.fps, options.max_steps)
            for episode in range(options.episodes)
        ]
        rewards, steps = zip(*played, strict=True)
        (options.folder / RESULTS_FILE).write_text(json.dumps(results(rewards, steps), indent=4))
        return {"steps": sum(steps), "folder": str(options.folder)}

    play_on_command(play)


if __name__ == "__main__":
    main()
