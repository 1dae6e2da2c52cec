"""`gym-llm agents`: agents by name, in a service."""

from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer
import yaml
from rich.console import Console

from app.cli.client import ServiceClient
from app.cli.exits import USAGE, CommandError
from app.cli.options import DEFAULT_URL, Url
from app.cli.tables import agents_table

app = typer.Typer(name="agents", no_args_is_help=True, help="Register, list and delete agents of a service.")

Name = Annotated[str, typer.Argument(metavar="NAME", show_default=False)]


@app.command()
def create(
    name: Name,
    config: Annotated[Path, typer.Argument(metavar="CONFIG.yaml", show_default=False)],
    url: Url = DEFAULT_URL,
) -> None:
    """Give the agent of a configuration a name: `agent: NAME` stands for it in runs and sessions from then on.

    Examples:

    \b
    gym-llm agents create careful-llama configs/lunar_lander.yaml
    """
    try:
        values = yaml.safe_load(config.read_text(encoding="utf-8"))
    except OSError as error:
        raise CommandError(f"{config}: {error.strerror}", USAGE) from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise CommandError(f"{config} is not valid YAML", USAGE) from None
    if not isinstance(values, dict) or not isinstance(values.get("agent"), dict):
        raise CommandError(f"{config} has no section agent", USAGE)
    with ServiceClient(url) as client:
        typer.echo(client.register_agent(name, values["agent"])["name"])


@app.command("list")
def list_(url: Url = DEFAULT_URL) -> None:
    """List the agents.

    Examples:

    \b
    gym-llm agents list
    """
    found, after, more = [], "", True
    with ServiceClient(url) as client:
        while more:
            page = client.get(f"/agents?limit=100{after}")
            found += page["data"]
            more = page["has_more"]
            after = f"&after={found[-1]['id']}" if found else ""
    Console().print(agents_table(found))


@app.command()
def show(name: Name, url: Url = DEFAULT_URL) -> None:
    """Print the section of an agent, as YAML.

    Examples:

    \b
    gym-llm agents show careful-llama
    """
    with ServiceClient(url) as client:
        section = client.get(f"/agents/{quote(name, safe='')}")["agent"]
    typer.echo(yaml.safe_dump({"agent": section}, sort_keys=False).rstrip())


@app.command()
def delete(name: Name, url: Url = DEFAULT_URL) -> None:
    """Delete an agent; whatever has used it keeps its section.

    Examples:

    \b
    gym-llm agents delete careful-llama
    """
    with ServiceClient(url) as client:
        client.delete(f"/agents/{quote(name, safe='')}")
    typer.echo(f"deleted {name}")
