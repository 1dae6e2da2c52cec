"""Rows as what clients get."""

from app.runs.models import Run
from app.runs.schemas import Progress, RunView


def run_view(run: Run) -> RunView:
    """A run, as every endpoint and event shows it."""
    return RunView.model_validate(
        {
            "id": run.id,
            "status": run.status,
            "error": run.error,
            "agent": run.agent,
            "environment": run.environment,
            "experiment": run.experiment,
            "progress": Progress(episodes_done=run.episodes_done, steps=run.steps),
            "created_at": run.created_at,
            "started_at": run.started_at,
            "finished_at": run.finished_at,
        }
    )
