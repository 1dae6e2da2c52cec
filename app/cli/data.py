"""Commands that bring runs out of a service and into another one, and audit them on the way."""

import tempfile
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console

from app.cli.client import ServiceClient
from app.cli.exits import USAGE, CommandError
from app.cli.options import DEFAULT_URL, EXIT_CODES, OfBatch, RunId, Url
from app.cli.tables import audit_table

app = typer.Typer()


class Format(StrEnum):
    JSONL = "jsonl"
    PARQUET = "parquet"
    MINARI = "minari"
    OPENAI = "openai"


ENDINGS = {
    Format.JSONL: ".jsonl",
    Format.PARQUET: "_parquet.zip",
    Format.MINARI: "_minari.zip",
    Format.OPENAI: "_openai.jsonl",
}


@app.command(epilog=EXIT_CODES)
def export(
    run_id: RunId,
    batch: OfBatch = False,
    format: Annotated[Format, typer.Option("--format", help="What to make of it.")] = Format.JSONL,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; default: named after the run.")
    ] = None,
    min_return: Annotated[float | None, typer.Option(help="openai: episodes with at least this total reward.")] = None,
    top_fraction: Annotated[float | None, typer.Option(help="openai: this share of the episodes, the best.")] = None,
    only_valid: Annotated[bool, typer.Option("--only-valid", help="openai: no repaired decisions.")] = False,
    url: Url = DEFAULT_URL,
) -> None:
    """Write the data of a run, or of all runs of a batch, into a file; prints its name.

    Examples:

    \b
    gym-llm export 019a9f3c-7a52-7c31-9d0e-2f6b8c1d4e5f --format parquet
    gym-llm export 019a9f3c-7a52-7c31-9d0e-2f6b8c1d4e5f --format openai --top-fraction 0.25 -o train.jsonl
    gym-llm export 019a9f41-0d3e-7b0a-8c55-9a4be7d2c610 --batch --format parquet
    """
    chosen = {"min_return": min_return, "top_fraction": top_fraction, "only_valid": only_valid or None}
    given = {name: value for name, value in chosen.items() if value is not None}
    target = output or Path(f"{'batch' if batch else 'run'}_{run_id}{ENDINGS[format]}")
    with ServiceClient(url) as client:
        client.download(f"/{'batches' if batch else 'runs'}/{run_id}/export", target, format=format.value, **given)
    typer.echo(target)


@app.command(epilog=EXIT_CODES)
def replay(
    run: Annotated[str, typer.Argument(metavar="RUN_ID|FILE.zip|FILE.jsonl", show_default=False)],
    url: Url = DEFAULT_URL,
) -> None:
    """Audit a run: take its actions again on this machine, and check every observation and reward.

    The run comes from a service, or from a file: its archive, or its export as JSON lines.

    Examples:

    \b
    gym-llm replay 019a9f3c-7a52-7c31-9d0e-2f6b8c1d4e5f
    gym-llm replay run_019a9f3c-7a52-7c31-9d0e-2f6b8c1d4e5f.zip
    """
    from app.cli import auditing

    with tempfile.TemporaryDirectory() as folder:
        path = Path(run)
        if path.suffix not in (".zip", ".jsonl"):
            path = Path(folder) / "run.jsonl"
            with ServiceClient(url) as client:
                client.download(f"/runs/{_run_id(run)}/export", path, format="jsonl")
        audited = auditing.replay(path)
    rows = []
    for one in audited:
        verdict = one.verdict
        where = f"step {verdict.step}: " if verdict.step is not None else ""
        problem = f"{where}{verdict.problem}" if verdict.problem else ""
        rows.append((one.episode.episode, one.episode.seed, verdict.steps, one.episode.num_steps, problem))
    Console().print(audit_table(rows))
    if failed := sum(not one.verdict.verified for one in audited):
        raise CommandError(f"{failed} of {len(audited)} episodes could not be verified")


@app.command("import", epilog=EXIT_CODES)
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE.zip", show_default=False)],
    verify: Annotated[
        bool, typer.Option("--verify/--no-verify", help="Have the service take its actions again first.")
    ] = True,
    url: Url = DEFAULT_URL,
) -> None:
    """Bring the archive of a run into a service; prints its id there.

    Examples:

    \b
    gym-llm import run_019a9f3c-7a52-7c31-9d0e-2f6b8c1d4e5f.zip
    gym-llm import run_019a9f3c-7a52-7c31-9d0e-2f6b8c1d4e5f.zip --no-verify --url http://gpu-box:8000
    """
    with ServiceClient(url) as client:
        typer.echo(client.upload("/runs/import", file, verify=verify)["id"])


def _run_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise CommandError(f"{text}: neither the id of a run, nor a .zip or .jsonl file", USAGE) from None
