"""Commands of batches: many runs from one file, and what comes of them."""

import hashlib
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer
import yaml
from rich.console import Console

from app.cli.batch_table import ACTIVE, BatchFollower, cell_name
from app.cli.client import ServiceClient
from app.cli.exits import USAGE, CommandError, interruptible
from app.cli.holding import held
from app.cli.options import DEFAULT_URL, EXIT_CODES, Url
from app.cli.tables import one_line

if TYPE_CHECKING:
    from app.cli.report_files import Place

app = typer.Typer()

EXPERIMENTS = Path("experiments")
Json = dict[str, Any]
BatchId = Annotated[UUID, typer.Argument(metavar="BATCH_ID", show_default=False)]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="Folder to write into; default: experiments/NAME.", show_default=False),
]


@app.command(epilog=EXIT_CODES)
def batch(
    config: Annotated[Path, typer.Argument(metavar="CONFIG.yaml", show_default=False)],
    url: Annotated[
        str | None, typer.Option(envvar="GYM_LLM_URL", help="Have this service play it; without one, play it here.")
    ] = None,
    output: Output = None,
    detach: Annotated[
        bool, typer.Option("--detach", help="With a service: print the batch's id, do not wait.")
    ] = False,
    retry: Annotated[bool, typer.Option("--retry", help="Play what failed before once more.")] = False,
    max_cost_usd: Annotated[
        float | None, typer.Option(help="With --retry: a new limit of cost for the whole batch.", show_default=False)
    ] = None,
    idempotency_key: Annotated[
        str | None,
        typer.Option(help="With a service: the same key and file give the same batch again.", show_default=False),
    ] = None,
) -> None:
    """Play every agent in every environment, on the same seeds, and write a report that compares them.

    Without a service it plays here. The same command again then goes on where it was, whatever has ended it.

    Examples:

    \b
    gym-llm batch configs/batches/baselines.yaml
    gym-llm batch configs/batches/seed_results.yaml --output results
    gym-llm batch configs/batches/seed_results.yaml --url http://gpu-box:8000 --detach
    """
    if max_cost_usd is not None and not retry:
        raise CommandError("--max-cost-usd goes with --retry; the limit of a new batch is in its file", USAGE)
    body, name = _read(config)
    folder = output or _folder(name)
    retrying = {"max_cost_usd": max_cost_usd} if retry else None
    if url:
        with ServiceClient(url) as client:
            _have_played(client, body, folder, idempotency_key, retrying, detach=detach)
    elif detach or idempotency_key is not None:
        option = "--detach" if detach else "--idempotency-key"
        raise CommandError(f"{option} needs a service: give its --url", USAGE)
    else:
        again = f"gym-llm batch {config}" + (f" --output {output}" if output else "")
        _play_here(body, folder, retrying, again)


@app.command(epilog=EXIT_CODES)
def report(batch_id: BatchId, url: Url = DEFAULT_URL, output: Output = None) -> None:
    """Write the report of a service's batch into a folder, whether it is over or not.

    Examples:

    \b
    gym-llm report 019a9f3c-7a52-7c31-9d0e-2f6b8c1d4e5f
    gym-llm report 019a9f3c-7a52-7c31-9d0e-2f6b8c1d4e5f --output results
    """
    with ServiceClient(url) as client:
        name = client.get(f"/batches/{batch_id}")["name"]
        _write_report(client, f"/batches/{batch_id}/report", output or _folder(name))


@app.command(epilog=EXIT_CODES)
def compare(
    run_ids: Annotated[list[UUID], typer.Argument(metavar="RUN_ID RUN_ID...", show_default=False)],
    url: Url = DEFAULT_URL,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write into.")] = EXPERIMENTS / "comparison",
) -> None:
    """Write a report that sets runs of a service side by side, paired by seed.

    Examples:

    \b
    gym-llm compare 019a9f3c-7a52-7c31-9d0e-2f6b8c1d4e5f 019a9f3d-1c07-7e8b-a6a1-5d2c7b9e0f31
    """
    with ServiceClient(url) as client:
        _write_report(client, "/compare", output, run=[str(run_id) for run_id in run_ids])


@app.command(epilog=EXIT_CODES)
def retry(
    batch_id: BatchId,
    max_cost_usd: Annotated[
        float | None, typer.Option(help="A new limit of cost for the whole batch.", show_default=False)
    ] = None,
    cell: Annotated[
        list[int] | None, typer.Option(min=0, help="Only this cell; may be given many times.", show_default=False)
    ] = None,
    url: Url = DEFAULT_URL,
) -> None:
    """Have a service play the episodes of a batch again that failed or were cancelled; prints the batch's status.

    Examples:

    \b
    gym-llm retry 019a9f3c-7a52-7c31-9d0e-2f6b8c1d4e5f
    gym-llm retry 019a9f3c-7a52-7c31-9d0e-2f6b8c1d4e5f --max-cost-usd 10
    """
    with ServiceClient(url) as client:
        typer.echo(_retried(client, str(batch_id), max_cost_usd=max_cost_usd, cells=cell)["status"])


