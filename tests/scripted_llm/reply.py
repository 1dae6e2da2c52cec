"""One reply of the scripted model: its text, spoiled or not, and its numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from tests.scripted_llm.cache import BLOCK, MINIMUM
from tests.scripted_llm.players import answer


@dataclass(frozen=True)
class Reply:
    """The text, and the numbers that go with it in either protocol."""

    text: str
    end: str | None
    """The reason for it, as both protocols call it; None where the server broke the answer off."""
    declined: bool
    digest: str
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    thought_tokens: int = 0
    """The part of `completion_tokens` that went into thoughts, which nobody sees."""

    @classmethod
    def to(
        cls,
        messages: Sequence[Mapping[str, str]],
        schema: Mapping[str, Any] | None,
        limit: int | None,
        fault: str,
        digest: str,
    ) -> "Reply":
        """The answer to a conversation, spoiled by `fault`.

        A token is four characters. Once there is more than one turn, the system prompt counts as cached as OpenAI would
        have it: whole blocks of 128 tokens, from 1024 tokens on. Later turns never do, so this never overstates.
        """
        text = _spoil(orjson.dumps(answer(messages, schema)).decode(), fault)
        thought = (limit or 500) if fault == "thought-cut" else 0
        cut = fault in ("length", "thought-cut") or (limit is not None and len(text) > 4 * limit)
        if limit is not None:
            text = text[: 4 * limit]
        system = len(messages[0]["content"]) // 4 if len(messages) > 2 and messages[0]["role"] == "system" else 0
        return cls(
            text=text,
            end=None if fault == "broken-off" else "length" if cut else "stop",
            declined=fault == "declined",
            digest=digest,
            prompt_tokens=max(1, sum(len(message.get("content") or "") for message in messages) // 4),
            cached_tokens=system // BLOCK * BLOCK if system >= MINIMUM else 0,
            completion_tokens=thought + max(1, len(text) // 4),
            thought_tokens=thought,
        )


def _spoil(text: str, fault: str) -> str:
    match fault:
        case "invalid-json":
            return text.replace('"action":', '"action" is ')
        case "out-of-range":
            return '{"reflection":"I want an action that does not exist.","action":99}'
        case "length" | "broken-off":
            return text[: len(text) // 2]
        case "empty" | "thought-cut":
            return ""
        case "fenced":
            return f"```json\n{text}\n```"
        case "declined":
            return "I'm sorry, I cannot help with that."
    return text
