"""The tables of sessions, beside their rows in `runs`, and of the calls that can be repeated."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, UTCDateTime

OrderedJson = JSON(none_as_null=True)
"""Keeps the order of keys, in which a model is told of them; Postgres' binary form does not."""


class Session(Base):
    """What a session has that a run has not. Status, episodes and steps are those of its run, of kind `session`."""

    __tablename__ = "sessions"
    __table_args__ = (Index("ix_sessions_expires_at", "expires_at"),)

    run_id: Mapped[UUID] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    definition: Mapped[dict[str, Any] | None] = mapped_column(OrderedJson)
    """Of the environment, where that lives elsewhere."""
    observation: Mapped[Any | None] = mapped_column(OrderedJson)
    """What the environment shows now, where that lives here."""
    ttl_s: Mapped[float] = mapped_column()
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime)
    claimed_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """While a call is under way; its process prolongs it. Its token is the `worker_token` of the run."""


class SessionCall(Base):
    """A call that was made under a `request_id`, and its answer."""

    __tablename__ = "session_calls"

    run_id: Mapped[UUID] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    request_id: Mapped[str] = mapped_column(String(200), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64))
    """Of the operation and the body."""
    answer: Mapped[dict[str, Any]] = mapped_column(OrderedJson)
