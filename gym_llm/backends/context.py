"""How many tokens of context to ask Ollama for, and whether a prompt was too long for them.

Ollama leaves out the oldest part of a prompt that does not fit, and says nothing. What it tells is how many tokens it
has read: all of `num_ctx` where the newest message alone was too long, else whatever is left after whole messages were
left out from the oldest on (measured with Ollama 0.9.3).
"""

from collections.abc import Sequence

from gym_llm.backends.base import Message, Question

SMALLEST = 4096
"""Ollama's own default: sizing never takes a model below it."""
FIRST_DENSITY = 0.5
"""Tokens a character, until the server has told: numbers in JSON take about two characters a token, prose four."""
MARGIN = 1.1
REPLY_CHARACTERS = 300
"""Of a reply, until one has been seen."""
REPAIR_CHARACTERS = 2000
"""Of a repair turn, which quotes the reply's schema."""
REPLY_TOKENS, THOUGHT_TOKENS = 1024, 8192
"""Room for a reply without a limit of its own; the second where the model thinks first."""
IMAGE_TOKENS = 1024
TEMPLATE_TOKENS = 32
"""What a model's template may add to a message."""


class Context:
    """The context of one model: `num_ctx` for each question, in powers of two, never less than before.

    Ollama loads a model anew for each other `num_ctx`. So it is sized from the start for the longest prompt that the
    window of past turns can reach, and grows only where the tokens counted by the server ask for it.
    """

    def __init__(self, longest: int | None = None, capabilities: Sequence[str] | None = None) -> None:
        self.longest = longest
        """What the model was made for, in tokens; None = not known."""
        self.capabilities = capabilities
        """What the server says that the model can do, such as `vision`; None = not known."""
        self.told = False
        """Whether a prompt that was too long has been logged."""
        self._size = 0
        self._characters = 0
        self._density = 0.0

    def size(self, question: Question) -> int:
        """The `num_ctx` to ask `question` with, in tokens."""
        agent, messages = question.agent, question.messages
        if agent.num_ctx is not None:
            return agent.num_ctx
        if not self._characters or len(messages) <= 2:
            self._characters = max(self._characters, _longest(question))
        characters = max(self._characters, _characters(messages))
        reply = agent.max_tokens or (THOUGHT_TOKENS if agent.think else REPLY_TOKENS)
        needed = MARGIN * characters * (self._density or FIRST_DENSITY) + IMAGE_TOKENS * _images(messages) + reply
        self._grow(max(SMALLEST, round(needed)))
        return self._size

    def cut(self, question: Question, size: int, tokens: int) -> str | None:
        """What to tell of a prompt that did not fit: asked with `size`, the server has read `tokens` of it."""
        messages = question.messages
        ceiling = min(size, self.longest or size)
        characters = _characters(messages)
        if not self._cut(messages, characters, ceiling, tokens):
            if characters and not _images(messages):
                self._density = max(self._density, tokens / characters)
            return None
        if question.agent.num_ctx is None:
            self._grow(2 * ceiling)
        advice = "a shorter history fits" if ceiling == self.longest else "a larger agent.num_ctx or a shorter history"
        return f"the prompt does not fit into num_ctx {ceiling}: Ollama has left out its oldest part ({advice})"

    def _cut(self, messages: Sequence[Message], characters: int, ceiling: int, tokens: int) -> bool:
        if tokens >= ceiling - 1:
            return True
        if _images(messages) or self._density * characters <= ceiling:
            return False
        # As dense as earlier prompts, it is too long. Without one message less, it would not have fitted.
        message = max(len(message["content"]) for message in messages)
        return tokens + self._density * message + TEMPLATE_TOKENS >= ceiling

    def _grow(self, tokens: int) -> None:
        size = 1 << (tokens - 1).bit_length()
        self._size = max(self._size, min(size, self.longest or size))


def _characters(messages: Sequence[Message]) -> int:
    return sum(len(message["content"]) for message in messages)


def _images(messages: Sequence[Message]) -> int:
    return sum(len(message.get("images", ())) for message in messages)


def _longest(question: Question) -> int:
    """Characters of the longest prompt to come: the window grows to twice `history` before it is cut back."""
    system = _characters([message for message in question.messages if message["role"] == "system"])
    users = sum(message["role"] == "user" for message in question.messages)
    turn = (_characters(question.messages) - system) / max(1, users)
    if not any(message["role"] == "assistant" for message in question.messages):
        turn += REPLY_CHARACTERS
    turns = 2 * max(1, question.agent.history // question.agent.action_rate)
    return round(system + turns * turn + REPAIR_CHARACTERS)
