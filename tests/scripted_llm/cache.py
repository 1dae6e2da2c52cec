"""What a provider's prompt cache would have had of a prompt: whole blocks of its start, from a minimum on."""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

CHARACTERS_PER_TOKEN = 4
"""An estimate: there is no tokenizer here."""
MINIMUM, BLOCK = 1024, 128
"""Tokens; OpenAI's."""


class PrefixCache:
    """Remembers every prompt that it has seen, as OpenAI's does: 1024 tokens at least, in steps of 128."""

    def __init__(self) -> None:
        self._prefixes: set[bytes] = set()

    def read(self, messages: Sequence[Mapping[str, Any]]) -> int:
        """The tokens of this prompt that were in the cache; it is in it from now on."""
        text = "".join(message["content"] for message in messages).encode("ascii", "replace")
        size = BLOCK * CHARACTERS_PER_TOKEN
        hash_ = blake2b(digest_size=16)
        known = 0
        for end in range(size, len(text) + 1, size):
            hash_.update(text[end - size : end])
            prefix = hash_.digest()
            if prefix in self._prefixes:
                known = end // CHARACTERS_PER_TOKEN
            self._prefixes.add(prefix)
        return known if known >= MINIMUM else 0
