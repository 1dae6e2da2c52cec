"""Rows as what clients get."""

from typing import Any

from app.runs.models import SESSION, Run
from app.runs.schemas import Progress, RunView, State


def state(run: Run) -> dict[str, Any]:
    """What runs and sessions have in common."""
    return {
        "id": run.id,
        "status": run.status,
        "error": run.error,
        "progress": Progress(episodes_done=run.episodes_done, steps=run.steps),
        "created_at": run.created_at,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
    }


def run_view(run: Run) -> RunView:
    """A run, as every endpoint and event shows it."""
    origin: dict[str, Any] = {"versions": run.versions, "parent": run.parent, "imported_from": run.imported_from}
    origin |= {"batch_id": run.batch_id, "cell": run.cell}
    configuration = {"agent": run.agent, "environment": run.environment, "experiment": run.experiment}
    return RunView.model_validate(state(run) | configuration | origin)


def event_view(run: Run) -> State:
    """What the event stream of a run or a session tells of it."""
    return State.model_validate(state(run)) if run.kind == SESSION else run_view(run)
