"""Rows as what clients get."""

from app.runs.models import Run
from app.runs.views import state
from app.sessions.models import Session
from app.sessions.schemas import SessionView


def session_view(run: Run, session: Session) -> SessionView:
    """A session, as every endpoint shows it."""
    return SessionView.model_validate(
        state(run)
        | {
            "agent": run.agent or None,
            "definition": session.definition,
            "environment": run.environment or None,
            "seed": run.experiment["seed"],
            "observation": session.observation,
            "ttl_s": session.ttl_s,
            "expires_at": session.expires_at,
        }
    )
