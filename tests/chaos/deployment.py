"""The service as it is scaled out: one API process, three workers, a Postgres and a scripted language model."""

import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import httpx
import psycopg
from psycopg.rows import dict_row

from tests.chaos.processes import Supervised
from tests.processes import DEADLINE_S
from tests.scripted_llm.fixtures import Serving, serving

WORKERS = 3
EPISODES, MAX_STEPS = 4, 25
LATENCY_S = 0.04
HEARTBEAT_S, LOST_AFTER_S = 0.5, 4.0
PORTS = range(8700, 8800)
"""Of the API. Below those that the system hands out by itself: it must get the same one again after each restart."""
AUDIT = """
    CREATE TABLE audit (at timestamptz NOT NULL DEFAULT clock_timestamp(), run_id uuid, was text, status text,
                        lost boolean, claimed boolean, steps integer);
    CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO audit (run_id, was, status, lost, claimed, steps) VALUES (
            new.id, old.status, new.status,
            old.worker_token IS NOT NULL AND new.worker_token <> old.worker_token,
            new.worker_token IS NOT NULL AND new.worker_token IS DISTINCT FROM old.worker_token,
            old.steps);
        RETURN NULL;
    END $$;
    CREATE TRIGGER audit AFTER UPDATE ON runs FOR EACH ROW
        WHEN (old.status IN ('succeeded', 'failed', 'cancelled') OR old.status <> new.status
              OR old.worker_token IS DISTINCT FROM new.worker_token)
        EXECUTE FUNCTION audit();
    CREATE TABLE job_audit (at timestamptz NOT NULL DEFAULT clock_timestamp(), job_id bigint, run_id text, was text,
                            status text, worker_was bigint, worker_id bigint);
    CREATE FUNCTION job_audit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO job_audit (job_id, run_id, was, status, worker_was, worker_id) VALUES (
            old.id, old.args ->> 'run_id', old.status, new.status, old.worker_id, new.worker_id);
        RETURN NULL;
    END $$;
    CREATE TRIGGER job_audit AFTER UPDATE OR DELETE ON procrastinate_jobs FOR EACH ROW EXECUTE FUNCTION job_audit();
"""
"""Notes every claim, every change of status, whatever is written to a run that is over, and what happens to jobs."""
STEPS = """
    SELECT steps.*, episodes.seed FROM steps JOIN episodes USING (run_id, episode) WHERE run_id = %s ORDER BY steps.id
"""
EXACT = ("observation", "digest", "reflection", "action", "reward", "terminated", "truncated", "prompt_tokens")
"""Of a step, what must not depend on who played it."""
Row = dict[str, Any]
Played = dict[tuple[int, int], Row]
"""Steps by seed and number."""
T = TypeVar("T")


