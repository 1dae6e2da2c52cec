"""OpenAI's format for fine-tuning chat models: one line a decision, with the very prompt that led to it."""

from collections.abc import AsyncIterable, AsyncIterator, Sequence
from typing import IO, Any

import orjson

from app.errors import ConflictError
from app.exports.retaking import MakeEnv, Retaken, retaking
from app.exports.selection import Selection
from app.runs.stored_run import StoredRun
from gym_llm.backends import Message


async def write_openai(
    target: IO[bytes], runs: AsyncIterable[StoredRun], make_env: MakeEnv, selection: Selection
) -> None:
    """Write a line for each selected decision: the system prompt, the window, the observation, the answer.

    Raises:
        ConflictError: an episode can't be taken again, or its agent was shown pictures.
    """
    async for run, episode in selection.episodes(runs):
        if run.record.agent.vision:
            raise ConflictError(f"Run {run.record.id} showed its model pictures, for which these lines have no place.")
        async with retaking(make_env, run, episode) as (_, steps):
            async for line in _lines(steps, selection):
                target.write(line)


async def _lines(steps: AsyncIterator[Retaken], selection: Selection) -> AsyncIterator[bytes]:
    async for step in steps:
        if step.prompt is not None and selection.takes(step.record):
            answer = {"role": "assistant", "content": step.answer}
            yield orjson.dumps({"messages": [*_spelt(step.prompt), answer]}) + b"\n"


def _spelt(prompt: Sequence[Message]) -> list[dict[str, Any]]:
    # Earlier answers are context. Each is learned from in the line of its own.
    return [
        {"role": message["role"], "content": message["content"]} | ({"weight": 0} if _answered(message) else {})
        for message in prompt
    ]


def _answered(message: Message) -> bool:
    return message["role"] == "assistant"
