"""Alembic's entry: runs the migrations on the connection it is handed, or on the one the settings name."""

import asyncio

from alembic import context
from sqlalchemy import Connection, text

from app.agents import models as agents  # noqa: F401 - fills the metadata
from app.batches import models as batches  # noqa: F401 - fills the metadata
from app.db import Base, Database
from app.keys import models as keys  # noqa: F401 - fills the metadata
from app.runs import models as runs  # noqa: F401 - fills the metadata
from app.sessions import models as sessions  # noqa: F401 - fills the metadata
from app.settings import Settings


def run(connection: Connection) -> None:
    # Two processes may start at once: the second waits here until the first is done.
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('gym-llm migrations'))"))
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=connection.dialect.name == "sqlite",
        compare_type=True,
        include_name=lambda name, kind, _: not (kind == "table" and str(name).startswith("procrastinate_")),
    )
    with context.begin_transaction():
        context.run_migrations()


async def run_on_the_configured_database() -> None:
    database = Database(Settings().database_url)
    async with database.engine.begin() as connection:
        await connection.run_sync(run)
    await database.close()


connection = context.config.attributes.get("connection")
if connection is not None:
    run(connection)
else:
    asyncio.run(run_on_the_configured_database())