class Deployment:
    """All processes of one service, and direct access to what they share."""

    def __init__(self, folder: Path, database_url: str, llm: Serving, runs: int) -> None:
        self.database_url = database_url
        self.llm = llm
        self.seeds = [1000 * number for number in range(1, runs + 1)]
        port = _free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._closing = ExitStack()
        self._folder = folder
        self.api = self._process("api", "serve", "--port", str(port))
        self.workers = [self._process(f"worker-{n}", "worker", "--concurrency", "20") for n in range(WORKERS)]

    def until_ready(self) -> None:
        """Return when every process does its work."""
        self.until(self._ready)

    def close(self) -> None:
        """End every process."""
        self._closing.close()

    def start_runs(self, seeds: Sequence[int] | None = None) -> dict[UUID, int]:
        """Submit one run for each seed; ids and seeds."""
        with httpx.Client(base_url=self.url, timeout=DEADLINE_S) as client:
            answers = {seed: client.post("/runs", json=_request(seed)) for seed in seeds or self.seeds}
        return {UUID(answer.raise_for_status().json()["id"]): seed for seed, answer in answers.items()}

    def rows(self, query: str, *values: Any) -> list[Row]:
        """What the database says, asked past the service."""
        with psycopg.connect(self.database_url, row_factory=dict_row, autocommit=True) as connection:
            answer = connection.execute(query.encode(), values)
            return answer.fetchall() if answer.description else []

    def steps(self, run_id: UUID) -> list[Row]:
        """The whole log of a run."""
        return self.rows(STEPS, run_id)

    def progress(self, runs: Sequence[UUID]) -> int:
        """Steps stored so far."""
        return int(self.rows("SELECT sum(steps) AS steps FROM runs WHERE id = ANY(%s)", list(runs))[0]["steps"])

    def over(self, runs: Sequence[UUID]) -> bool:
        """Whether all these runs have ended."""
        active = "SELECT 1 FROM runs WHERE id = ANY(%s) AND status IN ('queued', 'running', 'cancelling')"
        return not self.rows(active, list(runs))

    def until_over(self, runs: Sequence[UUID]) -> None:
        """Return when all these runs have ended."""
        self.until(lambda: self.over(runs))

    def until(self, probe: Callable[[], T | None], seconds: float = 4 * DEADLINE_S) -> T:
        """The first thing that `probe` finds; a database that is away is waited for."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                if found := probe():
                    return found
            except psycopg.OperationalError:
                pass
            time.sleep(0.05)
        open_runs = self.rows("SELECT id, status, steps, worker_token, losses FROM runs WHERE finished_at IS NULL")
        jobs = self.rows("SELECT id, args, status, worker_id, attempts, scheduled_at FROM procrastinate_jobs")
        audit = (
            "SELECT at, job_id, was, status, worker_was, worker_id FROM job_audit WHERE run_id = ANY(%s) ORDER BY at"
        )
        history = self.rows(audit, [str(run["id"]) for run in open_runs])
        logs = "\n".join(f"--- {each.name} {each.exits}\n{_tail(each.log)}" for each in (self.api, *self.workers))
        raise AssertionError(
            f"it did not get there:\nruns: {open_runs}\njobs: {jobs}\nof these runs: {history}\n{logs}"
        )

    @cached_property
    def undisturbed(self) -> Played:
        """How the runs of all seeds go where nothing happens to them."""
        self.llm.llm.latency = 0.0
        runs = self.start_runs()
        self.until_over(list(runs))
        self.llm.llm.latency = LATENCY_S
        return {(row["seed"], row["step"]): exact(row) for run_id in runs for row in self.steps(run_id)}

    def _ready(self) -> bool:
        try:
            answer = httpx.get(f"{self.url}/readyz", timeout=5)
        except httpx.TransportError:
            return False
        return answer.status_code == 200 and all(worker.said("worker ready") for worker in self.workers)

    def _process(self, name: str, *arguments: str) -> Supervised:
        settings = {
            "OPENAI_BASE_URL": self.llm.openai_url,
            "OLLAMA_HOST": "http://127.0.0.1:9",
            "GYM_LLM_DATABASE_URL": self.database_url,
            "GYM_LLM_DATA_DIR": str(self._folder / "data"),
            "GYM_LLM_HEARTBEAT_S": str(HEARTBEAT_S),
            "GYM_LLM_LOST_AFTER_S": str(LOST_AFTER_S),
            "GYM_LLM_PING_S": "1",
        }
        process = Supervised(self._folder, name, arguments, settings)
        self._closing.callback(process.close)
        return process


@contextmanager
def deployed(folder: Path, database_url: str, runs: int) -> Iterator[Deployment]:
    """A deployment that is ready, for the time of the block."""
    with serving(latency=LATENCY_S) as llm:
        deployment = Deployment(folder, database_url, llm, runs)
        try:
            deployment.until_ready()
            deployment.rows(AUDIT)
            yield deployment
        finally:
            deployment.close()


def exact(step: Row) -> Row:
    """Of a step, what must not depend on who played it."""
    return {name: step[name] for name in EXACT}


def _request(seed: int) -> Row:
    return {
        "agent": {"backend": "openai", "model": "scripted", "temperature": 0.0, "history": 6},
        "environment": {"name": "CartPoleLLM-v1"},
        "experiment": {"seed": seed, "num_runs": EPISODES, "concurrency": 2, "max_steps": MAX_STEPS, "save_gif": False},
    }


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-3000:]


def _free_port() -> int:
    for port in PORTS:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise AssertionError("every port is taken")
