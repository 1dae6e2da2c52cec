"""Fields of an observation that are words."""

from collections.abc import Iterable

from gymnasium import spaces


def one_of(words: Iterable[str]) -> spaces.Text:
    """The space of a field that holds one of `words`."""
    known = list(words)
    return spaces.Text(
        min_length=min(map(len, known)), max_length=max(map(len, known)), charset="".join(sorted(set("".join(known))))
    )


def listed(words: Iterable[str]) -> str:
    """`words` as an enumeration: "a, b and c"."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
