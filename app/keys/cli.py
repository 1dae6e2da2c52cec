"""`gym-llm keys`: the API keys of the service, straight in its database.

The database takes a second to import, so only the commands that need it do.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, NoReturn, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from app.access import Role

if TYPE_CHECKING:
    from app.keys.service import KeyService

FAILED, USAGE = 1, 2
T = TypeVar("T")

app = typer.Typer(name="keys", no_args_is_help=True, help="Make, list and revoke API keys.")


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="To recognise the key by.", show_default=False)],
    role: Annotated[
        Role, typer.Option(help="user: the runs of its owner; viewer: only looks at them; admin: everybody's.")
    ] = Role.USER,
    owner: Annotated[
        str | None, typer.Option(help="Whose runs it makes and sees; default: the name.", show_default=False)
    ] = None,
) -> None:
    """Make a key and print it, once. From the first key on, every request needs one.

    Runs that were made before there were keys belong to the owner `local`.

    Examples:

    \b
    gym-llm keys create laptop --owner alice
    gym-llm keys create dashboard --owner alice --role viewer
    gym-llm keys create ops --role admin
    """
    made = _with_keys(lambda keys: keys.create(name, role, owner))
    typer.echo(made.key)
    typer.echo(f"{made.row.role} of {made.row.owner}. Keep it: it can't be shown again.", err=True)


@app.command("list")
def list_() -> None:
    """List the keys, by their first characters.

    Examples:

    \b
    gym-llm keys list
    """
    rows = _with_keys(lambda keys: keys.list())
    table = Table("id", "key", "name", "owner", "role", "created", "last used", "revoked")
    for whole in table.columns[:2]:
        whole.no_wrap = True
    for row in rows:
        times = map(_time, (row.created_at, row.last_used_at, row.revoked_at))
        table.add_row(str(row.id), f"{row.prefix}...", row.name, row.owner, row.role, *times)
    # Off a terminal there is no width to keep to: whatever reads it wants whole ids.
    Console(width=None if sys.stdout.isatty() else 300).print(table)


@app.command()
def revoke(
    key: Annotated[str, typer.Argument(metavar="ID|PREFIX", help="As `keys list` shows it.", show_default=False)],
) -> None:
    """Revoke a key for good: it is refused from the next request on. Its runs stay.

    Examples:

    \b
    gym-llm keys revoke glm_1a2b3c4d
    """
    row = _with_keys(lambda keys: keys.revoke(key.removesuffix("...")))
    typer.echo(f"revoked {row.prefix}... ({row.name})")


def _with_keys(action: Callable[["KeyService"], Awaitable[T]]) -> T:
    from pydantic import ValidationError
    from sqlalchemy.exc import SQLAlchemyError

    from app.db import Database
    from app.errors import InvalidRequestError, ProblemError
    from app.keys.service import KeyService
    from app.settings import Settings

    async def act(settings: Settings) -> T:
        database = Database(settings.database_url)
        try:
            await database.migrate()
            return await action(KeyService(database))
        finally:
            await database.close()

    try:
        return asyncio.run(act(Settings()))
    except ValidationError as error:
        wrong = error.errors(include_input=False, include_url=False, include_context=False)[0]
        name = "_".join(["GYM_LLM", *(str(part).upper() for part in wrong["loc"])])
        _fail(f"{name}: {wrong['msg'].removeprefix('Value error, ')}", USAGE)
    except ProblemError as error:
        _fail(error.detail, USAGE if isinstance(error, InvalidRequestError) else FAILED)
    except (OSError, SQLAlchemyError) as error:
        _fail(f"the database can't be used: {str(error).splitlines()[0]}", FAILED)


def _fail(message: str, code: int) -> NoReturn:
    typer.echo(f"Error: {message}", err=True)
    raise typer.Exit(code) from None


def _time(at: datetime | None) -> str:
    return at.strftime("%Y-%m-%d %H:%M") if at is not None else "-"
