"""The settings of the process that a command runs in."""

from pydantic import ValidationError

from app.cli.exits import USAGE, CommandError
from app.settings import Settings


def read_settings() -> Settings:
    """The settings, from the environment and `.env`.

    Raises:
        CommandError: naming the first variable that is wrong.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        name = "_".join(["GYM_LLM", *(str(part).upper() for part in first["loc"])]) if first["loc"] else "settings"
        raise CommandError(f"{name}: {first['msg'].removeprefix('Value error, ')}", USAGE) from None
