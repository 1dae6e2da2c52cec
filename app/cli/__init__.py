"""The command line: serve, run, submit, and looking around.

The service and the library take over a second to import, so only the commands that need them do.
"""

from contextlib import AbstractContextManager
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

import typer
from dotenv import find_dotenv, load_dotenv
from rich.console import Console
from typer.core import TyperGroup

from app.cli.agents import app as agents
from app.cli.authoring import check_environment, new_environment
from app.cli.batch import app as batches
from app.cli.batch import check_batch, follow_batch
from app.cli.client import ServiceClient
from app.cli.data import app as data
from app.cli.exits import USAGE, CommandError, interruptible
from app.cli.follow import follow_to_the_end
from app.cli.options import DEFAULT_URL, EXIT_CODES, OfBatch, RunId, Url
from app.cli.tables import backends_table, environments_table, episodes_table, one_line
from app.cli.training import train_baseline
from app.keys.cli import app as keys


class _Commands(TyperGroup):
    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except CommandError as error:
            typer.echo(f"Error: {one_line(error)}", err=True)
            raise typer.Exit(error.exit_code) from None


app = typer.Typer(
    cls=_Commands,
    name="gym-llm",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=EXIT_CODES,
    help="LLM-powered agents in Gymnasium environments: a service, and experiments without one.",
)

app.add_typer(keys)
app.add_typer(agents)
app.add_typer(data)
app.add_typer(batches)

ConfigFile = Annotated[Path, typer.Argument(metavar="CONFIG.yaml", show_default=False)]
OptionalUrl = Annotated[
    str | None, typer.Option(envvar="GYM_LLM_URL", help="Ask this service; without it, look on this machine.")
]


@app.callback(invoke_without_command=True)
def _options(
    version: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False,
) -> None:
    if version:
        typer.echo(metadata.version("gym-llm"))
        raise typer.Exit
    # Keys and addresses in `.env` are for the backends' own clients, which read the environment only.
    load_dotenv(find_dotenv(usecwd=True))


@app.command(epilog=EXIT_CODES)
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 = any free one.")] = 8000,
    insecure: Annotated[bool, typer.Option("--insecure", help="Let anyone who reaches the port in.")] = False,
) -> None:
    """Start the service. It listens on this machine only, unless told otherwise.

    Examples:

    \b
    gym-llm serve
    gym-llm serve --port 8080
    gym-llm serve --host 0.0.0.0              # once there is an API key
    gym-llm serve --host 0.0.0.0 --insecure   # without one, where nobody else can reach it
    """
    from app.cli import server

    server.serve(host, port, insecure=insecure)


@app.command(epilog=EXIT_CODES)
def worker(
    concurrency: Annotated[
        int | None,
        typer.Option(min=1, help="Runs at the same time; default: GYM_LLM_MAX_RUNNING_RUNS.", show_default=False),
    ] = None,
    queues: Annotated[str, typer.Option(help="Queues that it takes runs from, by comma.")] = "runs",
) -> None:
    """Carry out runs that the service has taken on. With Postgres only: start as many as you like, anywhere.

    Examples:

    \b
    gym-llm worker
    gym-llm worker --concurrency 200
    """
    from app.cli import server

    server.work(concurrency, [queue.strip() for queue in queues.split(",") if queue.strip()])


@app.command(epilog=EXIT_CODES)
def run(
    config: ConfigFile,
    verbose: Annotated[
        bool | None, typer.Option("--verbose/--quiet", help="Progress; default: as the file says.", show_default=False)
    ] = None,
) -> None:
    """Play an experiment here, without a service, into a folder.

    Examples:

    \b
    gym-llm run configs/lunar_lander_heuristic.yaml
    gym-llm run configs/lunar_lander.yaml --verbose
    """
    from app.cli import local

    results, seed = local.play(config, verbose)
    pairs = zip(results["total_steps"], results["total_rewards"], strict=True)
    episodes = [
        {"episode": index, "seed": seed + index, "num_steps": steps, "total_reward": reward}
        for index, (steps, reward) in enumerate(pairs)
    ]
    Console().print(episodes_table(episodes, results))
    typer.echo(f"Folder: {results['folder']}")


