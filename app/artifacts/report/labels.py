"""What agents and environments are called in a report."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

_MISSING = object()


def labels(configurations: Sequence[Mapping[str, Any]], name: str) -> list[str]:
    """A short label for each, no two alike: its field `name`, and whatever sets it apart from others of that name.

    Args:
        configurations: of agents, or of environments.
        name: the field that says most.
    """
    made = [
        _label(one, [other for other in configurations if other[name] == one[name]], name) for one in configurations
    ]
    return unique(made)


def unique(made: Sequence[str]) -> list[str]:
    """The same labels, numbered where two are alike."""
    alike, used, numbered = Counter(made), set(made), []
    for label in made:
        free = label
        number = 1
        while alike[label] > 1 and (free in used):
            free, number = f"{label} #{number}", number + 1
        used.add(free)
        numbered.append(free)
    return numbered


def _label(one: Mapping[str, Any], namesakes: Sequence[Mapping[str, Any]], name: str) -> str:
    fields = dict.fromkeys(field for other in namesakes for field in other if field != name)
    telling = [
        f"{field} {_text(one.get(field))}"
        for field in fields
        if any(other.get(field, _MISSING) != one.get(field, _MISSING) for other in namesakes)
    ]
    return f"{one[name]} ({', '.join(telling)})" if telling else str(one[name])


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return " ".join(f"{key}={item}" for key, item in value.items())
    return "default" if value is None else str(value)
