"""The window of past turns that goes into every prompt."""

from gym_llm.backends.base import Message


class History:
    """Past turns, at least the last `size` of them once there are as many.

    The window grows to `2 * size` turns and is then cut back to `size` in one block. A window that slides by one
    turn at a time changes the start of every prompt, so that no provider can reuse its cache of the one before.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._messages: list[Message] = []

    def append(self, observation: str, reply: str) -> None:
        """Add one turn: what the model was told, and what it answered, to the letter."""
        self._messages += [{"role": "user", "content": observation}, {"role": "assistant", "content": reply}]
        if len(self._messages) >= 4 * self._size:
            del self._messages[: -2 * self._size]

    def messages(self) -> list[Message]:
        """The window, oldest turn first."""
        return list(self._messages)

    def clear(self) -> None:
        """Forget everything."""
        self._messages.clear()