@app.command(epilog=EXIT_CODES)
def submit(
    config: ConfigFile,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Watch until it is over.")] = False,
    url: Url = DEFAULT_URL,
    idempotency_key: Annotated[
        str | None, typer.Option(help="The same key and file give the same run again.", show_default=False)
    ] = None,
) -> None:
    """Have the service play a run; prints its id.

    Examples:

    \b
    gym-llm submit configs/lunar_lander.yaml
    gym-llm submit configs/lunar_lander.yaml --follow
    gym-llm submit configs/lunar_lander.yaml --url http://gpu-box:8000 --idempotency-key nightly-7
    """
    try:
        body = config.read_bytes()
    except OSError as error:
        raise CommandError(f"{config}: {error.strerror}", USAGE) from None
    with ServiceClient(url) as client:
        run_id = client.submit(body, idempotency_key=idempotency_key)["id"]
        typer.echo(run_id)
        if follow:
            with _watching(client, run_id):
                follow_to_the_end(client, run_id, Console())


@app.command(epilog=EXIT_CODES)
def follow(run_id: RunId, batch: OfBatch = False, url: Url = DEFAULT_URL) -> None:
    """Watch a run from its first step to its end, whether it plays or is over.

    Examples:

    \b
    gym-llm follow 019a9f3c-7a52-7c31-9d0e-2f6b8c1d4e5f
    gym-llm follow 019a9f41-0d3e-7b0a-8c55-9a4be7d2c610 --batch
    """
    with ServiceClient(url) as client:
        if batch:
            check_batch(follow_batch(client, str(run_id)), f"gym-llm retry {run_id}{client.option}")
            return
        client.get(f"/runs/{run_id}")
        with _watching(client, str(run_id)):
            follow_to_the_end(client, str(run_id), Console())


@app.command(epilog=EXIT_CODES)
def cancel(run_id: RunId, batch: OfBatch = False, url: Url = DEFAULT_URL) -> None:
    """Cancel a run; prints its status.

    Examples:

    \b
    gym-llm cancel 019a9f3c-7a52-7c31-9d0e-2f6b8c1d4e5f
    gym-llm cancel 019a9f41-0d3e-7b0a-8c55-9a4be7d2c610 --batch
    """
    with ServiceClient(url) as client:
        typer.echo(client.post(f"/{'batches' if batch else 'runs'}/{run_id}/cancel")["status"])


@app.command(epilog=EXIT_CODES)
def environments(url: OptionalUrl = None) -> None:
    """List the environments, and the plugins that failed to load.

    Examples:

    \b
    gym-llm environments
    gym-llm environments --url http://127.0.0.1:8000
    """
    if url is not None:
        with ServiceClient(url) as client:
            found = client.get("/environments")["data"]
    else:
        from app.cli import local

        found = local.environments()
    Console().print(environments_table(found))


app.command(epilog=EXIT_CODES)(train_baseline)
app.command(epilog=EXIT_CODES)(check_environment)
app.command(epilog=EXIT_CODES)(new_environment)


@app.command(epilog=EXIT_CODES)
def backends(url: OptionalUrl = None) -> None:
    """List the backends: which can be used right now, and their models.

    Examples:

    \b
    gym-llm backends
    OLLAMA_HOST=http://gpu-box:11434 gym-llm backends
    """
    if url is not None:
        with ServiceClient(url) as client:
            found = client.get("/backends")["data"]
    else:
        from app.cli import local

        found = [asdict(status) for status in local.backends()]
    Console().print(backends_table(found))


@app.command(epilog=EXIT_CODES)
def migrate() -> None:
    """Bring the database up to date. `gym-llm serve` does it by itself.

    Examples:

    \b
    gym-llm migrate
    GYM_LLM_DATABASE_URL=postgresql://gym@db/gym gym-llm migrate
    """
    from app.cli import local

    typer.echo(f"{local.migrate()} is up to date")


def _watching(client: ServiceClient, run_id: str) -> AbstractContextManager[None]:
    return interruptible(
        f"Stopped watching; the run goes on. Watch it again: gym-llm follow {run_id}{client.option}\n"
        f"Cancel it: gym-llm cancel {run_id}{client.option}"
    )


def main() -> None:
    """The entry point."""
    app()
