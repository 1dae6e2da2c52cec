"""The tables of runs, their episodes and their steps."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint, Uuid, false
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, Json, UTCDateTime

ACTIVE = ("queued", "running", "cancelling")
TERMINAL = ("succeeded", "failed", "cancelled")
RUN, SESSION = "run", "session"
"""Kinds of runs: one plays by itself, the other by calls from outside."""


class Run(Base):
    """One `POST /runs`, or one `POST /sessions`: its log is kept and read in the same way."""

    __tablename__ = "runs"
    __table_args__ = (
        UniqueConstraint("owner", "idempotency_key"),
        Index("ix_runs_owner_id", "owner", "id"),
        Index("ix_runs_status", "status"),
        Index("ix_runs_batch_id", "batch_id"),
    )

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    kind: Mapped[str] = mapped_column(String(16), default=RUN, server_default=RUN)
    owner: Mapped[str] = mapped_column(String(64))
    status: Mapped[str] = mapped_column(String(16))
    error: Mapped[dict[str, Any] | None] = mapped_column(Json)
    agent: Mapped[dict[str, Any]] = mapped_column(Json)
    """Empty where the agent of a session lives elsewhere."""
    environment: Mapped[dict[str, Any]] = mapped_column(Json)
    """Empty where the environment of a session lives elsewhere."""
    experiment: Mapped[dict[str, Any]] = mapped_column(Json)
    backend: Mapped[str] = mapped_column(String(32))
    model: Mapped[str] = mapped_column(String(200))
    environment_id: Mapped[str] = mapped_column(String(200))
    idempotency_key: Mapped[str | None] = mapped_column(String(255))
    request_digest: Mapped[str | None] = mapped_column(String(64))
    worker_token: Mapped[UUID | None] = mapped_column(Uuid)
    """Of the worker that holds the run; each of its writes must match it."""
    losses: Mapped[int] = mapped_column(default=0)
    """Workers lost in a row with the log at `lost_at_step`."""
    lost_at_step: Mapped[int | None] = mapped_column()
    episodes_done: Mapped[int] = mapped_column(default=0)
    steps: Mapped[int] = mapped_column(default=0)
    """Length of the step log; also the id of its newest step."""
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    versions: Mapped[dict[str, Any] | None] = mapped_column(Json)
    """Of what plays it."""
    parent: Mapped[dict[str, Any] | None] = mapped_column(Json)
    """Of a fork: the run, the episode and the step where it goes its own way. The parent may be gone."""
    imported_from: Mapped[dict[str, Any] | None] = mapped_column(Json)
    batch_id: Mapped[UUID | None] = mapped_column(Uuid)
    cell: Mapped[int | None] = mapped_column()
    """Of the batch; null where another run has taken the place of this one."""
    cost_usd: Mapped[float] = mapped_column(default=0.0, server_default="0")
    """Of its answers so far, as far as their prices are known."""


class Episode(Base):
    """One episode of a run; its row is made when it starts."""

    __tablename__ = "episodes"

    run_id: Mapped[UUID] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    episode: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    seed: Mapped[int] = mapped_column()
    status: Mapped[str] = mapped_column(String(16))
    error: Mapped[dict[str, Any] | None] = mapped_column(Json)
    total_reward: Mapped[float] = mapped_column(default=0.0)
    num_steps: Mapped[int] = mapped_column(default=0)
    terminated: Mapped[bool] = mapped_column(default=False)
    truncated: Mapped[bool] = mapped_column(default=False)
    success: Mapped[bool | None] = mapped_column()
    final_observation: Mapped[Any | None] = mapped_column(Json)
    """What the environment showed after the last step; every earlier observation is in the steps."""
    done_order: Mapped[int | None] = mapped_column()
    """1 for the run's first episode to end, 2 for the second, ...; null while it plays."""
    done_at_step: Mapped[int | None] = mapped_column()
    """Length of the run's step log when the episode ended."""
    lessons_before: Mapped[list[str] | None] = mapped_column(Json)
    """What the episode was told of earlier ones; null for nothing."""
    lessons: Mapped[dict[str, Any] | None] = mapped_column(Json)
    """What it taught, and what it took to ask: `Lessons.as_json`."""


class Step(Base):
    """One step. `id` is its place in the run's log, from 1, with no gap."""

    __tablename__ = "steps"
    __table_args__ = (UniqueConstraint("run_id", "episode", "step"),)

    run_id: Mapped[UUID] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    episode: Mapped[int] = mapped_column()
    step: Mapped[int] = mapped_column()
    observation: Mapped[Any] = mapped_column(Json)
    digest: Mapped[str] = mapped_column(String(32))
    reflection: Mapped[str] = mapped_column(Text)
    action: Mapped[Any] = mapped_column(Json)
    reward: Mapped[float | None] = mapped_column()
    """Null as long as an environment that lives elsewhere has not told it."""
    terminated: Mapped[bool] = mapped_column()
    truncated: Mapped[bool] = mapped_column()
    decided: Mapped[bool] = mapped_column()
    outcome: Mapped[str | None] = mapped_column(String(16))
    attempts: Mapped[int] = mapped_column()
    latency_ms: Mapped[float] = mapped_column()
    prompt_tokens: Mapped[int] = mapped_column()
    cached_tokens: Mapped[int] = mapped_column()
    completion_tokens: Mapped[int] = mapped_column()
    cost_usd: Mapped[float | None] = mapped_column()
    problem: Mapped[str | None] = mapped_column(Text)
    reply: Mapped[str | None] = mapped_column(Text)
    """The model's own text, where it is not just what the decision comes to as compact JSON."""
    notes: Mapped[dict[str, str] | None] = mapped_column(Json)
    """What the agent's strategy keeps: `plan`, `summary`; null for nothing."""
    inherited: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Copied from the parent of a fork, which has paid for it: its tokens, cost, attempts and latency are 0."""
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
