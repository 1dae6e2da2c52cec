"""The whole service in one minute: start it, play a run, watch it, take home its GIF.

`make demo` runs this. The environment variables BACKEND and MODEL choose another player, MAX_STEPS a shorter episode,
MAX_TOKENS longer replies.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from app.cli.client import ServiceClient
from app.cli.exits import INTERRUPTED, USAGE, CommandError
from app.cli.follow import Follower, failure, show_figures

OUTPUT = Path("demo-output")
MAX_TOKENS = 400
"""Of one reply: without a limit, a model that rambles would hold up everything."""
MODELS = {"baseline": "heuristic", "ollama": "llama3.1", "openai": "gpt-4o-mini"}
STOP_S = 30


def main() -> int:
    """Run the demo; its exit code."""
    console = Console()
    shutil.rmtree(OUTPUT, ignore_errors=True)
    OUTPUT.mkdir()
    try:
        config = configuration(os.environ)
        with service(OUTPUT) as url, ServiceClient(url) as client:
            agent = config["agent"]
            check_backend(client, agent["backend"], agent["model"])
            console.print(f"{agent['backend']} ({agent['model']}) lands on the moon, at {url}", highlight=False)
            run_id = client.submit(json.dumps(config).encode())["id"]
            follower = Follower(console, brief=True)
            follower.follow(client.events(run_id))
            show_figures(client, follower, console)
            take_home(client, follower.run["id"])
            if follower.run["status"] != "succeeded":
                raise CommandError(failure(follower.run))
            reward = follower.episodes[0]["total_reward"]
    except CommandError as error:
        print(f"Error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("Interrupted; the service is stopped.", file=sys.stderr)
        return INTERRUPTED
    landed = "It landed" if follower.episodes[0]["success"] else "It is over"
    console.print(f"\n[bold green]{landed}: total reward {reward:.2f}.[/] Look at:", highlight=False)
    for name in ("landing.gif", "metrics.json", "run.zip"):
        console.print(f"  {OUTPUT / name}", highlight=False)
    return 0


def configuration(environ: Mapping[str, str]) -> dict[str, Any]:
    """The body of `POST /runs`."""
    backend = environ.get("BACKEND") or "baseline"
    if backend not in MODELS:
        raise CommandError(f"BACKEND must be one of {', '.join(MODELS)}", USAGE)
    agent = {"backend": backend, "model": environ.get("MODEL") or MODELS[backend]}
    return {
        "agent": agent | {"max_tokens": number(environ, "MAX_TOKENS") or MAX_TOKENS},
        "environment": {"name": "LunarLanderLLM-v3"},
        "experiment": {
            "name": "demo",
            "seed": 0,
            "save_gif": True,
            "caption": True,
            "max_steps": number(environ, "MAX_STEPS"),
        },
    }


def number(environ: Mapping[str, str], name: str) -> int | None:
    """The whole number that a variable holds, if it is set."""
    value = environ.get(name) or None
    if value is not None and not value.isdecimal():
        raise CommandError(f"{name} must be a whole number", USAGE)
    return int(value) if value else None


@contextmanager
def service(folder: Path) -> Iterator[str]:
    """A service of its own: a process with a fresh SQLite database, on a free port; gives its address."""
    environ = os.environ | {"GYM_LLM_DATA_DIR": str(folder / "data"), "GYM_LLM_DATABASE_URL": ""}
    log = folder / "service.log"
    with log.open("w") as lines:
        process = subprocess.Popen(
            [sys.executable, "-m", "app.cli", "serve", "--port", "0"],
            stdout=subprocess.PIPE,
            stderr=lines,
            text=True,
            env=environ,
            start_new_session=True,  # Ctrl-C is for the demo, which stops the service itself.
        )
    try:
        # The first line tells where it is; it comes once the service answers.
        first_line = process.stdout.readline() if process.stdout else ""
        if not first_line:
            raise CommandError(f"the service did not start: see {log}")
        yield first_line.split()[2]
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()


def check_backend(client: ServiceClient, backend: str, model: str) -> None:
    """Raise a `CommandError` that says what is missing, rather than let the run fail on its first question."""
    status = next(status for status in client.get("/backends")["data"] if status["name"] == backend)
    if not status["reachable"]:
        raise CommandError(f"backend {backend}: {status['detail']}")
    if status["models"] and not {model, f"{model}:latest"} & set(status["models"]):
        pull = f"; run `ollama pull {model}`" if backend == "ollama" else ""
        raise CommandError(f"backend {backend} has no model {model!r}{pull} (it has {', '.join(status['models'][:8])})")


def take_home(client: ServiceClient, run_id: str) -> None:
    """Download what the run left behind."""
    client.download(f"/runs/{run_id}/episodes/0/gif", OUTPUT / "landing.gif")
    metrics = client.get(f"/runs/{run_id}/metrics")
    (OUTPUT / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    client.download(f"/runs/{run_id}/archive", OUTPUT / "run.zip")


if __name__ == "__main__":
    sys.exit(main())