def follow_batch(client: ServiceClient, batch_id: str) -> Json:
    """Show a batch until it is over.

    Raises:
        Exit: interrupted.
    """
    with interruptible(
        f"Stopped watching; the batch goes on. Watch it again: gym-llm follow {batch_id} --batch{client.option}\n"
        f"Its report: gym-llm report {batch_id}{client.option}\n"
        f"Cancel it: gym-llm cancel {batch_id} --batch{client.option}"
    ):
        return _followed(client, batch_id)


def check_batch(batch: Json, again: str) -> None:
    """Nothing where every cell of a batch succeeded.

    Args:
        batch: as the service shows it.
        again: what to do about cells that did not.

    Raises:
        CommandError: some did not; why has been told, a line each.
    """
    bad = [cell for cell in batch["cells"] if cell["status"] != "succeeded"]
    for cell in bad:
        error = cell["error"]
        reason = f": {error['code']}: {error['message']}" if error else ""
        typer.echo(f"{cell_name(cell)} {cell['status']}{one_line(reason)}", err=True)
    if bad:
        raise CommandError(f"{len(bad)} of {len(batch['cells'])} cells did not succeed. Play them again: {again}")


def _have_played(
    client: ServiceClient,
    body: bytes,
    folder: Path,
    idempotency_key: str | None,
    retrying: Json | None,
    *,
    detach: bool,
) -> None:
    batch = client.submit_batch(body, idempotency_key=idempotency_key)
    if retrying is not None:
        _retried(client, batch["id"], **retrying)
    typer.echo(batch["id"])
    if detach:
        return
    over = follow_batch(client, batch["id"])
    _write_report(client, f"/batches/{batch['id']}/report", folder)
    check_batch(over, f"gym-llm retry {batch['id']}{client.option}")


def _play_here(body: bytes, folder: Path, retrying: Json | None, again: str) -> None:
    is_new = not folder.exists()
    with held(folder), interruptible(f"Stopped; every step is kept. Go on with: {again}"):
        from app.cli.own_service import own_service
        from app.cli.report_files import played_here

        accepted = False
        try:
            with own_service(folder) as client:
                batch = client.submit_batch(body, idempotency_key=_digest(body))
                accepted = True
                _cancel_others(client, batch["id"])
                if retrying is not None:
                    _retried(client, batch["id"], **retrying)
                over = _followed(client, batch["id"])
                _write_report(client, f"/batches/{batch['id']}/report", folder, played_here(folder))
        finally:
            if is_new and not accepted:
                shutil.rmtree(folder, ignore_errors=True)
    check_batch(over, f"{again} --retry")


def _followed(client: ServiceClient, batch_id: str) -> Json:
    BatchFollower(Console()).follow(client.batch_events(batch_id))
    return client.get(f"/batches/{batch_id}")


def _retried(client: ServiceClient, batch_id: str, **changes: Any) -> Json:
    given = {name: value for name, value in changes.items() if value is not None}
    return client.post(f"/batches/{batch_id}/retry", given or None)


def _cancel_others(client: ServiceClient, batch_id: str) -> None:
    # Left unfinished here by a file that has been changed since: nobody waits for them.
    found = client.get("/batches", limit=100)["data"]
    for other in found:
        if other["id"] != batch_id and other["status"] in ACTIVE:
            client.post(f"/batches/{other['id']}/cancel")
            typer.echo(f"Cancelled what an earlier version of the file has begun: batch {other['id']}", err=True)


def _write_report(client: ServiceClient, path: str, folder: Path, place: "Place | None" = None, **query: Any) -> None:
    from app.cli.report_files import downloaded, read_report, write_report

    page = write_report(read_report(client, path, **query), folder, place or downloaded(client, folder))
    typer.echo(f"Report: {page} (the same as report.md and report.json)")


def _read(config: Path) -> tuple[bytes, str]:
    # The file, and the name of its batch.
    try:
        body = config.read_bytes()
        values = yaml.safe_load(body)
    except OSError as error:
        raise CommandError(f"{config}: {error.strerror}", USAGE) from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise CommandError(f"{config} is not valid YAML", USAGE) from None
    if not isinstance(values, dict) or "agents" not in values:
        raise CommandError(f"{config} is not the configuration of a batch: it has no agents", USAGE)
    return body, values.get("name", "batch")


def _folder(name: Any) -> Path:
    if not isinstance(name, str) or name in ("", ".", "..") or set(name) & set("/\\\0"):
        raise CommandError("name: must be one that a folder can have", USAGE)
    return EXPERIMENTS / name


def _digest(body: bytes) -> str:
    # Of what the file says: a comment is no reason to play everything anew.
    return hashlib.sha256(yaml.safe_dump(yaml.safe_load(body)).encode()).hexdigest()
