"""The migrations, forwards and backwards, and against the models."""

import pytest
from alembic import command
from sqlalchemy import Connection, inspect

from app.db import Base, Database, alembic_config
from app.runs import models  # noqa: F401 - fills the metadata
from app.settings import Settings

pytestmark = pytest.mark.empty_database


def tables(connection: Connection) -> set[str]:
    """Our own tables, and those of the job queue as one name."""
    names = set(inspect(connection).get_table_names()) - {"alembic_version"}
    return {"procrastinate" if name.startswith("procrastinate_") else name for name in names}


async def test_up_and_down_and_up_again(settings: Settings):
    database = Database(settings.database_url)
    async with database.engine.begin() as connection:
        for revision, expected in (("head", set(Base.metadata.tables)), ("base", set()), ("head", {"runs"})):
            move = command.downgrade if revision == "base" else command.upgrade
            await connection.run_sync(lambda sync, move=move, to=revision: move(alembic_config(sync), to))
            found = await connection.run_sync(tables)
            assert found >= expected
            assert found or not expected
            if revision == "base":
                assert found == set()
    await database.close()


async def test_models_and_migrations_agree(database: Database):
    async with database.engine.begin() as connection:
        await connection.run_sync(lambda sync: command.check(alembic_config(sync)))


async def test_migrating_twice_changes_nothing(database: Database):
    await database.migrate()
    async with database.engine.connect() as connection:
        assert await connection.run_sync(tables) - {"procrastinate"} == set(Base.metadata.tables)
