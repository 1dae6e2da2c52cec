"""What commands do without a service."""

import asyncio
from pathlib import Path
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

import env_plugins  # noqa: F401  (registers the environments)
from app.cli.configured import read_settings
from app.cli.exits import USAGE, CommandError
from app.db import Database
from app.environments.catalog import Catalog
from gym_llm import parse_config, run_experiment
from gym_llm.backends import BACKENDS, BackendStatus
from gym_llm.errors import ConfigError, GymLLMError


def play(path: Path, verbose: bool | None) -> tuple[dict[str, Any], int]:
    """Play the experiment of a file; its results, and the seed of its first episode.

    Raises:
        CommandError: the configuration is wrong, or the experiment failed.
    """
    try:
        config = parse_config(path)
        if verbose is not None:
            config["experiment"]["verbose"] = verbose
        return run_experiment(config), config["experiment"]["seed"]
    except ConfigError as error:
        raise CommandError(str(error), USAGE) from None
    except (GymLLMError, OSError) as error:
        raise CommandError(str(error)) from None


def environments() -> list[dict[str, Any]]:
    """Every environment of the plugins, as `GET /environments` shows it."""
    return [view.model_dump() for view in asyncio.run(Catalog().list())]


def backends() -> list[BackendStatus]:
    """Whether each backend can be used from here, right now."""

    async def ask_all() -> list[BackendStatus]:
        made = [create() for create in BACKENDS.values()]
        try:
            return list(await asyncio.gather(*(backend.status() for backend in made)))
        finally:
            for backend in made:
                await backend.aclose()

    return asyncio.run(ask_all())


def migrate() -> str:
    """Bring the database up to date; returns its address, the password hidden.

    Raises:
        CommandError: the settings are wrong, or the database can't be reached.
    """

    async def upgrade(database: Database) -> str:
        try:
            await database.migrate()
            return database.engine.url.render_as_string(hide_password=True)
        finally:
            await database.close()

    try:
        return asyncio.run(upgrade(Database(read_settings().database_url)))
    except (OSError, SQLAlchemyError) as error:
        first_line = str(error).splitlines()[0]
        raise CommandError(f"cannot migrate: {first_line}") from None
