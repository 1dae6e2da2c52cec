"""System prompts of a user's own: text with named fields, filled in without giving templates any power."""

import re
from collections.abc import Mapping
from string import Formatter

FIELDS = ("goal", "observation", "actions", "reply", "how_to_reflect")
"""What a template may name: the parts of the default system prompt."""
NEEDED = ("actions", "reply")
"""What it must name: without them no model can know how to answer."""
MAX_LENGTH = 20_000
"""Characters of a template."""


def check_template(template: str) -> str:
    """`template`, if it is one.

    Raises:
        ValueError: it names a field that there is not, lacks one that it needs, or asks for anything but a field.
    """
    named = {name for _, name in _pieces(template) if name is not None}
    if missing := [f"{{{name}}}" for name in NEEDED if name not in named]:
        raise ValueError(f"{' and '.join(missing)} must be in it")
    return template


def fill(template: str, parts: Mapping[str, str]) -> str:
    """A checked template with its fields replaced by `parts`; doubled braces become single ones."""
    # Not `str.format`: it would read attributes and items of whatever it is given.
    return "".join(literal + (parts[name] if name is not None else "") for literal, name in _pieces(template))


def _pieces(template: str) -> list[tuple[str, str | None]]:
    try:
        pieces = list(Formatter().parse(template))
    except ValueError:
        raise ValueError("a brace that stands for itself is written twice: {{ or }}") from None
    for _, name, spec, conversion in pieces:
        if name is not None and (name not in FIELDS or spec or conversion):
            # Only a plain word is repeated: anything else may be what was never meant for a message.
            what = f"{{{name}}}" if re.fullmatch(r"[a-z_]{1,30}", name) and not (spec or conversion) else "a field"
            allowed = ", ".join(f"{{{field}}}" for field in FIELDS)
            raise ValueError(f"{what} is not one of {allowed}; a brace that stands for itself is written twice")
    return [(literal, name) for literal, name, _, _ in pieces]
