"""Thoughts: generators that yield questions and are sent replies. What drives them does the input and output."""

from collections.abc import Generator
from typing import TypeVar

from gym_llm.backends.base import Backend, Question, Reply
from gym_llm.errors import LLMError

T = TypeVar("T")


async def answered(thought: Generator[Question, Reply, T], backend: Backend) -> T:
    """What a thought comes to, its questions answered by `backend`.

    Raises:
        LLMError: there was no reply, and the thought cannot do without.
    """
    try:
        question = next(thought)
        while True:
            try:
                reply = await backend.ask(question)
            except LLMError as error:
                question = thought.throw(error)  # Some questions can do without an answer.
            else:
                question = thought.send(reply)
    except StopIteration as end:
        result: T = end.value
        return result
