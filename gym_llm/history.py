"""The window of past turns that goes into every prompt."""

from collections.abc import Mapping
from typing import Any

from gym_llm.backends.base import Message
from gym_llm.prompt import with_keys
from gym_llm.turn import Turn


class History:
    """Past turns, at least the last `size` of them once there are as many.

    The window grows to `2 * size` turns, is `full` then, and has to be cut back to `size` in one block. A window that
    slides by one turn at a time changes the start of every prompt, so that no provider can reuse its cache of the one
    before. Pictures go the same way: the newest `pictured` turns or more have theirs, and fewer than twice as many.
    """

    def __init__(self, size: int, pictured: int = 1) -> None:
        self._size = size
        self._pictured = pictured
        self._turns: list[tuple[Turn, str]] = []
        self._appended = 0

    @property
    def full(self) -> bool:
        """Whether the window is due to be cut."""
        return len(self._turns) >= 2 * self._size

    def append(self, turn: Turn, reply: str) -> None:
        """Add a turn, and what the model answered, to the letter."""
        self._turns.append((turn, reply))
        self._appended += 1
        for past, _ in self._turns[: -2 * self._pictured]:
            past.pictures = ()

    def cut(self) -> int:
        """Drop all turns but the last `size`; returns how many that were."""
        dropped = max(0, len(self._turns) - self._size)
        del self._turns[:dropped]
        return dropped

    def messages(self, present: Turn | None = None, in_view: Mapping[str, Any] | None = None) -> list[Message]:
        """The window, oldest turn first, then the present turn, which has no answer yet.

        Args:
            present: what the model is told now.
            in_view: said at the top of the oldest turn: what is to be seen however far back it was.
        """
        told = [turn for turn, _ in self._turns] + ([present] if present is not None else [])
        newest = self._appended + (present is not None)
        without_pictures = len(told) - newest + self._pictured * (newest // self._pictured - 1)
        messages: list[Message] = []
        for index, turn in enumerate(told):
            text = with_keys(in_view, turn.told) if in_view and index == 0 else turn.told
            user: Message = {"role": "user", "content": text}
            if turn.pictures and index >= without_pictures:
                user["images"] = [picture.png for picture in turn.pictures]
            messages.append(user)
            if index < len(self._turns):
                messages.append({"role": "assistant", "content": self._turns[index][1]})
        return messages

    def clear(self) -> None:
        """Forget everything."""
        self._turns.clear()
        self._appended = 0
