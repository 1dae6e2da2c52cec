"""Runs that are disturbed in every way that a deployment knows, and end as if nothing had happened."""

import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from itertools import cycle
from random import Random
from uuid import UUID

import httpx
import pytest

from app.engine.lease import SLEPT
from tests.chaos.conftest import Settle
from tests.chaos.deployment import EPISODES, LOST_AFTER_S, MAX_STEPS, Deployment
from tests.chaos.servers import OwnPostgres
from tests.chaos.watchers import Watcher
from tests.processes import DEADLINE_S

pytestmark = pytest.mark.timeout(900)
TERMINATE = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


def test_killed_workers(deployment: Deployment, settle: Settle, blows: int):
    chance = Random(1)
    runs = deployment.start_runs()
    _strike(deployment, runs, blows, lambda: chance.choice(deployment.workers).signal(signal.SIGKILL), every=3.0)
    entry = settle(deployment, runs, "SIGKILL of workers")
    assert entry.statuses == {"succeeded": len(runs)}, entry.failures
    assert entry.takeovers


def test_stopped_and_continued_workers(deployment: Deployment, settle: Settle):
    runs = deployment.start_runs()
    deployment.until(lambda: deployment.progress(list(runs)) >= 10 * len(runs))
    zombies = deployment.workers[:2]
    ends = [len(worker.exits) for worker in zombies]
    for worker in zombies:
        worker.signal(signal.SIGSTOP)
    time.sleep(2 * LOST_AFTER_S)
    for worker in zombies:
        worker.signal(signal.SIGCONT)
    deployment.until(lambda: all(len(each.exits) > end for each, end in zip(zombies, ends, strict=True)))
    assert [worker.exits[end] for worker, end in zip(zombies, ends, strict=True)] == [SLEPT, SLEPT]
    assert settle(deployment, runs, "SIGSTOP, SIGCONT of workers").statuses == {"succeeded": len(runs)}


def test_drained_workers(deployment: Deployment, settle: Settle, blows: int):
    runs = deployment.start_runs()
    ends = [len(worker.exits) for worker in deployment.workers]
    turns = cycle(deployment.workers)
    _strike(deployment, runs, blows, lambda: next(turns).signal(signal.SIGTERM), every=3.0)
    entry = settle(deployment, runs, "SIGTERM of workers")
    assert entry.statuses == {"succeeded": len(runs)}, entry.failures
    assert deployment.rows("SELECT id FROM runs WHERE id = ANY(%s) AND losses > 0", list(runs)) == []
    codes = {code for worker, end in zip(deployment.workers, ends, strict=True) for code in worker.exits[end:]}
    assert codes <= {0, -signal.SIGTERM}  # The latter where it hit a worker that had not begun to work.


def test_terminated_database_connections(deployment: Deployment, settle: Settle, blows: int):
    runs = deployment.start_runs()
    _strike(deployment, runs, blows // 2, lambda: deployment.rows(TERMINATE), every=2.0)
    assert settle(deployment, runs, "connections terminated").statuses == {"succeeded": len(runs)}


def test_watchers_that_come_and_go_and_a_killed_api(deployment: Deployment, settle: Settle, blows: int):
    chance = Random(2)
    runs = deployment.start_runs()
    watchers = [Watcher(deployment.url, run_id, Random(number)) for number, run_id in enumerate([*runs] * 2)]
    for watcher in watchers:
        watcher.start()
    _strike(
        deployment, runs, max(1, blows // 3), lambda: deployment.api.signal(signal.SIGKILL), every=chance.uniform(1, 2)
    )
    entry = settle(deployment, runs, "watchers come and go, API SIGKILL")
    assert entry.statuses == {"succeeded": len(runs)}, entry.failures
    assert entry.interruptions == 0
    for watcher in watchers:
        watcher.join(4 * DEADLINE_S)
        assert watcher.seen == [step["id"] for step in deployment.steps(watcher.run_id)]
        assert watcher.done == 1
        assert watcher.visits > 1


def test_cancelled_at_any_time(deployment: Deployment, settle: Settle):
    runs = deployment.start_runs()
    told: Counter[str] = Counter()
    threads = [
        threading.Thread(target=_cancel, args=(deployment, run_id, number, Random(number), told))
        for number, run_id in enumerate(runs)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    entry = settle(deployment, runs, "cancel races")
    assert told == {"202": 2 * len(runs)}
    assert set(entry.statuses) <= {"succeeded", "cancelled"}
    assert entry.statuses["cancelled"] >= len(runs) // 2


def test_restarted_postgres(fragile: Deployment, own_postgres: OwnPostgres, settle: Settle, blows: int):
    runs = fragile.start_runs()
    away_s = cycle((0.0, 3.0))
    _strike(fragile, runs, blows // 2, lambda: own_postgres.restart(next(away_s)), every=1.0)
    entry = settle(fragile, runs, "Postgres restarted")
    assert entry.statuses == {"succeeded": len(runs)}, entry.failures


def _strike(
    deployment: Deployment, runs: dict[UUID, int], times: int, blow: Callable[[], object], *, every: float
) -> None:
    deployment.until(lambda: deployment.progress(list(runs)) >= 2 * len(runs))
    for _ in range(times):
        blow()
        time.sleep(every)
        if deployment.until(lambda: [deployment.over(list(runs))])[0]:
            return


def _cancel(deployment: Deployment, run_id: UUID, number: int, chance: Random, told: Counter[str]) -> None:
    # By turns: at once, in the middle, just before the end; each twice.
    if number % 3 == 1:
        time.sleep(chance.uniform(0.1, 2.0))
    if number % 3 == 2:
        nearly = EPISODES * MAX_STEPS - chance.randint(1, 6)
        deployment.until(lambda: deployment.progress([run_id]) >= nearly)
    with httpx.Client(base_url=deployment.url, timeout=DEADLINE_S) as client:
        for _ in range(2):
            told[str(client.post(f"/runs/{run_id}/cancel").status_code)] += 1
            time.sleep(chance.uniform(0, 0.05))
