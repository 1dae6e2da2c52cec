"""The settings of the process that a command runs in."""

from typing import Any

from pydantic import ValidationError

from app.cli.exits import USAGE, CommandError
from app.settings import Settings


def read_settings(**fixed: Any) -> Settings:
    """The settings, from the environment and `.env`, but for those that are `fixed`.

    Raises:
        CommandError: naming the first variable that is wrong.
    """
    try:
        return Settings(**fixed)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        name = "_".join(["GYM_LLM", *(str(part).upper() for part in first["loc"])]) if first["loc"] else "settings"
        raise CommandError(f"{name}: {first['msg'].removeprefix('Value error, ')}", USAGE) from None
