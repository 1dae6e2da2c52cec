"""The table of batches. What they come to is in the runs that name them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import String, UniqueConstraint, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, Json, UTCDateTime


class Batch(Base):
    """One `POST /batches`."""

    __tablename__ = "batches"
    __table_args__ = (UniqueConstraint("owner", "idempotency_key"),)

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    owner: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(200))
    request: Mapped[dict[str, Any]] = mapped_column(Json)
    """As it was asked for."""
    cells: Mapped[list[dict[str, Any]]] = mapped_column(Json)
    """By index: the labels of `agent` and `environment`, and the `run` that plays all of it."""
    max_cost_usd: Mapped[float | None] = mapped_column()
    idempotency_key: Mapped[str | None] = mapped_column(String(255))
    request_digest: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
