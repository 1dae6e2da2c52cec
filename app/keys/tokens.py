"""The secrets themselves: made here, known to their holders, kept as hashes."""

import hashlib
import secrets

KEY_PREFIX = "glm_"
"""Of every API key, so that people and scanners recognise one that has got lost."""
SHOWN_CHARACTERS = 12


def new_key() -> str:
    """An API key of 256 random bits."""
    return KEY_PREFIX + secrets.token_hex(32)


def new_session() -> str:
    """The token of a browser session."""
    return secrets.token_hex(32)


def hashed(token: str) -> str:
    """What is stored. A fast hash will do: 256 random bits can't be guessed, however fast."""
    return hashlib.sha256(token.encode()).hexdigest()


def shown(key: str) -> str:
    """As much of a key as may be shown."""
    return key[:SHOWN_CHARACTERS]
